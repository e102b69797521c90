//! A framework for background services that communicate over Redis, compatible with services and callers of the Python
//! package [`daebus`](https://pypi.org/project/daebus/).
//!
//! A handler is a function whose arguments are extractors. An attribute defines its trigger, a blueprint groups handlers, and an
//! application mounts blueprints:
//!
//! ```
//! use daebus::prelude::*;
//!
//! #[derive(Serialize, Deserialize)]
//! pub struct GetUser {
//!     pub id: u64,
//! }
//!
//! #[derive(Debug, Serialize, Deserialize, PartialEq)]
//! pub struct User {
//!     pub id: u64,
//!     pub name: String,
//! }
//!
//! #[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
//! pub enum UserError {
//!     #[error("user {id} not found")]
//!     #[fault(status = 404)]
//!     NotFound { id: u64 },
//! }
//!
//! #[blueprint("users")]
//! pub mod users {
//!     use super::*;
//!
//!     /// Answers on the bus.
//!     #[action("get_user")]
//!     pub async fn get_user(
//!         Payload(GetUser { id }): Payload<GetUser>,
//!     ) -> Result<User, UserError> {
//!         if id == 7 {
//!             Ok(User { id, name: "Ada".into() })
//!         } else {
//!             Err(UserError::NotFound { id })
//!         }
//!     }
//!
//!     /// Runs every hour.
//!     #[background("cleanup", 3600)]
//!     async fn cleanup(broadcast: Broadcast) -> Result<(), BoxError> {
//!         broadcast.send("user_events", json!({"type": "cleaned_up"})).await?;
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // An in-process bus, which needs no Redis. In production, use a URL such as
//! // `redis://127.0.0.1:6379`, and `app.run().await`, which runs until a signal.
//! let app = Daebus::new("user_service")
//!     .bus("memory://front-page")
//!     .register(users::blueprint());
//! let service = app.start().await?;
//!
//! let users =
//!     users::Caller::connect("memory://front-page", "user_service").await?;
//! assert_eq!(users.get_user(&GetUser { id: 7 }).await?.name, "Ada");
//! assert!(matches!(
//!     users.get_user(&GetUser { id: 8 }).await,
//!     Err(CallError::Service(UserError::NotFound { id: 8 }))
//! ));
//! service.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Overview
//!
//! | topic | items | chapter of the book |
//! |---|---|---|
//! | starting and stopping an application | [`Daebus`], [`Service`] | [Start] |
//! | attributes of handlers | [`action`](macro@action), [`listen`](macro@listen), [`on_start`](macro@on_start), [`on_stop`](macro@on_stop) | [Handlers] |
//! | arguments of handlers | [the list below](#what-a-handler-may-take), [`Extract`] | [Extractors] |
//! | groups of handlers | [`blueprint`](macro@blueprint), [`blueprint_of!`], [`contract`](macro@contract), [`Blueprint`](struct@Blueprint) | [Blueprints] |
//! | calling a service | [`Caller`], [`Call`], [`CallError`] | [Calling] |
//! | schedules and threads | [`background`](macro@background), [`thread`](macro@thread), [`Tasks`], [`Running`] | [Schedules and threads] |
//! | HTTP | [`route`](macro@route), [`Http`], [`Cors`] | [HTTP] |
//! | WebSockets | [`socket`](macro@socket), [`WebSocket`], [`Client`], [`Sockets`] | [WebSockets] |
//! | multiple instances of a service | [`member_joined`](macro@member_joined), [`Instance`], [`Lease`] | [Scaling out] |
//! | errors that callers receive | [`Fault`](macro@Fault), [`Fault`](struct@Fault) | [Errors] |
//! | layers around handlers | [`layer`](mod@layer) | [Extractors] |
//! | tests | `testing::TestApp`, with the feature `testing` | [Testing] |
//! | messages on the bus | [`caller::wire`] | [The wire protocol] |
//! | migration from the Python package | | [From Python to Rust] |
//!
//! A program that only calls services depends on [`daebus_caller`], which contains no server.
//!
//! # What a handler may take
//!
#![doc = include_str!("docs/extractors.md")]
//!
//! # Features
//!
#![doc = include_str!("docs/features.md")]
//!
//! [Start]: https://github.com/daebus/daebus/blob/main/docs/src/start.md
//! [Handlers]: https://github.com/daebus/daebus/blob/main/docs/src/handlers.md
//! [Extractors]: https://github.com/daebus/daebus/blob/main/docs/src/extractors.md
//! [Blueprints]: https://github.com/daebus/daebus/blob/main/docs/src/blueprints.md
//! [Calling]: https://github.com/daebus/daebus/blob/main/docs/src/calling.md
//! [Schedules and threads]: https://github.com/daebus/daebus/blob/main/docs/src/schedules.md
//! [HTTP]: https://github.com/daebus/daebus/blob/main/docs/src/http.md
//! [WebSockets]: https://github.com/daebus/daebus/blob/main/docs/src/websockets.md
//! [Scaling out]: https://github.com/daebus/daebus/blob/main/docs/src/scaling.md
//! [Errors]: https://github.com/daebus/daebus/blob/main/docs/src/errors.md
//! [Testing]: https://github.com/daebus/daebus/blob/main/docs/src/testing.md
//! [The wire protocol]: https://github.com/daebus/daebus/blob/main/docs/src/protocol.md
//! [From Python to Rust]: https://github.com/daebus/daebus/blob/main/docs/src/python.md

extern crate self as daebus;

mod app;
#[cfg(feature = "args")]
mod args;
mod blueprint;
mod dispatch;
mod error;
mod events;
mod feature;
mod handler;
mod http;
mod introspection;
mod lease;
pub mod prelude;
mod presence;
mod runtime;
mod socket;
mod statistics;
mod tasks;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod __parsers;
#[doc(hidden)]
pub mod __private;

pub use daebus_caller as caller;
pub use daebus_caller::session::SessionError;
pub use daebus_caller::{
    Balance, BoxError, BusError, Call, CallError, Caller, Fault, Instance, InstanceId, Listening, ReplyError,
    Stream, Update, Workflow, WorkflowReply, WorkflowUpdate,
};

#[doc = include_str!("docs/action.md")]
pub use daebus_macros::action;
#[doc = include_str!("docs/background.md")]
pub use daebus_macros::background;
#[doc = include_str!("docs/blueprint.md")]
pub use daebus_macros::blueprint;
#[doc = include_str!("docs/blueprint_of.md")]
pub use daebus_macros::blueprint_of;
#[doc = include_str!("docs/bus_connected.md")]
pub use daebus_macros::bus_connected;
#[doc = include_str!("docs/bus_disconnected.md")]
pub use daebus_macros::bus_disconnected;
#[doc = include_str!("docs/contract.md")]
pub use daebus_macros::contract;
#[doc = include_str!("docs/listen.md")]
pub use daebus_macros::listen;
#[doc = include_str!("docs/member_joined.md")]
pub use daebus_macros::member_joined;
#[doc = include_str!("docs/member_left.md")]
pub use daebus_macros::member_left;
#[doc = include_str!("docs/on_start.md")]
pub use daebus_macros::on_start;
#[doc = include_str!("docs/on_stop.md")]
pub use daebus_macros::on_stop;
#[doc = include_str!("docs/route.md")]
pub use daebus_macros::route;
#[doc = include_str!("docs/socket.md")]
pub use daebus_macros::socket;
#[doc = include_str!("docs/socket_binary.md")]
pub use daebus_macros::socket_binary;
#[doc = include_str!("docs/socket_connect.md")]
pub use daebus_macros::socket_connect;
#[doc = include_str!("docs/socket_disconnect.md")]
pub use daebus_macros::socket_disconnect;
#[doc = include_str!("docs/socket_register.md")]
pub use daebus_macros::socket_register;
#[doc = include_str!("docs/thread.md")]
pub use daebus_macros::thread;
#[doc = include_str!("docs/workflow.md")]
pub use daebus_macros::workflow;

#[cfg(feature = "args")]
pub use args::ServiceArgs;
#[cfg(feature = "args")]
pub use clap;
#[cfg(feature = "garde")]
pub use garde;
#[cfg(feature = "garde")]
pub use handler::extract::Valid;

pub use app::{Attachment, Daebus, Service, run_all};
pub use axum;
pub use blueprint::Blueprint;
pub use error::{Error, Mistake, Result};
pub use events::{EventGuard, EventHandler, Events};
pub use feature::{Feature, FeatureContext, Repeater};
pub use handler::extract::{
    Broadcast, Cache, CacheError, Callers, Dialog, DialogError, Extension, Extract, Incoming, IncomingError,
    Payload, Progress, Request, State,
};
pub use handler::layer::{self, Next};
pub use handler::{Answer, Context, Extensions, Failure, Handler, IntoOutcome, Json, Needs, Outcome, kind};
pub use http::{Assets, Cors, Http, HttpLayer};
pub use lease::Lease;
pub use runtime::{Shutdown, logging};
pub use socket::{
    Access, Client, ClientInfo, Frame, Gateway, Room, SocketError, Sockets, Upgrade, WebSocket, WhenFull,
};
pub use tasks::{
    Misfire, Overlap, Restart, Running, Schedule, ScheduleInfo, TaskEnded, TaskError, TaskHandle, Tasks,
    ThreadInfo, ThreadOptions,
};

/// Blocks the current thread until a future completes. For plain `fn` handlers.
///
/// ```
/// use daebus::prelude::*;
///
/// #[thread("monitor")]
/// fn monitor(running: Running, broadcast: Broadcast) {
///     while running.wait(Duration::from_secs(60)) {
///         let _ = daebus::block_on(broadcast.send("heartbeats", json!({})));
///     }
/// }
/// # let _ = blueprint_of!["monitoring"; monitor];
/// ```
///
/// # Panics
///
/// Panics if called in async code, where the future should be awaited instead, or outside of a tokio runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Handle::current().block_on(future)
}
