//! The result of a route's handler.

use axum::response::Response;

use crate::handler::{Answer, Failure};

/// The result of a route's handler.
pub type Answered = Result<Answer, Refusal>;

/// Why a route's handler has no answer.
#[derive(Debug)]
pub enum Refusal {
    /// One of ours: what the peer is told, and what only the log is told.
    Failure(Failure),
    /// A response that says it already, of one of axum's extractors for example.
    Response(Box<Response>),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}
