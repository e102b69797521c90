//! WebSockets over TCP, with tungstenite as the client.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attributes;
mod events;
mod frames;
mod limits;
mod peer;
mod push;
mod setup;
mod shutdown;
mod slow;
