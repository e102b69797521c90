//! A handler: the context it runs in, its extractors, the layers around it, and how it is run.

mod answer;
mod blocking;
mod context;
mod core;
mod definition;
mod endpoint;
mod envelope;
mod extensions;
pub(crate) mod extract;
mod failure;
mod invoke;
pub mod kind;
pub mod layer;
mod outcome;
mod reply;
mod state;
mod turn;

pub(crate) use self::core::Core;
pub use answer::Answer;
pub use blocking::blocking;
pub(crate) use blocking::blocking_in_flight;
pub use context::Context;
pub(crate) use context::HttpRequest;
pub use definition::{Definition, Source};
pub use endpoint::Endpoint;
pub(crate) use envelope::{Envelope, UnreadableRequest};
pub use extensions::Extensions;
pub use failure::Failure;
pub(crate) use invoke::{Invocation, Report, handler_span};
pub(crate) use outcome::JsonOutcome;
pub use outcome::{Handler, IntoOutcome, Json, Outcome, Ret, ViaNothing, ViaResult, ViaValue};
pub(crate) use reply::Replier;
pub use state::Needs;
pub(crate) use state::States;
pub(crate) use turn::current_turn;
