//! From a function's return value to an outcome, and from a plain function to a handler.

use std::future::Future;

use axum::extract::FromRequest;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use daebus_caller::contract::IntoFault;
use daebus_caller::wire::{RawJson, encode};

use super::answer::Answer;
use super::context::Context;
use super::extract::Extract;
use super::failure::Failure;
use super::state::Needs;

/// The result of a handler: the answer, or why there is none.
pub type Outcome = Result<Answer, Failure>;

/// The result of a handler whose peer receives JSON only.
pub(crate) type JsonOutcome = Result<RawJson, Failure>;

/// Wraps a value that a handler of a hand-written blueprint returns; with attributes values need no wrapping. On a route
/// it is the JSON body as well.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: Serialize> Serialize for Json<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// As axum's own `Json`: the body and its content type.
impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// As an argument of a route it is axum's own `Json`: the body, whatever the method.
impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = JsonRejection;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, JsonRejection> {
        axum::Json::from_request(request, state).await.map(|axum::Json(value)| Self(value))
    }
}

/// What a handler of a hand-written blueprint may return: `()`, [`Json`], or a `Result` of something to serialize.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be returned by a handler of a hand-written blueprint",
    note = "return `()`, `Json(value)`, or a `Result<T, E>` whose error derives `Fault`"
)]
pub trait IntoOutcome {
    /// The outcome.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        answer(&())
    }
}

impl<T: Serialize> IntoOutcome for Json<T> {
    fn into_outcome(self) -> Outcome {
        answer(&self)
    }
}

impl<T: Serialize, E: IntoFault> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => answer(&value),
            Err(error) => {
                let internal_reason = error.internal_reason();
                Err(Failure::new(error.into_fault(), internal_reason))
            }
        }
    }
}

fn answer<T: Serialize>(value: &T) -> Outcome {
    encode(value)
        .map(Answer::from)
        .map_err(|error| Failure::internal(format!("the answer can't be written as JSON: {error}")))
}

/// A function that a hand-written blueprint can mount: up to eight extractors, async, `()` or `Result` or [`Json`].
pub trait Handler<K, Args>: Clone + Send + Sync + 'static {
    /// What its arguments need when the service starts.
    fn needs(needs: &mut Needs);

    /// Extracts the arguments and calls the function.
    fn call(self, cx: Context) -> BoxFuture<'static, Outcome>;
}

macro_rules! impl_handler {
    ($($arg:ident),*) => {
        #[allow(non_snake_case, unused_mut, unused_variables)]
        impl<K, F, Fut, R, $($arg),*> Handler<K, ($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: IntoOutcome,
            $($arg: Extract<K> + Send + 'static,)*
        {
            fn needs(needs: &mut Needs) {
                $($arg::needs(needs);)*
            }

            fn call(self, mut cx: Context) -> BoxFuture<'static, Outcome> {
                Box::pin(async move {
                    $(let $arg = $arg::extract(&mut cx).await?;)*
                    drop(cx);
                    self($($arg),*).await.into_outcome()
                })
            }
        }
    };
}

impl_handler!();
impl_handler!(A);
impl_handler!(A, B);
impl_handler!(A, B, C);
impl_handler!(A, B, C, D);
impl_handler!(A, B, C, D, E);
impl_handler!(A, B, C, D, E, G);
impl_handler!(A, B, C, D, E, G, H);
impl_handler!(A, B, C, D, E, G, H, I);

/// A handler's return value on its way to an [`Outcome`], told apart by traits through autoref: the generated code
/// calls `(&mut &mut &mut &mut &mut Ret(Some(value))).reply()`, and method lookup takes the first trait that fits.
#[derive(Debug)]
pub struct Ret<T>(pub Option<T>);

impl<T> Ret<T> {
    /// The value; generated code takes it once.
    fn take(&mut self) -> Result<T, Failure> {
        self.0.take().ok_or_else(|| Failure::internal("a return value was taken twice"))
    }
}

/// First: a `Result` of a stream of results.
pub trait ViaResultStream {
    /// The outcome.
    fn reply(&mut self) -> Outcome;
}

#[allow(clippy::mut_mut)]
impl<S, T, E, F> ViaResultStream for &mut &mut &mut &mut Ret<Result<S, F>>
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: Serialize,
    E: IntoFault,
    F: IntoFault,
{
    fn reply(&mut self) -> Outcome {
        match self.take()? {
            Ok(items) => Ok(Answer::of_stream(items)),
            Err(error) => Err::<(), F>(error).into_outcome(),
        }
    }
}

/// Second: a stream of results.
pub trait ViaStream {
    /// The outcome.
    fn reply(&mut self) -> Outcome;
}

#[allow(clippy::mut_mut)]
impl<S, T, E> ViaStream for &mut &mut &mut Ret<S>
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: Serialize,
    E: IntoFault,
{
    fn reply(&mut self) -> Outcome {
        Ok(Answer::of_stream(self.take()?))
    }
}

/// Third: a `Result` whose value serializes and whose error is a fault.
pub trait ViaResult {
    /// The outcome.
    fn reply(&mut self) -> Outcome;
}

// The nesting is the mechanism: what has one `&mut` less is looked up one step later.
#[allow(clippy::mut_mut)]
impl<T: Serialize, E: IntoFault> ViaResult for &mut &mut Ret<Result<T, E>> {
    fn reply(&mut self) -> Outcome {
        self.take()?.into_outcome()
    }
}

/// Fourth: any value that serializes.
pub trait ViaValue {
    /// The outcome.
    fn reply(&mut self) -> Outcome;
}

impl<T: Serialize> ViaValue for &mut Ret<T> {
    fn reply(&mut self) -> Outcome {
        answer(&self.take()?)
    }
}

/// Last: nothing fits, and the compiler is given the words to say so. The bound is the method's: were it the impl's,
/// the compiler would say that there is no such method.
pub trait ViaNothing<T> {
    /// The outcome.
    fn reply(&mut self) -> Outcome
    where
        T: Reply;
}

impl<T> ViaNothing<T> for Ret<T> {
    fn reply(&mut self) -> Outcome
    where
        T: Reply,
    {
        self.take()?.outcome()
    }
}

/// What a handler may return. Nothing implements it: it is there for its message.
#[diagnostic::on_unimplemented(
    message = "a handler can't return `{Self}`",
    note = "return `()`, a value that derives `Serialize`, or a `Result` of one with an error that derives `Fault`",
    note = "a stream is `impl Stream<Item = Result<T, E>>`",
    note = "`BoxError` as the error reaches the caller as `internal`"
)]
pub trait Reply {
    /// The outcome.
    fn outcome(self) -> Outcome;
}
