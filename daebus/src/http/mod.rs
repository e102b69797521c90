//! HTTP: what an application attaches to be reached by browsers and by curl.
//!
//! axum routes a request to a generated closure, which calls the function; the bus is not involved. [`Plan`] checks
//! everything that can be wrong before the service starts, [`Server`] answers connections.

mod activity;
mod assets;
mod builder;
mod connection;
mod cors;
mod cross_origin;
mod early_body;
mod endpoint;
mod fallback;
mod items;
mod layer;
mod limits;
mod method_not_allowed;
mod pipeline;
mod places;
mod plan;
mod preflights;
mod probes;
mod problem;
mod request_checks;
pub(crate) mod route;
mod routing_table;
mod server;
mod site;

pub use assets::Assets;
pub use builder::Http;
pub use cors::Cors;
pub(crate) use cross_origin::{Ports, is_host};
pub(crate) use endpoint::RouteRuntime;
pub(crate) use layer::AnyHttpLayer;
pub use layer::HttpLayer;
pub(crate) use plan::Plan;
pub(crate) use probes::Metrics;
pub(crate) use problem::problem;
pub(crate) use routing_table::PathService;
pub(crate) use server::Server;
