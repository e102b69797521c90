//! Presence: this instance among the instances of its service.
//!
//! `membership` is what other modules use, `state` is what its parts share. `join` announces the instance, `keeper` keeps it
//! present, `door` is the subscription to the service's channel, `members` are the other instances, `hooks` reports changes
//! to the application.

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
