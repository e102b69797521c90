//! `Client`, `Sockets`, `Frame` and `Bytes` as arguments.

use std::collections::BTreeMap;

use bytes::Bytes;
use daebus_caller::wire::{RawJson, read_message};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Client, Sockets};
use crate::handler::extract::Extract;
use crate::handler::kind::{Kind, Socket, SocketBinary};
use crate::handler::{Context, Failure, Needs};

impl Extract<Socket> for Client {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        client(cx)
    }
}

impl Extract<SocketBinary> for Client {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        client(cx)
    }
}

fn client(cx: &Context) -> Result<Client, Failure> {
    let client = cx.extensions().get::<Client>().cloned();
    client.ok_or_else(|| Failure::internal("no client reached this handler"))
}

impl<K: Kind> Extract<K> for Sockets {
    fn needs(needs: &mut Needs) {
        needs.web_socket();
    }

    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        cx.state::<Self>().cloned().ok_or_else(|| Failure::internal("no WebSocket is attached"))
    }
}

/// The content of the binary frame that a [`socket_binary`](macro@crate::socket_binary) handler answers.
#[derive(Debug, Clone)]
pub(super) struct BinaryContent(pub(super) Bytes);

impl Extract<SocketBinary> for Bytes {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let content = cx.extensions().get::<BinaryContent>().cloned();
        content
            .map(|content| content.0)
            .ok_or_else(|| Failure::internal("no binary frame reached this handler"))
    }
}

/// The top-level fields of a client's frame, beside `type` and `data`.
///
/// ```
/// use daebus::prelude::*;
/// use daebus::Frame;
///
/// /// `{"type": "move", "data": {…}, "game": 7}`
/// #[socket("move")]
/// async fn play(Payload(play): Payload<Value>, frame: Frame) -> Result<u64, Fault> {
///     frame.get("game").ok_or_else(|| Fault::new("no_game", "the field `game` is missing or is no number"))
/// }
/// # let _ = blueprint_of!["games"; play];
/// ```
///
/// In `connect` and `disconnect` handlers, which run without a frame, it has no fields.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    kind: String,
    fields: BTreeMap<String, RawJson>,
}

impl Frame {
    /// Returns the type of the frame.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns a field. `None` if the frame doesn't have it, or if it can't be read as `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.fields.get(name)?.as_str()).ok()
    }

    /// Returns the names of the fields, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }
}

impl Extract<Socket> for Frame {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let Some(message) = &cx.message else { return Ok(Self::default()) };
        let kind = message.action.as_deref().unwrap_or_default().to_owned();
        let fields = read_message(message.raw.as_bytes(), |text, json| {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
            let others = fields.into_iter().filter(|(name, _)| name != "type" && name != "data");
            Ok(others.map(|(name, value)| (name, RawJson::slice_of(text, value))).collect())
        });
        // A frame that reaches a handler has been read before.
        Ok(Self { kind, fields: fields.unwrap_or_default() })
    }
}
