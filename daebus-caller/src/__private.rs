//! What generated code may name. Not for people, and not stable.

pub use ::core;
pub use ::serde_json::Value;
pub use ::std;

pub use crate::caller::{Call, Caller, Listening};
pub use crate::contract::{Action, Event, FromFault, IntoFault, chain, error_of, fault_of};
pub use crate::error::{BusError, CallError};
pub use crate::wire::Fault;

/// Tells whether a type is a `Result` under whatever name: an inherent constant beats the trait's.
#[derive(Debug)]
pub struct Probe<T>(std::marker::PhantomData<T>);

impl<T, E> Probe<Result<T, E>> {
    /// It is.
    pub const IS_RESULT: bool = true;
}

/// The answer for every other type.
pub trait ProbeFallback {
    /// It isn't.
    const IS_RESULT: bool = false;
}

impl<T> ProbeFallback for Probe<T> {}

/// Takes a `Result` apart that is spelled some other way, `io::Result<T>` for example.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is called a Result, but isn't the standard library's",
    note = "say what the caller gets: #[action(\"…\", answer = …, error = …)]"
)]
pub trait ResultTypes {
    /// What it is when all went well.
    type Answer;
    /// What it is otherwise.
    type Error;
}

impl<T, E> ResultTypes for Result<T, E> {
    type Answer = T;
    type Error = E;
}
