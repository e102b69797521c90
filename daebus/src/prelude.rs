//! Everything a service usually needs, in one `use`.

pub use std::time::Duration;

pub use schemars::JsonSchema;
pub use serde::{Deserialize, Serialize};
pub use serde_json::{Value, json};

pub use crate::{
    Blueprint, BoxError, Broadcast, BusError, Call, CallError, Caller, Callers, Daebus, Extension, Fault,
    Json, Payload, Progress, Request, Shutdown, State, Update, action, blueprint, blueprint_of, contract,
    listen, on_start, on_stop,
};
