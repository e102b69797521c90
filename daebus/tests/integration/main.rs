//! The public API of the crate, on the in-process bus and on real sockets.

#![allow(
    unreachable_pub,
    reason = "services are written as users write them, in a crate that has no other modules"
)]

mod answer;
mod api;
mod cache;
mod drain;
mod errors;
mod events;
mod features;
mod handlers;
mod http;
mod http_connections;
mod http_cross_origin;
mod http_layers;
mod http_limits;
mod http_paths;
mod http_runs;
mod http_server;
mod incidents;
mod instances;
mod intake;
mod introspection;
mod layers;
mod layers_http;
mod listener_limits;
mod listeners;
mod logs;
mod macro_rules;
mod methods;
mod schedule_delays;
mod schedules;
mod schedules_added;
mod sessions;
mod socket;
mod start;
mod testing;
mod testing_http;
mod thread_log;
mod threads;
mod trace;
mod valid;
