//! What answers the requests of a server, while the service starts and from then on.

use std::sync::OnceLock;

use axum::extract::Request;
use axum::response::Response;

use super::pipeline::Pipeline;
use super::route::canonical;

/// The pipeline that answers while the service starts, and the one that replaces it.
#[derive(Debug)]
pub(super) struct Site {
    starting: Pipeline,
    started: OnceLock<Pipeline>,
}

impl Site {
    pub(super) fn new(starting: Pipeline) -> Self {
        Self { starting, started: OnceLock::new() }
    }

    /// Replaces the pipeline, for requests on existing connections as well. The first one counts.
    pub(super) fn open(&self, pipeline: Pipeline) {
        let _ = self.started.set(pipeline);
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: Request) -> impl Future<Output = Response> + Send + use<> {
        self.started.get().unwrap_or(&self.starting).answer(canonical(request))
    }
}
