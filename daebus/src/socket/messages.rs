//! Runs the handlers of one client's messages, and queues their answers.

use std::sync::Arc;

use axum::extract::ws::Message;
use bytes::Bytes;
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{Fault, FaultCode, RawJson};
use futures_util::future::BoxFuture;
use tracing::debug;

use super::answers::{deliver, sendable};
use super::client::Client;
use super::close::{Close, cut};
use super::extract::BinaryContent;
use super::frame::{self, ClientMessage, UnreadableFrame};
use super::gateway::{FrameKind, GatewayServer};
use super::server::SocketServer;

use crate::handler::{Context, Endpoint, Envelope, Invocation, JsonOutcome, Report};

/// How much of a message's id log lines have: the client makes it, as long as it likes.
const SHOWN_ID_BYTES: usize = 128;

/// The result of a handler.
pub(super) enum Done {
    /// A message has been handled, and its answer is queued.
    Handled,
    /// The client is let in, with this welcome.
    Joined(Option<Message>),
    /// The client is refused.
    TurnedAway(Close),
}

/// Runs the handlers of one client's messages.
pub(super) struct MessageHandlers<'a> {
    pub(super) server: &'a SocketServer,
    pub(super) client: &'a Client,
}

impl MessageHandlers<'_> {
    /// Runs the `connect` handler and the layers around it. `None` if there is neither.
    pub(super) fn connected(&self) -> Option<BoxFuture<'static, Done>> {
        let handler = Arc::clone(self.server.registry.connect()?);
        let cx = self.event(&handler, "connect");
        let client = self.client.clone();
        let Some(run) = self.admitted(&handler, cx) else {
            let refused = Done::TurnedAway(Close::new(1013, self.overloaded().error()));
            return Some(Box::pin(std::future::ready(refused)));
        };
        Some(Box::pin(async move {
            match run.await {
                Ok(answer) => {
                    let welcome = content(&answer).map(|answer| frame::response(answer, None));
                    Done::Joined(
                        welcome.map(|welcome| sendable(&client, welcome, error_frame(&client, None))),
                    )
                }
                Err(failure) => Done::TurnedAway(Close::new(1008, failure.fault().error())),
            }
        }))
    }

    /// Runs the `disconnect` handler, if there is one. It may wait for its turn, and is never refused.
    pub(super) async fn disconnected(&self) {
        if let Some(handler) = self.server.registry.socket("disconnect") {
            let cx = self.event(handler, "disconnect");
            // No client receives the outcome; a failure is in the log.
            let _ = self.run(handler, cx).await;
        }
    }

    /// Handles a message and queues its answer.
    pub(super) fn message(&self, raw: &Bytes, message: ClientMessage) -> BoxFuture<'static, Done> {
        if let (Some(gateway), Some(kind)) = (&self.server.gateway, FrameKind::of(&message.kind)) {
            let (answer, client) = (gateway.handle(self.client, kind, message), self.client.clone());
            return Box::pin(async move {
                if let Some(answer) = answer.await {
                    deliver(&client, answer, error_frame(&client, None)).await;
                }
                Done::Handled
            });
        }
        let ClientMessage { kind, data, request_id, .. } = message;
        let is_event = matches!(kind.as_str(), "connect" | "disconnect");
        let handler = self.server.registry.socket(&kind);
        let Some(handler) = handler.filter(|_| !is_event || self.server.settings.client_events) else {
            debug!(kind, "no handler for this type of WebSocket message");
            return self.answer(frame::no_handler(&kind, request_id.as_ref()));
        };
        let envelope = self.envelope(RawJson::whole(raw), kind, data, request_id.clone());
        let cx = self.context(handler, Some(envelope));
        self.handle(handler, cx, request_id)
    }

    /// Returns the handler of binary frames.
    pub(super) fn binary_handler(&self) -> Option<&Arc<Endpoint>> {
        self.server.registry.binary_socket()
    }

    /// Handles a binary frame.
    pub(super) fn binary(&self, content: Bytes, handler: &Arc<Endpoint>) -> BoxFuture<'static, Done> {
        let mut cx = self.context(handler, None);
        cx.extensions_mut().insert(BinaryContent(content));
        self.handle(handler, cx, None)
    }

    /// Answers a message that is above the rate limit.
    pub(super) fn limited(&self, content: &Bytes) -> BoxFuture<'static, Done> {
        let window = self.server.settings.window();
        let answer = match ClientMessage::read(content) {
            Ok(message) => {
                let of_call = self
                    .server
                    .gateway
                    .as_ref()
                    .and_then(|_| GatewayServer::rate_limited(&message, frame::whole_seconds(window)));
                of_call.unwrap_or_else(|| frame::rate_limited(window, message.request_id.as_ref()))
            }
            Err(UnreadableFrame::NoType { request_id }) => frame::rate_limited(window, request_id.as_ref()),
            Err(UnreadableFrame::NotJson) => frame::rate_limited(window, None),
        };
        self.answer(answer)
    }

    /// Queues an answer that no handler makes.
    pub(super) fn answer(&self, frame: Message) -> BoxFuture<'static, Done> {
        let client = self.client.clone();
        Box::pin(async move {
            deliver(&client, frame, error_frame(&client, None)).await;
            Done::Handled
        })
    }

    fn handle(
        &self,
        handler: &Arc<Endpoint>,
        cx: Context,
        request_id: Option<RawJson>,
    ) -> BoxFuture<'static, Done> {
        let Some(run) = self.admitted(handler, cx) else {
            return self.answer(frame::error(&self.overloaded(), request_id.as_ref()));
        };
        let client = self.client.clone();
        Box::pin(async move {
            let request_id = request_id.as_ref();
            let answer = match run.await {
                Ok(answer) => content(&answer).map(|answer| frame::response(answer, request_id)),
                Err(failure) => Some(frame::error(failure.fault(), request_id)),
            };
            if let Some(answer) = answer {
                deliver(&client, answer, error_frame(&client, request_id)).await;
            }
            Done::Handled
        })
    }

    /// Returns the context of a handler that runs without a message; its payload is the upgrade's query.
    fn event(&self, handler: &Endpoint, kind: &str) -> Context {
        let data = self.client.upgrade().data();
        let envelope = self.envelope(RawJson::empty_object(), kind.to_owned(), Some(data), None);
        self.context(handler, Some(envelope))
    }

    fn envelope(
        &self,
        raw: RawJson,
        kind: String,
        data: Option<RawJson>,
        request_id: Option<RawJson>,
    ) -> Envelope {
        Envelope::of_frame(self.client.path().into(), raw, kind, data, request_id)
    }

    fn context(&self, handler: &Endpoint, envelope: Option<Envelope>) -> Context {
        let core = Arc::clone(&self.server.core);
        let deadline = Deadline::after(handler.definition.timeout.unwrap_or(self.server.timeout));
        let cx = Context::new(core, handler.definition.name).with_deadline(deadline);
        let cx = match envelope {
            Some(envelope) => cx.with_message(Arc::new(envelope), deadline),
            None => cx,
        };
        let mut cx = cx.with_connection_headers(Arc::clone(&self.client.upgrade().headers));
        cx.extensions_mut().insert(self.client.clone());
        cx
    }

    /// Runs a handler within the service's limits, as an action. `None` if the backlog is full.
    fn admitted(
        &self,
        handler: &Arc<Endpoint>,
        cx: Context,
    ) -> Option<impl Future<Output = JsonOutcome> + Send + 'static> {
        let place = self.server.admit(&handler.definition)?;
        let run = self.run(handler, cx);
        Some(async move {
            let outcome = run.await;
            drop(place);
            outcome
        })
    }

    /// Runs a handler. Boxed: each of the futures around it would otherwise hold it twice.
    fn run(&self, handler: &Arc<Endpoint>, cx: Context) -> BoxFuture<'static, JsonOutcome> {
        let core = &self.server.core;
        let run = Invocation::new(core, "socket", &handler.definition, Report::Reply)
            .limited_by(core.admission.turns());
        run.span().record("client", self.client.id());
        if let Some(id) = cx.message.as_ref().and_then(|message| message.request_id.as_ref()) {
            run.span().record("request_id", cut(id.as_str().trim_matches('"'), SHOWN_ID_BYTES));
        }
        let handler = Arc::clone(handler);
        Box::pin(async move { run.call(&handler, cx).await })
    }

    fn overloaded(&self) -> Fault {
        let fault = format!("{} has too much to do; the message was not handled", self.server.core.service);
        Fault::reserved(FaultCode::Overloaded, fault)
    }
}

/// Returns the frame of an error. The ID of the message is left out if the frame would be larger than the client's queue: an ID
/// may be as large as the answer.
fn error_frame<'a>(client: &'a Client, request_id: Option<&'a RawJson>) -> impl Fn(&Fault) -> Message + 'a {
    move |fault| {
        let error = frame::error(fault, request_id);
        let is_sendable = client.outgoing().checked_size(&error).is_ok();
        if is_sendable { error } else { frame::error(fault, None) }
    }
}

/// Returns the part of an answer that is sent: a handler that returns nothing sends nothing, be it `()` or, as in Python,
/// null.
fn content(answer: &RawJson) -> Option<&RawJson> {
    (!answer.is_nothing() && answer.as_str() != "null").then_some(answer)
}
