//! Services as users write and run them: on a real Redis, as processes, under systemd, and the examples.

#![allow(
    unreachable_pub,
    reason = "services are written as users write them, in a crate that has no other modules"
)]

mod args;
mod attributes;
mod batches;
mod bursts;
mod calls_to_instances;
mod contract;
mod everything;
mod examples;
mod examples_daemon;
mod examples_instances;
mod examples_web;
#[path = "../faults/mod.rs"]
mod faults;
mod gateway_node;
mod hygiene;
mod instances;
mod kiosk_browser;
mod kiosk_outages;
mod late_requests;
mod replies;
mod request_replies;
mod route;
mod service_process;
mod service_redis;
mod sessions;
mod systemd;
mod wait_for_bus;
