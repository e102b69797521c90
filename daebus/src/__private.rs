//! Items for generated code. Not part of the public API, and not stable.

pub use daebus_caller::__private::*;
pub use daebus_macros::check_contract;

pub use crate::blueprint::{
    Blueprint, BlueprintObject, BlueprintPath, HandlerPlace, Mount, OutsideOfBlueprints, Trigger, stands_in,
};
pub use crate::handler::extract::{Argument, argument};
pub use crate::handler::{
    ArgumentSchema, Context, Definition, Endpoint, MakeSchema, Needs, Outcome, Ret, SchemaProbe,
    SchemaProbeFallback, Schemas, Source, ViaNothing, ViaResult, ViaResultStream, ViaStream, ViaValue,
    blocking, kind,
};
pub use crate::tasks::{Overlap, Restart, Schedule, ThreadOptions, on_thread};

/// Items for the generated code of routes.
pub mod route {
    pub use crate::http::route::{
        Answered, PathParameter, Route, RouteArg, RouteRequest, RouteRet, RouteViaNothing, RouteViaResponse,
        RouteViaResult, RouteViaResultResponse, RouteViaResultStream, RouteViaStream, RouteViaUnit,
        RouteViaValue, argument, parameter,
    };
}

/// Detects by its type, not by its name, whether an argument is an extractor that affects generated callers.
#[derive(Debug)]
pub struct ArgumentProbe<T>(std::marker::PhantomData<T>);

impl<T> ArgumentProbe<crate::Payload<T>> {
    /// `true` for [`Payload`](crate::Payload).
    pub const IS_PAYLOAD: bool = true;

    /// Returns the type of the payload, to compare it with that of an event.
    pub const fn taken() -> TakenPayload<T> {
        TakenPayload(std::marker::PhantomData)
    }
}

#[cfg(feature = "garde")]
impl<T> ArgumentProbe<crate::Valid<T>> {
    /// It is the payload.
    pub const IS_PAYLOAD: bool = true;

    /// Returns the type of the payload, to compare with that of an event.
    pub const fn taken() -> TakenPayload<T> {
        TakenPayload(std::marker::PhantomData)
    }
}

impl<T> ArgumentProbe<crate::Progress<T>> {
    /// `true` for [`Progress`](crate::Progress).
    pub const IS_PROGRESS: bool = true;
}

impl<T> ArgumentProbe<crate::Incoming<T>> {
    /// It is the caller's stream.
    pub const IS_INCOMING: bool = true;
}

impl<T: axum::extract::FromRequest<()>> ArgumentProbe<T> {
    /// `true` for axum's extractors that read the body.
    pub const READS_BODY: bool = true;
}

/// The fallback for all other types.
pub trait ArgumentProbeFallback {
    /// `false` for all other types.
    const IS_PAYLOAD: bool = false;
    /// `false` for all other types.
    const IS_PROGRESS: bool = false;
    /// It isn't.
    const IS_INCOMING: bool = false;
    /// `false` for all other types.
    const READS_BODY: bool = false;

    /// Returns [`NoPayload`], which accepts every event.
    fn taken() -> NoPayload {
        NoPayload
    }
}

impl<T> ArgumentProbeFallback for ArgumentProbe<T> {}

/// The type of a listener's payload.
#[derive(Debug)]
pub struct TakenPayload<T>(std::marker::PhantomData<T>);

/// An argument that isn't the payload.
#[derive(Debug)]
pub struct NoPayload;

/// The payload of an event, or no payload.
#[diagnostic::on_unimplemented(
    message = "the payload of the event is `{T}` in the contract, and this listener takes another type",
    label = "the contract has `{T}`"
)]
pub trait TakesEvent<T> {}

impl<T> TakesEvent<T> for TakenPayload<T> {}

impl<T> TakesEvent<T> for NoPayload {}

/// Compiles if the listener's argument has the type of the contract's event.
pub const fn takes_event<T, A: TakesEvent<T>>(_: daebus_caller::contract::Event<T>, _: &A) {}
