//! What generated code may name. Not for people, and not stable.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use ::core;
pub use ::serde;
pub use ::serde_json::Value;
pub use ::std;

pub use crate::backoff::{Backoff, jitter};
pub use futures_util::Stream;

pub use crate::caller::{Answered, Call, Caller, EachCall, Listening, StreamCall, Streaming, Workflow};
pub use crate::contract::{Action, Event, FromFault, IntoFault, chain, error_of, fault_of};
pub use crate::error::{BusError, CallError};
pub use crate::left_runs::LeftRuns;
pub use crate::number_map::NumberMap;
pub use crate::wire::Fault;

/// Returns how many codes the lists have.
pub const fn count(lists: &[&[&str]]) -> usize {
    let (mut total, mut at) = (0, 0);
    while at < lists.len() {
        total += lists[at].len();
        at += 1;
    }
    total
}

/// Concatenates lists of codes. `N` is their [`count`].
pub const fn concat<const N: usize>(lists: &[&[&'static str]]) -> [&'static str; N] {
    let mut all = [""; N];
    let (mut total, mut list) = (0, 0);
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            all[total] = lists[list][at];
            total += 1;
            at += 1;
        }
        list += 1;
    }
    all
}

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

/// The types in a `Result` that is spelled some other way, `io::Result<T>` for example. `IS_RESULT` is that of [`Probe`]: a
/// type that isn't a `Result` has types too, so that the assertion about its spelling is the only error.
#[derive(Debug)]
pub struct Parts<T, const IS_RESULT: bool>(std::marker::PhantomData<T>);

/// The answer and error types of a stub method.
pub trait ResultTypes {
    /// The answer.
    type Answer;
    /// The handler's error.
    type Error;
}

impl<T, E> ResultTypes for Parts<Result<T, E>, true> {
    type Answer = T;
    type Error = E;
}

impl<T> ResultTypes for Parts<T, false> {
    type Answer = Value;
    type Error = Fault;
}

/// The answer of a stub method. `IS_RESULT` is that of [`Probe`] for a type that isn't spelled as a `Result`. A `Result` under
/// another name needs no `Deserialize`, so that the assertion about its spelling is the only error.
#[diagnostic::on_unimplemented(
    message = "the typed caller can't receive the answer `{Self}`",
    label = "not `Deserialize`, or not `Send`",
    note = "derive `Deserialize` for it, or name the type that callers receive: `#[action(\"…\", answer = T)]`",
    note = "`#[blueprint(\"…\", caller = false)]` generates no typed caller"
)]
pub trait StubAnswer<const IS_RESULT: bool>: Sized {
    /// Makes the call of the stub method.
    fn call<E: FromFault, P: StubProgress, Q: StubPayload + ?Sized>(
        caller: &Caller,
        action: &'static str,
        payload: &Q,
        idempotent: bool,
    ) -> Call<Self, E, P>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + Send + 'static> StubAnswer<false> for T {
    fn call<E: FromFault, P: StubProgress, Q: StubPayload + ?Sized>(
        caller: &Caller,
        action: &'static str,
        payload: &Q,
        idempotent: bool,
    ) -> Call<Self, E, P> {
        caller.__call(action, payload, idempotent)
    }
}

impl<T, E> StubAnswer<true> for Result<T, E> {
    fn call<F: FromFault, P: StubProgress, Q: StubPayload + ?Sized>(
        _: &Caller,
        _: &'static str,
        _: &Q,
        _: bool,
    ) -> Call<Self, F, P> {
        unreachable!("the assertion about the spelling refuses to compile this stub")
    }
}

/// The payload of a stub method.
#[diagnostic::on_unimplemented(
    message = "the typed caller can't send the payload `{Self}`",
    label = "not `Serialize`",
    note = "derive `Serialize` for it, or name the type that callers send: `#[action(\"…\", payload = T)]`",
    note = "`#[blueprint(\"…\", caller = false)]` generates no typed caller"
)]
pub trait StubPayload: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> StubPayload for T {}

/// The progress of a stub method.
#[diagnostic::on_unimplemented(
    message = "the typed caller can't receive the progress `{Self}`",
    label = "not `Deserialize`, or not `Send`",
    note = "derive `Deserialize` for it, or name the type that callers receive: `#[action(\"…\", progress = T)]`",
    note = "`#[blueprint(\"…\", caller = false)]` generates no typed caller"
)]
pub trait StubProgress: DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + Send + 'static> StubProgress for T {}

/// Tells whether a type can be the error of a handler.
#[derive(Debug)]
pub struct ErrorProbe<T>(std::marker::PhantomData<T>);

impl<T: IntoFault> ErrorProbe<T> {
    /// It can.
    pub const IS_FAULT: bool = true;
}

/// The answer for every other type.
pub trait ErrorProbeFallback {
    /// It can't.
    const IS_FAULT: bool = false;
}

impl<T> ErrorProbeFallback for ErrorProbe<T> {}

/// What an error is once it has travelled. `IS_FAULT` is that of [`ErrorProbe`]: an error that a handler can't have is
/// reported where the handler returns it, and a stub method with it is no second error.
pub trait StubError<const IS_FAULT: bool> {
    /// The error that a typed caller receives.
    type Remote: FromFault;
}

impl<T: IntoFault> StubError<true> for T {
    type Remote = T::Remote;
}

impl<T> StubError<false> for T {
    type Remote = Fault;
}

/// The payload of an action that also takes a stream of `T`, where a contract and its blueprint are compared.
#[derive(Debug)]
pub struct WithItems<P, T>(std::marker::PhantomData<(P, T)>);

/// The answer of an action that returns a stream of `T`, where a contract and its blueprint are compared.
#[derive(Debug)]
pub struct StreamOf<T>(std::marker::PhantomData<T>);

/// The answer of a workflow, where a contract and its blueprint are compared.
#[derive(Debug)]
pub struct WorkflowAnswer<T>(std::marker::PhantomData<T>);

/// Compiles if a type can be the error of a handler.
pub const fn is_error<T: IntoFault>() {}

pub use agreement::{Agreed, IsAnswer, IsError, IsPayload, IsProgress, agreed};

/// A blueprint's types against its contract's. A trait for each part, so that a difference reads as what it is.
mod agreement {
    use std::marker::PhantomData;

    use crate::contract::Action;

    /// What a contract says about one action. Methods, because then the compiler knows the contract's types before it
    /// looks at the handler's, and reports the latter as the ones that differ.
    #[derive(Debug)]
    pub struct Agreed<P, A, E, G>(PhantomData<(P, A, E, G)>);

    /// Looks it up by the contract's own function, `Users::<KEY>`.
    pub const fn agreed<A: Action>(_: fn() -> A) -> Agreed<A::Payload, A::Answer, A::Error, A::Progress> {
        Agreed(PhantomData)
    }

    impl<P, A, E, G> Agreed<P, A, E, G> {
        /// Compiles when the handler takes the contract's payload.
        pub const fn payload<T: IsPayload<P>>(&self) {}
        /// Compiles when the handler gives the contract's answer.
        pub const fn answer<T: IsAnswer<A>>(&self) {}
        /// Compiles when the handler fails with the contract's error.
        pub const fn error<T: IsError<E>>(&self) {}
        /// Compiles when the handler sends the contract's progress.
        pub const fn progress<T: IsProgress<G>>(&self) {}
    }

    /// The same type.
    #[diagnostic::on_unimplemented(
        message = "the payload is `{T}` in the contract, and `{Self}` in this handler",
        label = "the contract has `{T}`"
    )]
    pub trait IsPayload<T> {}
    impl<T> IsPayload<T> for T {}

    /// The same type.
    #[diagnostic::on_unimplemented(
        message = "the answer is `{T}` in the contract, and `{Self}` in this handler",
        label = "the contract has `{T}`"
    )]
    pub trait IsAnswer<T> {}
    impl<T> IsAnswer<T> for T {}

    /// The same type.
    #[diagnostic::on_unimplemented(
        message = "the error is `{T}` in the contract, and reaches the caller as `{Self}` from this handler",
        label = "the contract has `{T}`"
    )]
    pub trait IsError<T> {}
    impl<T> IsError<T> for T {}

    /// The same type.
    #[diagnostic::on_unimplemented(
        message = "the progress is `{T}` in the contract, and `{Self}` in this handler",
        label = "the contract has `{T}`",
        note = "`Value` stands for no progress at all"
    )]
    pub trait IsProgress<T> {}
    impl<T> IsProgress<T> for T {}
}
