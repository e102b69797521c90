use serde::de::DeserializeOwned;

use daebus_caller::wire::{Fault, FaultCode, PayloadError, RawJson, decode_message, decode_payload};

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::{Action, Listen, Socket, Workflow};

/// The payload of the message, deserialized as `T`. An argument of actions, listeners, routes and socket handlers.
///
/// A request whose payload can't be deserialized is answered with `invalid_payload` and a message that contains the field and
/// the reason; a broadcast is logged and dropped.
///
/// ```
/// use daebus::prelude::*;
///
/// #[derive(Deserialize)]
/// struct Transfer {
///     from: u64,
///     to: u64,
///     amount: f64,
/// }
///
/// #[action("transfer")]
/// async fn transfer(
///     Payload(Transfer { from, to, amount }): Payload<Transfer>,
/// ) -> String {
///     format!("{amount} from {from} to {to}")
/// }
/// # let _ = blueprint_of!["accounts"; transfer];
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Payload<T>(pub T);

impl<T: DeserializeOwned> Extract<Action> for Payload<T> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        decode_payload(cx.payload().map(RawJson::as_str)).map(Payload).map_err(|error| invalid(&error))
    }
}

impl<T: DeserializeOwned> Extract<Workflow> for Payload<T> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        <Self as Extract<Action>>::extract(cx).await
    }
}

impl<T: DeserializeOwned> Extract<Listen> for Payload<T> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        decode_message(cx.payload().map_or("null", RawJson::as_str))
            .map(Payload)
            .map_err(|error| invalid(&error))
    }
}

impl<T: DeserializeOwned> Extract<Socket> for Payload<T> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        // A missing `data` is read as `{}`. As in requests, null is read as `{}` if `T` doesn't accept null.
        let (data, else_read) = match cx.payload().map(RawJson::as_str) {
            None => ("{}", "null"),
            Some("null") => ("null", "{}"),
            Some(data) => (data, data),
        };
        decode_message(data)
            .or_else(|error| decode_message(else_read).map_err(|_| error))
            .map(Payload)
            .map_err(|error| invalid(&error))
    }
}

fn invalid(error: &PayloadError) -> Failure {
    Fault::reserved(FaultCode::InvalidPayload, format!("the payload can't be read: {error}")).into()
}
