//! A handler: the context it runs in, its extractors, the layers around it, and how it is run.

mod context;
mod core;
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

pub(crate) use self::core::Core;
pub use context::Context;
pub use endpoint::{Endpoint, Source};
pub(crate) use endpoint::{InFlight, InFlightGuard};
pub(crate) use envelope::{Envelope, Unreadable};
pub use extensions::Extensions;
pub use failure::Failure;
pub use invoke::blocking;
pub(crate) use invoke::{Turn, blocking_in_flight, current_turn, run_guarded, words};
pub use outcome::{Handler, IntoOutcome, Json, Outcome, Ret, ViaNothing, ViaResult, ViaValue};
pub(crate) use reply::Replier;
pub use state::Needs;
pub(crate) use state::States;
