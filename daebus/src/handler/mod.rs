//! A handler: the context it runs in, its extractors, the layers around it, and how it is run.

mod about;
mod admission;
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
mod hook;
mod identity;
mod invoke;
mod items;
pub mod kind;
pub mod layer;
mod outcome;
mod reply;
mod schema_probe;
mod schemas;
mod session;
mod state;
mod turn;

pub(crate) use self::core::Core;
pub(crate) use about::About;
pub(crate) use admission::Admission;
pub use answer::Answer;
pub use blocking::blocking;
pub(crate) use blocking::blocking_in_flight;
pub use context::Context;
pub(crate) use context::{HttpRequest, first_headers};
pub use definition::{Definition, Source};
pub use endpoint::Endpoint;
pub(crate) use envelope::{Envelope, UnreadableRequest};
pub use extensions::Extensions;
pub use failure::Failure;
pub(crate) use hook::run_hook;
pub(crate) use identity::Identity;
pub(crate) use invoke::{Invocation, Report, handler_span};
pub(crate) use items::Items;
pub(crate) use outcome::JsonOutcome;
pub use outcome::{
    Handler, IntoOutcome, Json, Outcome, Ret, ViaNothing, ViaResult, ViaResultStream, ViaStream, ViaValue,
};
pub(crate) use reply::{Replier, ReplyAddress};
pub use schema_probe::{SchemaProbe, SchemaProbeFallback};
pub use schemas::{ArgumentSchema, MakeSchema, Schemas};
pub(crate) use session::{RequestSession, session_required};
pub use state::Needs;
pub(crate) use state::States;
pub(crate) use turn::current_turn;
