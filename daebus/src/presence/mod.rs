//! Presence: this instance among the instances of its service.
//!
//! `membership` is the interface for other modules, and `state` is shared by the parts of this one. `join` announces the
//! instance, `keeper` keeps it present, `door` is the subscription to the service's channel, `members` are the other instances,
//! and `hooks` reports changes to the application.

mod door;
mod hooks;
mod join;
mod keeper;
mod members;
mod membership;
mod pace;
mod state;
mod step;
mod taken;
mod when_available;

pub(crate) use hooks::Hooks;
pub(crate) use membership::Membership;
pub(crate) use state::{PresencePhase, refuses_writes};
pub(crate) use taken::Taken;
pub(crate) use when_available::{Join, when_available};
