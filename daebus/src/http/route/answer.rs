//! From a function's return value to an answer, by traits through autoref: the generated code calls
//! `(&mut &mut &mut &mut &mut &mut &mut RouteRet(Some(value))).respond()`, and method lookup takes the first of the impls
//! that fits.

use axum::response::IntoResponse;
use daebus_caller::contract::IntoFault;
use daebus_caller::wire::{RawJson, encode};
use futures_util::Stream;
use serde::Serialize;

use super::refusal::{Answered, Refusal};
use crate::handler::{Answer, Failure};

/// A route's return value on its way to a response.
#[derive(Debug)]
pub struct RouteRet<T>(pub Option<T>);

impl<T> RouteRet<T> {
    /// The value; generated code takes it once.
    fn take(&mut self) -> Result<T, Refusal> {
        self.0.take().ok_or_else(|| Failure::internal("a return value was taken twice").into())
    }
}

/// First: a stream of results, sent item by item.
pub trait RouteViaStream {
    /// The response.
    fn respond(&mut self) -> Answered;
}

#[allow(clippy::mut_mut)]
impl<S, T, E> RouteViaStream for &mut &mut &mut &mut &mut &mut RouteRet<S>
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: Serialize,
    E: IntoFault,
{
    fn respond(&mut self) -> Answered {
        Ok(Answer::of_stream(self.take()?))
    }
}

/// Second: a stream of results, or an error before it.
pub trait RouteViaResultStream {
    /// The response.
    fn respond(&mut self) -> Answered;
}

#[allow(clippy::mut_mut)]
impl<S, T, E, F> RouteViaResultStream for &mut &mut &mut &mut &mut RouteRet<Result<S, F>>
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: Serialize,
    E: IntoFault,
    F: IntoFault,
{
    fn respond(&mut self) -> Answered {
        self.take()?.map(Answer::of_stream).map_err(refusal)
    }
}

/// Third: nothing to say, which is `{}` as on the bus, where axum would send no body.
pub trait RouteViaUnit {
    /// The response.
    fn respond(&mut self) -> Answered;
}

// The nesting is the mechanism: what has one `&mut` less is looked up one step later.
#[allow(clippy::mut_mut)]
impl RouteViaUnit for &mut &mut &mut &mut RouteRet<()> {
    fn respond(&mut self) -> Answered {
        self.take()?;
        Ok(RawJson::empty_object().into())
    }
}

#[allow(clippy::mut_mut)]
impl<E: IntoFault> RouteViaUnit for &mut &mut &mut &mut RouteRet<Result<(), E>> {
    fn respond(&mut self) -> Answered {
        self.take()?.map_err(refusal)?;
        Ok(RawJson::empty_object().into())
    }
}

/// Fourth: what axum can send.
pub trait RouteViaResponse {
    /// The response.
    fn respond(&mut self) -> Answered;
}

#[allow(clippy::mut_mut)]
impl<T: IntoResponse> RouteViaResponse for &mut &mut &mut RouteRet<T> {
    fn respond(&mut self) -> Answered {
        Ok(self.take()?.into_response().into())
    }
}

/// Fifth: what axum can send, or an error that is a fault.
pub trait RouteViaResultResponse {
    /// The response.
    fn respond(&mut self) -> Answered;
}

#[allow(clippy::mut_mut)]
impl<T: IntoResponse, E: IntoFault> RouteViaResultResponse for &mut &mut RouteRet<Result<T, E>> {
    fn respond(&mut self) -> Answered {
        self.take()?.map(|value| value.into_response().into()).map_err(refusal)
    }
}

/// Sixth: a `Result` of something that serializes. Its error has to be a fault; serde could write a whole `Result`,
/// which nobody means.
pub trait RouteViaResult<E> {
    /// The response.
    fn respond(&mut self) -> Answered
    where
        E: IntoFault;
}

impl<T: Serialize, E> RouteViaResult<E> for &mut RouteRet<Result<T, E>> {
    fn respond(&mut self) -> Answered
    where
        E: IntoFault,
    {
        self.take()?.map_err(refusal).and_then(|value| json(&value))
    }
}

/// Seventh: any value that serializes.
pub trait RouteViaValue {
    /// The response.
    fn respond(&mut self) -> Answered;
}

impl<T: Serialize> RouteViaValue for RouteRet<T> {
    fn respond(&mut self) -> Answered {
        json(&self.take()?)
    }
}

/// Last: nothing fits, and the compiler is given the words to say so.
pub trait RouteViaNothing<T> {
    /// The response.
    fn respond(self) -> Answered
    where
        T: RouteAnswer;
}

impl<T> RouteViaNothing<T> for &RouteRet<T> {
    fn respond(self) -> Answered
    where
        T: RouteAnswer,
    {
        Err(Failure::internal("nothing implements `RouteAnswer`").into())
    }
}

/// What a route may return. Nothing implements it: it is there for its message.
#[diagnostic::on_unimplemented(
    message = "a route can't return `{Self}`",
    note = "return `()`, a value that derives `Serialize`, anything that implements axum's `IntoResponse`, or a `Result` of \
            one of these with an error that derives `Fault`"
)]
pub trait RouteAnswer {}

fn refusal<E: IntoFault>(error: E) -> Refusal {
    let internal_reason = error.internal_reason();
    Failure::new(error.into_fault(), internal_reason).into()
}

fn json<T: Serialize>(value: &T) -> Answered {
    let json = encode(value)
        .map_err(|error| Failure::internal(format!("the answer can't be written as JSON: {error}")))?;
    Ok(json.into())
}
