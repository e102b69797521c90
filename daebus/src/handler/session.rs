//! The session of a request, for the extractors that use it.

use std::time::Duration;

use daebus_caller::session::Session;
use daebus_caller::wire::Fault;

use super::context::Context;
use super::failure::Failure;

/// The session of a request. It is among the extensions of the request's context.
#[derive(Debug, Clone)]
pub(crate) struct RequestSession {
    pub(crate) session: Session,
    /// How long a handler waits for an item that the caller may send.
    pub(crate) idle: Duration,
}

/// The code of the refusal of a request that opens no session, for an action that needs one.
pub(crate) const SESSION_REQUIRED: &str = "session_required";

impl RequestSession {
    /// Returns the session of the request.
    pub(super) fn of(cx: &Context) -> Result<&Self, Failure> {
        cx.extensions().get::<Self>().ok_or_else(|| session_required(cx.handler()).into())
    }
}

/// The error of a request that opens no session, for an action that needs one.
pub(crate) fn session_required(action: &str) -> Fault {
    let text = format!(
        "{action} takes or returns a stream: call it with a caller that opens a session, on the channel of an instance"
    );
    Fault::new(SESSION_REQUIRED, text)
}
