//! `crate = path` on every attribute: this crate doesn't depend on the framework itself.

use daebus_tests_facade::deeper::framework::{
    Blueprint, Caller, Client, Fault, Payload, action, blueprint, blueprint_of, contract,
};
use serde::{Deserialize, Serialize};

/// An enum.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
#[error("no")]
#[fault(crate = ::daebus_tests_facade::deeper::framework)]
pub enum Enum {
    /// With a code of its own.
    #[fault(code = "none", status = 404)]
    No,
}

/// A struct.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
#[error("no")]
#[fault(status = 404, crate = daebus_tests_facade::deeper::framework)]
pub struct Struct;

/// A contract.
#[contract("behind", crate = daebus_tests_facade::deeper::framework)]
pub trait Behind {
    /// Doubles.
    #[action("double")]
    async fn double(number: u64) -> Result<u64, Enum>;
    /// Happens.
    #[event("doubled")]
    fn doubled(number: u64);
}

/// The handlers have the path from the blueprint.
#[blueprint("behind", contract = Behind, crate = daebus_tests_facade::deeper::framework)]
pub mod behind {
    use daebus_tests_facade::deeper::framework::{
        background, listen, on_start, on_stop, route, socket, socket_connect, socket_disconnect,
        socket_register, thread,
    };

    use super::*;

    /// Doubles.
    #[action("double")]
    #[route("/double")]
    pub async fn double(Payload(number): Payload<u64>) -> Result<u64, Enum> {
        number.checked_mul(2).ok_or(Enum::No)
    }

    #[listen("doubled")]
    async fn heard(Payload(number): Payload<u64>) -> Result<(), Struct> {
        if number == 0 { Err(Struct) } else { Ok(()) }
    }

    #[route("/status")]
    async fn status() {}

    #[on_start]
    async fn start() {}

    #[on_stop]
    async fn stop() {}

    #[background("tick", 60, crate = daebus_tests_facade::deeper::framework)]
    async fn tick() {}

    #[thread("monitor")]
    fn monitor() {}

    #[socket("message")]
    async fn message() {}

    #[socket_connect]
    async fn connected(_: Client) {}

    #[socket_disconnect]
    async fn left(_: Client) {}

    #[socket_register]
    async fn registered(_: Client) {}
}

/// Handlers by themselves.
#[must_use]
pub fn collected() -> Blueprint {
    #[action("one", crate = daebus_tests_facade::deeper::framework)]
    async fn one() {}

    blueprint_of!["collected", crate = daebus_tests_facade::deeper::framework; one]
}

/// Both typed callers.
#[must_use]
pub fn callers(caller: Caller) -> (behind::Caller, BehindCaller) {
    (behind::Caller::new(caller.clone()), BehindCaller::new(caller))
}
