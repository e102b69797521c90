//! From a client's message to a handler, and from what comes of it to a frame.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::RawJson;
use futures_util::future::BoxFuture;
use tracing::debug;

use super::client::Client;
use super::frame::{self, Frame};
use super::server::SocketServer;

use crate::handler::{Context, Endpoint, Envelope, Invocation, JsonOutcome, Report};

/// What came of a handler.
pub(super) enum Done {
    /// What the client is to be sent, if anything.
    Answer(Option<Utf8Bytes>),
    /// The client may come in, with these words if there are any.
    Joined(Option<Utf8Bytes>),
    /// It may not, for this reason.
    TurnedAway(String),
}

/// Has the messages of one client handled.
pub(super) struct MessageHandlers<'a> {
    pub(super) server: &'a SocketServer,
    pub(super) client: &'a Client,
}

impl MessageHandlers<'_> {
    /// The `connect` handler. `None`: there is none.
    pub(super) fn connected(&self) -> Option<BoxFuture<'static, Done>> {
        let run = self.event("connect")?;
        Some(Box::pin(async move {
            match run.await {
                Ok(answer) => Done::Joined(said(&answer).map(|answer| frame::response(answer, None))),
                Err(failure) => Done::TurnedAway(failure.fault().error().to_owned()),
            }
        }))
    }

    /// The `disconnect` handler, if there is one.
    pub(super) async fn disconnected(&self) {
        if let Some(run) = self.event("disconnect") {
            // There is nobody to tell what came of it; a failure is in the log.
            let _ = run.await;
        }
    }

    /// The handler of a message, or that there is none.
    pub(super) fn message(&self, raw: &Bytes, frame: Frame) -> BoxFuture<'static, Done> {
        let Frame { kind, data, request_id } = frame;
        let Some(handler) = self.server.registry.socket(&kind).cloned() else {
            debug!(kind, "no handler for this type of WebSocket message");
            let answer = frame::no_handler(&kind, request_id.as_ref());
            return Box::pin(std::future::ready(Done::Answer(Some(answer))));
        };
        let path = self.client.path().into();
        let envelope = Envelope::of_frame(path, RawJson::whole(raw), kind, data, request_id.clone());
        let run = self.run(handler, envelope);
        Box::pin(async move {
            Done::Answer(match run.await {
                Ok(answer) => said(&answer).map(|answer| frame::response(answer, request_id.as_ref())),
                Err(failure) => Some(frame::error(failure.fault(), request_id.as_ref())),
            })
        })
    }

    /// What fires by itself; its data is the upgrade's query.
    fn event(&self, kind: &str) -> Option<impl Future<Output = JsonOutcome> + Send + 'static> {
        let handler = self.server.registry.socket(kind).cloned()?;
        let data = self.client.upgrade().data();
        let path = self.client.path().into();
        let envelope = Envelope::of_frame(path, data.clone(), kind.to_owned(), Some(data), None);
        Some(self.run(handler, envelope))
    }

    fn run(
        &self,
        handler: Arc<Endpoint>,
        envelope: Envelope,
    ) -> impl Future<Output = JsonOutcome> + Send + 'static {
        let core = Arc::clone(&self.server.core);
        let client = self.client.clone();
        let run = Invocation::new(&core, "socket", &handler.definition, Report::Reply);
        run.span().record("client", client.id());
        if let Some(id) = &envelope.request_id {
            run.span().record("request_id", id.as_str().trim_matches('"'));
        }
        let deadline = Deadline::after(handler.definition.timeout.unwrap_or(self.server.timeout));
        async move {
            let mut cx = Context::new(core, handler.definition.name)
                .with_message(Arc::new(envelope), deadline)
                .with_connection_headers(Arc::clone(&client.upgrade().headers));
            cx.extensions_mut().insert(client);
            run.call(&handler, cx).await
        }
    }
}

/// What is worth sending: a handler that returns nothing sends nothing, be it `()` or, as in Python, null.
fn said(answer: &RawJson) -> Option<&RawJson> {
    (!answer.is_nothing() && answer.as_str() != "null").then_some(answer)
}
