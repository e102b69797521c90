//! The gateway: calls, subscriptions and broadcasts of browsers, within an allow-list.

mod access;
mod allowed;
mod answer;
mod builder;
mod call;
mod feed;
mod fields;
mod hub;
mod reserved;
mod server;
mod visit;

pub use access::Access;
pub use builder::Gateway;
pub(super) use server::{FrameKind, GatewayServer};
