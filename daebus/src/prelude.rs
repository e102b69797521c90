//! Everything a service usually needs, in one `use`.

pub use std::time::Duration;

pub use axum::http::HeaderMap;
pub use schemars::JsonSchema;
pub use serde::{Deserialize, Serialize};
pub use serde_json::{Value, json};

pub use crate::{
    Blueprint, BoxError, Broadcast, BusError, Cache, Call, CallError, Caller, Callers, Cors, Daebus, Events,
    Extension, Fault, Http, Json, Payload, Progress, Request, Running, Shutdown, State, Tasks, Update,
    action, background, blueprint, blueprint_of, contract, listen, on_start, on_stop, route, thread,
};
