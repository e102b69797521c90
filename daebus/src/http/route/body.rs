//! A request's body, read within its time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use daebus_caller::BoxError;
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{Fault, FaultCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, LengthLimitError};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::handler::Failure;

/// The whole body.
pub(super) async fn bytes(mut body: Body) -> Result<Bytes, Failure> {
    let Some(first) = body.frame().await else { return Ok(Bytes::new()) };
    let first = data(first)?;
    // Most bodies are one frame.
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut all = BytesMut::from(first);
    while let Some(more) = body.frame().await {
        all.extend_from_slice(&data(more)?);
    }
    Ok(all.freeze())
}

/// Returns the data of a frame. Trailers have none.
fn data(frame: Result<Frame<Bytes>, axum::Error>) -> Result<Bytes, Fault> {
    let frame = frame.map_err(|error| fault(&error))?;
    Ok(frame.into_data().unwrap_or_default())
}

/// Why a body can't be read, as the peer is told.
pub(super) fn fault(error: &(dyn std::error::Error + 'static)) -> Fault {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return too_large();
        } else if let Some(TimedOut { after }) = error.downcast_ref() {
            return too_slow(*after);
        }
        cause = error.source();
    }
    Fault::reserved(FaultCode::InvalidPayload, format!("the body can't be read: {error}"))
}

pub(crate) fn too_large() -> Fault {
    Fault::new("too_large", "the body is larger than this service takes").with_status(413)
}

fn too_slow(after: Duration) -> Fault {
    Fault::new("body_timeout", TimedOut { after }.to_string()).with_status(408)
}

/// The time for a body is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimedOut {
    pub(crate) after: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body wasn't there within {:?}", self.after)
    }
}

impl std::error::Error for TimedOut {}

/// Whether the time for a body was over while it was read, for whoever sees only the response of an extractor that
/// knows nothing of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Late(Arc<AtomicBool>);

impl Late {
    pub(crate) fn is_late(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn fault(after: Duration) -> Fault {
        too_slow(after)
    }
}

/// A body that fails once its time is over. The time is for all waits for the client together: a client that sends a byte
/// now and then gets no more of it, and the time in which nothing reads the body doesn't count.
pub(crate) struct Timed<B> {
    body: B,
    after: Duration,
    /// How much of the time is left.
    left: Duration,
    /// When the wait for the next frame began.
    waits_since: Option<Instant>,
    /// Made when the body is first waited for, which most never are.
    sleep: Option<Pin<Box<Sleep>>>,
    late: Late,
}

impl<B> Timed<B> {
    pub(crate) fn new(body: B, after: Duration) -> (Self, Late) {
        let late = Late::default();
        let timed = Self { body, after, left: after, waits_since: None, sleep: None, late: late.clone() };
        (timed, late)
    }
}

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin> HttpBody for Timed<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some(since) = this.waits_since.take() {
                this.left = this.left.saturating_sub(since.elapsed());
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let until = Deadline::after(this.left).instant();
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if this.waits_since.is_none() {
            this.waits_since = Some(Instant::now());
            sleep.as_mut().reset(until);
        }
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.late.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(TimedOut { after: self.after }.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
