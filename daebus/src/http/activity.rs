//! Whose turn it is on a connection: ours, as long as a handler or a stream of ours works, else the client's.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::sleep;

/// How often a connection is looked at within the time it may be quiet; so it is closed at most half that time late.
const LOOKS: u32 = 4;

/// Counts on atomics, looked at by a timer, so that a request costs no wake-up more than it has to.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Requests whose handler hasn't answered.
    unanswered: AtomicUsize,
    /// Requests that wait for us: for the answer, or for the next piece of it.
    ours: AtomicUsize,
    /// Goes up whenever something happens.
    moves: AtomicU64,
}

impl Activity {
    /// A request has come in.
    pub(super) fn begin(&self) -> Exchange {
        self.0.unanswered.fetch_add(1, Ordering::Relaxed);
        let mut exchange = Exchange { counts: Arc::clone(&self.0), is_answered: false, is_ours: false };
        exchange.turn(true);
        exchange
    }

    /// Whether a handler is at work.
    pub(super) fn is_answering(&self) -> bool {
        self.0.unanswered.load(Ordering::Relaxed) > 0
    }

    /// Waits until it has been the client's turn for so long, and nothing has happened.
    pub(super) async fn quiet_for(&self, within: Duration) {
        let mut seen = self.0.moves.load(Ordering::Relaxed);
        let mut looks = 0;
        while looks < LOOKS {
            sleep(within / LOOKS).await;
            let moves = self.0.moves.load(Ordering::Relaxed);
            let is_quiet = moves == seen && self.0.ours.load(Ordering::Relaxed) == 0;
            looks = if is_quiet { looks + 1 } else { 0 };
            seen = moves;
        }
    }
}

/// One request and its answer, to the last byte of it.
#[derive(Debug)]
pub(super) struct Exchange {
    counts: Arc<Counts>,
    is_answered: bool,
    is_ours: bool,
}

impl Exchange {
    /// The answer is there; its body goes on counting.
    pub(super) fn answered(mut self, body: Body) -> Body {
        self.answer();
        Body::new(Counted { body, exchange: self })
    }

    fn answer(&mut self) {
        if !std::mem::replace(&mut self.is_answered, true) {
            self.counts.unanswered.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn turn(&mut self, is_ours: bool) {
        self.counts.moves.fetch_add(1, Ordering::Relaxed);
        match (std::mem::replace(&mut self.is_ours, is_ours), is_ours) {
            (false, true) => _ = self.counts.ours.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = self.counts.ours.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.turn(false);
        self.answer();
    }
}

/// An answer's body. When it has given a piece, it is for the client to take it before the next is asked for.
struct Counted {
    body: Body,
    exchange: Exchange,
}

impl HttpBody for Counted {
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
