//! What is known about a client, to be shown.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;
use serde_json::Value;

/// What is known about a client, as it was at one moment; times in seconds, points in time since 1970.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClientInfo {
    /// Its id.
    pub id: String,
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// The path it connected to.
    pub path: String,
    /// When it connected.
    pub connected_at: f64,
    /// For how long it has been connected.
    pub uptime_seconds: f64,
    /// When a message last came from it or left for it.
    pub last_activity: f64,
    /// For how long no message has.
    pub idle_seconds: f64,
    /// How many messages it has sent.
    pub messages_in: u64,
    /// How many messages it was sent.
    pub messages_out: u64,
    /// How many messages it was never sent, since it didn't keep up.
    pub dropped: u64,
    /// The application's own attributes.
    pub attributes: BTreeMap<String, Value>,
}
