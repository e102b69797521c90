//! The types and attributes that most services use.
//!
//! ```
//! use daebus::prelude::*;
//! ```

pub use std::time::Duration;

pub use axum::http::HeaderMap;
pub use schemars::JsonSchema;
pub use serde::{Deserialize, Serialize};
pub use serde_json::{Value, json};

#[cfg(feature = "garde")]
pub use crate::Valid;
pub use crate::{
    Balance, Blueprint, BoxError, Broadcast, BusError, Cache, Call, CallError, Caller, Callers, Client, Cors,
    Daebus, Dialog, Events, Extension, Fault, Http, Incoming, Instance, Json, Payload, Progress, Request,
    Running, Shutdown, Sockets, State, Stream, Tasks, Update, WebSocket, WorkflowUpdate, action, background,
    blueprint, blueprint_of, bus_connected, bus_disconnected, contract, listen, member_joined, member_left,
    on_start, on_stop, route, socket, socket_binary, socket_connect, socket_disconnect, socket_register,
    thread, workflow,
};
