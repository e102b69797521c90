//! Flask-like background services that talk over Redis, to each other, and to Python.

extern crate self as daebus;

mod answer;
mod app;
#[cfg(feature = "args")]
mod args;
mod blueprint;
mod clock;
mod context;
mod endpoint;
mod envelope;
mod error;
mod events;
mod extensions;
mod extract;
mod feature;
mod guard;
mod handler;
mod http;
pub mod layer;
mod log_on_change;
pub mod logging;
mod panics;
mod plan;
pub mod prelude;
mod readiness;
mod registry;
mod reply;
mod route;
mod schedule;
mod shutdown;
mod socket;
mod state;
mod task_error;
mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
mod threads;
mod workers;

#[doc(hidden)]
pub mod __private;

pub use daebus_caller as caller;
pub use daebus_caller::{BoxError, BusError, Call, CallError, Caller, Fault, Listening, Update};

#[doc = include_str!("docs/action.md")]
pub use daebus_macros::action;
#[doc = include_str!("docs/background.md")]
pub use daebus_macros::background;
#[doc = include_str!("docs/blueprint.md")]
pub use daebus_macros::blueprint;
#[doc = include_str!("docs/blueprint_of.md")]
pub use daebus_macros::blueprint_of;
#[doc = include_str!("docs/contract.md")]
pub use daebus_macros::contract;
#[doc = include_str!("docs/listen.md")]
pub use daebus_macros::listen;
#[doc = include_str!("docs/on_start.md")]
pub use daebus_macros::on_start;
#[doc = include_str!("docs/on_stop.md")]
pub use daebus_macros::on_stop;
#[doc = include_str!("docs/route.md")]
pub use daebus_macros::route;
#[doc = include_str!("docs/socket.md")]
pub use daebus_macros::socket;
#[doc = include_str!("docs/socket_connect.md")]
pub use daebus_macros::socket_connect;
#[doc = include_str!("docs/socket_disconnect.md")]
pub use daebus_macros::socket_disconnect;
#[doc = include_str!("docs/socket_register.md")]
pub use daebus_macros::socket_register;
#[doc = include_str!("docs/thread.md")]
pub use daebus_macros::thread;

#[cfg(feature = "args")]
pub use args::ServiceArgs;
#[cfg(feature = "args")]
pub use clap;

pub use app::{Attachment, Daebus, Service};
pub use axum;
pub use blueprint::Blueprint;
pub use context::{Context, Failure, kind};
pub use error::{Error, Result};
pub use events::{EventGuard, EventHandler, Events};
pub use extensions::Extensions;
pub use extract::{
    Broadcast, Cache, CacheError, Callers, Extension, Extract, Payload, Progress, Request, State,
};
pub use feature::{Feature, FeatureContext, Repeater};
pub use handler::{Handler, IntoOutcome, Json, Outcome};
pub use http::{Cors, Http};
pub use layer::Next;
pub use plan::{Overlap, Restart, Schedule, ThreadOptions};
pub use schedule::ScheduleInfo;
pub use shutdown::Shutdown;
pub use socket::{Client, ClientInfo, SocketError, Sockets, Upgrade, WebSocket, WhenFull};
pub use state::Needs;
pub use task_error::TaskError;
pub use tasks::{TaskEnded, TaskHandle, Tasks};
pub use threads::{Running, ThreadInfo};

/// Runs a future from a plain `fn` handler, waiting for it on this thread.
///
/// # Panics
///
/// When called from async code, which would block the runtime: there the future is simply awaited. And outside of any
/// tokio runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Handle::current().block_on(future)
}
