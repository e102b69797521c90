//! Whether a connection waits for the service or for its client.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::Version;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::sleep;

use crate::runtime::BytesWritten;

/// How often a connection is looked at within the time it may be quiet; so it is closed at most half that time late.
const LOOKS: u32 = 4;

/// How many bytes have to be written from one look to the next, so that the client is reading: more than the pings of HTTP/2,
/// which keep no connection open.
const PROGRESS: u64 = 256;

/// How often a connection that is to end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Counts on atomics, looked at by a timer, so that a request costs no wake-up more than it has to.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity {
    counts: Arc<Counts>,
    written: BytesWritten,
}

#[derive(Debug, Default)]
struct Counts {
    /// Requests whose handler hasn't answered.
    unanswered: AtomicUsize,
    /// Requests whose response hasn't been read to its end.
    open: AtomicUsize,
    /// Requests whose clients wait for the service: for the answer, or for the next piece of it.
    ours: AtomicUsize,
    /// Those among them that wait for the next piece of a stream, which may have no end.
    streams: AtomicUsize,
    /// Goes up whenever something happens.
    moves: AtomicU64,
    is_http_2: AtomicBool,
}

impl Activity {
    /// The activity of a connection whose written bytes are counted.
    pub(super) fn new(written: BytesWritten) -> Self {
        Self { counts: Arc::default(), written }
    }

    /// Counts a request that has been received.
    pub(super) fn begin(&self, version: Version) -> Exchange {
        let counts = &self.counts;
        counts.is_http_2.fetch_or(version == Version::HTTP_2, Ordering::Relaxed);
        counts.unanswered.fetch_add(1, Ordering::Relaxed);
        counts.open.fetch_add(1, Ordering::Relaxed);
        let counts = Arc::clone(counts);
        let mut exchange = Exchange { counts, is_answered: false, is_stream: false, is_ours: false };
        exchange.turn(true);
        exchange
    }

    /// Whether a request was received by HTTP/2.
    pub(super) fn is_http_2(&self) -> bool {
        self.counts.is_http_2.load(Ordering::Relaxed)
    }

    /// Waits for a request by HTTP/2.
    pub(super) async fn http_2(&self) {
        while !self.is_http_2() {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until every request is answered.
    pub(super) async fn answered(&self) {
        while self.counts.unanswered.load(Ordering::Relaxed) > 0 {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the connection has waited for its client, and nothing was written, for so long.
    pub(super) async fn quiet_for(&self, within: Duration) {
        let moves = || (self.counts.moves.load(Ordering::Relaxed), self.written.count());
        let mut seen = moves();
        let mut looks = 0;
        while looks < LOOKS {
            sleep(within / LOOKS).await;
            let now = moves();
            let has_written = now.1 - seen.1 >= PROGRESS;
            let is_quiet = now.0 == seen.0 && !has_written && self.counts.ours.load(Ordering::Relaxed) == 0;
            looks = if is_quiet { looks + 1 } else { 0 };
            seen = now;
        }
    }

    /// Waits until the connection has had nothing to do for `idle`, or has waited for `streams` for streams of the service,
    /// all in all. A response that its client is still reading is neither.
    pub(super) async fn only_waits(&self, idle: Duration, streams: Duration) {
        let (mut idle_for, mut streams_for) = (Duration::ZERO, Duration::ZERO);
        while idle_for < idle && streams_for < streams {
            sleep(LOOK_EVERY).await;
            let open = self.counts.open.load(Ordering::Relaxed);
            let is_idle = open == 0 && !self.written.is_blocked();
            idle_for = if is_idle { idle_for + LOOK_EVERY } else { Duration::ZERO };
            let waits = open > 0 && self.counts.streams.load(Ordering::Relaxed) == open;
            if waits && !self.written.is_blocked() {
                streams_for += LOOK_EVERY;
            }
        }
    }
}

/// One request and its answer, to the last byte of it.
#[derive(Debug)]
pub(super) struct Exchange {
    counts: Arc<Counts>,
    is_answered: bool,
    /// The length of the answer is unknown.
    is_stream: bool,
    is_ours: bool,
}

impl Exchange {
    /// The answer is there; its body goes on counting.
    pub(super) fn answered(mut self, body: Body) -> CountedBody {
        self.answer();
        // Before it counts as a stream, so that it isn't taken off the count of streams.
        self.turn(false);
        self.is_stream = body.size_hint().exact().is_none();
        CountedBody { body, exchange: self }
    }

    fn answer(&mut self) {
        if !std::mem::replace(&mut self.is_answered, true) {
            self.counts.unanswered.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn turn(&mut self, is_ours: bool) {
        self.counts.moves.fetch_add(1, Ordering::Relaxed);
        let change = |count: &AtomicUsize| match (self.is_ours, is_ours) {
            (false, true) => _ = count.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = count.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        };
        change(&self.counts.ours);
        if self.is_stream {
            change(&self.counts.streams);
        }
        self.is_ours = is_ours;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.turn(false);
        self.answer();
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body. When it has given a piece, it is for the client to take it before the next is asked for.
#[derive(Debug)]
pub(super) struct CountedBody {
    body: Body,
    exchange: Exchange,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.exchange.turn(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
