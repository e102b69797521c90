//! Call [Daebus] services, and talk and listen on the bus, without being a service.
//!
//! A service answers *actions* on a channel of its own name, over Redis or Valkey pub/sub or within one process. A
//! [`Caller`] asks it, and an action is as good as a function: it has a payload, an answer, an error, and progress on
//! the way. The Python package `daebus` speaks the same protocol, so either side may be written in it.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use std::time::Duration;
//!
//! use daebus_caller::{CallError, Caller};
//! use serde_json::{Value, json};
//!
//! // `redis://127.0.0.1:6379` is the usual one; `memory://NAME` is a bus within this process.
//! let caller = Caller::connect("memory://front-page", "user_service").await?;
//!
//! // A call is a value until it is awaited.
//! let call = caller.send_request::<Value>("get_user", json!({"id": 7})).timeout(Duration::from_millis(200)).header("tenant", "a");
//! match call.await {
//!     Ok(user) => println!("{user}"),
//!     Err(CallError::NoService { service }) => println!("{service} isn't running"),
//!     Err(error) => println!("{error}"),
//! }
//!
//! // Broadcasts, to any channel and from any that a pattern matches.
//! let mut alerts = caller.listen::<Value>("alerts.*").await?;
//! let receivers = caller.send_message("alerts.fire", &json!({"room": 12})).await?;
//! assert_eq!(receivers, 1);
//! assert_eq!(alerts.next().await, Some(json!({"room": 12})));
//!
//! caller.close().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a call can come to is in [`CallError`]; [`CallError::is_not_run`] says whether calling again can do a thing
//! twice, and [`Call::retry`] acts on it. Every wait has a bound: 5 s for an answer unless said otherwise, and never
//! longer than what is left of the handler that makes the call. A call that is dropped before its end is taken back.
//!
//! | module | what is in it |
//! |---|---|
//! | [`caller`] | [`Caller`], [`Call`] and what they give |
//! | [`bus`] | the bus itself: publish, subscribe, a few keys; in process or on Redis |
//! | [`wire`] | what is said on the bus, as data |
//! | [`mod@contract`] | what a service and its callers agree on |
//! | [`error`] | [`CallError`] and [`BusError`] |
//!
//! The book's chapters on [calling] and on [the wire protocol] say more.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `redis` (default) | the bus on Redis and Valkey; without it, contracts, callers and the in-process bus build without a driver |
//! | `tls` | `rediss://`, `rediss-sentinel://` and `rediss-cluster://`, through rustls; implies `redis` |
//! | `blocking` | callers for programs without a runtime |
//!
//! [Daebus]: https://docs.rs/daebus
//! [calling]: https://github.com/daebus/daebus/blob/main/docs/src/calling.md
//! [the wire protocol]: https://github.com/daebus/daebus/blob/main/docs/src/protocol.md

extern crate self as daebus_caller;

mod backoff;
#[cfg(feature = "blocking")]
pub mod blocking;
pub mod bus;
pub mod caller;
pub mod contract;
pub mod error;
mod left_runs;
mod number_map;
#[doc(hidden)]
pub mod session;
pub mod wire;

#[doc(hidden)]
pub mod __private;

/// The Redis driver, for the client that [`Bus::redis`] returns, with the stability that is stated there.
#[cfg(feature = "redis")]
pub use fred;

pub use bus::Bus;
#[doc(hidden)]
pub use caller::Link;
pub use caller::{
    Answered, Balance, Call, Caller, EachCall, Job, Listening, ReplyError, Retry, StreamCall, Streaming,
    Update, Updates, Workflow, WorkflowReply, WorkflowUpdate, deadline, trace,
};
pub use error::{BusError, CallError};
pub use futures_util::Stream;
pub use wire::{Fault, Instance, InstanceId, InstanceState};

#[doc = include_str!("docs/fault.md")]
pub use daebus_macros::Fault;
#[doc = include_str!("docs/contract.md")]
pub use daebus_macros::contract;

/// Any error, as handlers return it that don't say more: it reaches the caller as `internal`.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
