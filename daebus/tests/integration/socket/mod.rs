//! WebSockets over TCP, with tungstenite as the client.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attributes;
mod bounds;
mod events;
mod frames;
mod gateway;
mod gateway_abuses;
mod gateway_setup;
mod limits;
mod peer;
mod push;
mod rooms;
mod setup;
mod shutdown;
mod slow;
