//! The response of a route that returns a stream: newline-delimited JSON or server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use daebus_caller::wire::{Fault, RawJson};
use futures_util::{Stream, StreamExt, stream};
use tracing::{debug, error};

use crate::handler::{Core, Items};

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const EVENTS: &str = "text/event-stream";

/// Returns whether a client asks for server-sent events.
pub(super) fn wants_events(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|kind| kind.trim().starts_with(EVENTS)))
}

/// Returns the response. The stream is polled while the client reads it.
pub(super) fn response(core: &Arc<Core>, handler: &'static str, items: Items, as_events: bool) -> Response {
    let items = contained(Arc::clone(core), handler, items);
    if as_events {
        let events = items.map(|item| {
            let event = match item {
                Ok(item) => Event::default().data(line(&item)),
                Err(fault) => Event::default().event("error").data(line(&fault.to_payload())),
            };
            Ok::<_, Infallible>(event)
        });
        return Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    }
    let lines = items.map(|item| {
        let item = item.unwrap_or_else(|fault| fault.to_payload());
        Ok::<_, Infallible>(format!("{}\n", line(&item)))
    });
    ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response()
}

/// The items of a handler's stream. An error or a panic ends it, and is logged.
fn contained(
    core: Arc<Core>,
    handler: &'static str,
    items: Items,
) -> impl Stream<Item = Result<RawJson, Fault>> + Send + 'static {
    stream::unfold(Some(items), move |items| {
        let core = Arc::clone(&core);
        async move {
            let mut items = items?;
            let fault = match core.panics.contain(handler, items.next()).await {
                Ok(None) => return None,
                Ok(Some(Ok(item))) => return Some((Ok(item), Some(items))),
                Ok(Some(Err(failure))) => {
                    match failure.internal_reason() {
                        Some(reason) => error!(handler, reason, "handler failed"),
                        None => debug!(handler, error = %failure.fault(), "handler returned an error"),
                    }
                    failure.fault().clone()
                }
                Err(panic) => {
                    error!(handler, %panic, "handler panicked in its stream");
                    Fault::internal()
                }
            };
            Some((Err(fault), None))
        }
    })
}

/// JSON on one line: a line break can only stand between tokens.
fn line(json: &RawJson) -> String {
    json.as_str().replace(['\n', '\r'], " ")
}
