//! What generated code may name. Not for people, and not stable.

pub use daebus_caller::__private::*;
pub use daebus_macros::check_contract;

pub use crate::blueprint::{
    Blueprint, BlueprintPath, HandlerPlace, Mount, OutsideOfBlueprints, Trigger, stands_in,
};
pub use crate::handler::extract::{Argument, argument};
pub use crate::handler::{
    ArgumentSchema, Context, Definition, Endpoint, MakeSchema, Needs, Outcome, Ret, SchemaProbe,
    SchemaProbeFallback, Schemas, Source, ViaNothing, ViaResult, ViaValue, blocking, kind,
};
pub use crate::tasks::{Overlap, Restart, Schedule, ThreadOptions, on_thread};

/// What the code of a route may name.
pub mod route {
    pub use crate::http::route::{
        Answered, PathParameter, Route, RouteArg, RouteRequest, RouteRet, RouteViaNothing, RouteViaResponse,
        RouteViaResult, RouteViaResultResponse, RouteViaUnit, RouteViaValue, argument, parameter,
    };
}

/// Tells whether an argument is an extractor that a stub goes by, under whatever name.
#[derive(Debug)]
pub struct ArgumentProbe<T>(std::marker::PhantomData<T>);

impl<T> ArgumentProbe<crate::Payload<T>> {
    /// It is the payload.
    pub const IS_PAYLOAD: bool = true;

    /// Compiles if the payload has the type of the contract's event.
    pub const fn agrees<P, A, E, G>(_: &Agreed<P, A, E, G>)
    where
        T: IsPayload<P>,
    {
    }
}

impl<T> ArgumentProbe<crate::Progress<T>> {
    /// It is the progress.
    pub const IS_PROGRESS: bool = true;
}

impl<T: axum::extract::FromRequest<()>> ArgumentProbe<T> {
    /// One of axum's extractors that read the body.
    pub const READS_BODY: bool = true;
}

/// The answer for every other type.
pub trait ArgumentProbeFallback {
    /// It isn't.
    const IS_PAYLOAD: bool = false;
    /// It isn't.
    const IS_PROGRESS: bool = false;
    /// `false` for all other types.
    const READS_BODY: bool = false;

    /// Other arguments have nothing to do with an event's type.
    fn agrees<P, A, E, G>(_: &Agreed<P, A, E, G>) {}
}

impl<T> ArgumentProbeFallback for ArgumentProbe<T> {}
