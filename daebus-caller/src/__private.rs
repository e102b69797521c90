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

pub use agreement::{same_answer, same_error, same_payload, same_progress};

/// A blueprint's types against its contract's, one trait each, so that a difference reads as what it is.
mod agreement {
    use crate::contract::Action;

    macro_rules! same {
        ($($function:ident $trait:ident $part:ident $what:literal;)*) => {$(
            #[diagnostic::on_unimplemented(
                message = "the contract has another type here: its $what is `{T}`, and this handler's is `{Self}`",
                label = "`{T}` in the contract"
            )]
            pub trait $trait<T> {}

            impl<T> $trait<T> for T {}

            /// Compiles when the handler's type is the contract's.
            pub const fn $function<A: Action, T: $trait<A::$part>>(_: fn() -> A) {}
        )*};
    }

    same! {
        same_payload IsPayload Payload "payload";
        same_answer IsAnswer Answer "answer";
        same_error IsError Error "error";
        same_progress IsProgress Progress "progress";
    }
}
