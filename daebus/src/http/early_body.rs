//! Reads the beginning of a body before its handler takes a turn.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

/// How many bytes are read, which is more than most payloads have.
const BYTES: usize = 64 * 1024;

/// How many frames are read: a frame takes memory even if it has a single byte.
const FRAMES: usize = 256;

/// Waits for the beginning of a body, mostly all of it: a client that sends slowly, or not at all, would otherwise hold a turn
/// of the service's handlers meanwhile.
pub(super) async fn begin(mut body: Body) -> Body {
    let (mut first, mut frames, mut bytes) = (None, VecDeque::new(), 0);
    while bytes < BYTES && frames.len() < FRAMES && !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let is_broken = frame.is_err();
        bytes += frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
        match first {
            None => first = Some(frame),
            Some(_) => frames.push_back(frame),
        }
        if is_broken {
            break;
        }
    }
    if first.is_none() { body } else { Body::new(Begun { first, frames, body }) }
}

type BodyFrame = Result<Frame<Bytes>, axum::Error>;

/// A body whose first frames have been read.
struct Begun {
    /// Mostly the only one, and so not in a list.
    first: Option<BodyFrame>,
    frames: VecDeque<BodyFrame>,
    body: Body,
}

impl HttpBody for Begun {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<BodyFrame>> {
        let begun = self.first.take();
        match begun.or_else(|| self.frames.pop_front()) {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.frames.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let begun = self.first.iter().chain(&self.frames).filter_map(|frame| frame.as_ref().ok()?.data_ref());
        let begun = begun.map(|data| data.len() as u64).sum::<u64>();
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(begun.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(begun)) {
            hint.set_upper(upper);
        }
        hint
    }
}
