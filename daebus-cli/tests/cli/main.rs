//! The program `daebus` as a process, on a real Redis, with real services.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure here is a failed test")]

mod calls;
mod channels;
mod failures;
mod listing;
mod program;
mod python;
mod server;
mod service;
mod top;
