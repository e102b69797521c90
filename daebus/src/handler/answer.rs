//! The answer of a handler, as layers see it.

use std::fmt;

use axum::response::Response;
use daebus_caller::contract::IntoFault;
use daebus_caller::wire::RawJson;
use futures_util::Stream;
use serde::Serialize;

use super::failure::Failure;
use super::items::{Items, encoded};

/// The answer of a handler: JSON, a stream of JSON items, or an HTTP response.
///
/// Actions and sockets answer with JSON, and actions that return a stream with its items, which layers can't see. Routes answer with JSON if their value is serialized, and with an HTTP response if
/// axum sends the value: a `String`, a `Redirect`, a stream. A layer may replace one by the other on a route; an HTTP response
/// of a layer around an action or a socket is answered with `internal`.
///
/// ```
/// use daebus::{Context, Next, Outcome, layer};
///
/// /// Warns about large answers.
/// async fn measure(cx: Context, next: Next) -> Outcome {
///     let handler = cx.handler().to_owned();
///     let answer = next.run(cx).await?;
///     // An HTTP response is sent piece by piece, and has no length yet.
///     let bytes = answer.json().map_or(0, |json| json.as_str().len());
///     if bytes > 1_000_000 {
///         eprintln!("{handler} answers with {bytes} bytes");
///     }
///     Ok(answer)
/// }
///
/// let users = daebus::Blueprint::new("users").layer(layer::from_fn(measure));
/// # let _ = users;
/// ```
pub struct Answer(Body);

enum Body {
    Json(RawJson),
    Items(Items),
    /// Boxed, since a response is large and most answers are JSON.
    Http(Box<Response>),
}

impl Answer {
    /// Returns the JSON of the answer. `None` if it is an HTTP response.
    pub fn json(&self) -> Option<&RawJson> {
        match &self.0 {
            Body::Json(json) => Some(json),
            Body::Items(_) | Body::Http(_) => None,
        }
    }

    /// Returns the HTTP response. `None` if the answer is JSON.
    pub fn http(&self) -> Option<&Response> {
        match &self.0 {
            Body::Http(response) => Some(response),
            Body::Json(_) | Body::Items(_) => None,
        }
    }

    /// Returns the HTTP response, to change its headers for example. `None` if the answer is JSON.
    pub fn http_mut(&mut self) -> Option<&mut Response> {
        match &mut self.0 {
            Body::Http(response) => Some(response),
            Body::Json(_) | Body::Items(_) => None,
        }
    }

    /// Returns the JSON for a peer that receives nothing else.
    pub(crate) fn into_json(self) -> Result<RawJson, Failure> {
        match self.0 {
            Body::Json(json) => Ok(json),
            Body::Items(_) => Err(Failure::internal("a stream can only be sent in a session")),
            Body::Http(_) => {
                Err(Failure::internal("a layer answered with an HTTP response, which only routes can send"))
            }
        }
    }

    /// Creates the answer that is a stream of items.
    pub(crate) fn of_stream<S, T, E>(items: S) -> Self
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: IntoFault,
    {
        Self(Body::Items(encoded(items)))
    }

    /// Returns the stream of items, or the answer if it is none.
    pub(crate) fn into_items(self) -> Result<Items, Self> {
        match self.0 {
            Body::Items(items) => Ok(items),
            body => Err(Self(body)),
        }
    }

    /// Returns the HTTP response; `write` makes one of JSON, and `send` one of a stream.
    pub(crate) fn into_response(
        self,
        write: impl FnOnce(&RawJson) -> Response,
        send: impl FnOnce(Items) -> Response,
    ) -> Response {
        match self.0 {
            Body::Json(json) => write(&json),
            Body::Items(items) => send(items),
            Body::Http(response) => *response,
        }
    }
}

impl From<RawJson> for Answer {
    fn from(json: RawJson) -> Self {
        Self(Body::Json(json))
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self(Body::Http(Box::new(response)))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Body::Json(json) => f.debug_tuple("Json").field(json).finish(),
            Body::Items(_) => f.write_str("Items"),
            Body::Http(response) => f.debug_tuple("Http").field(&response.status()).finish(),
        }
    }
}
