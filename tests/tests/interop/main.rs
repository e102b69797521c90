//! Interoperation with the Python package `daebus`, in both directions.

#![allow(
    unreachable_pub,
    reason = "services are written as users write them, in a crate that has no other modules"
)]

mod calls;
mod instances;
mod introspection;
mod load;
mod service;
mod web;
mod wire_behaviours;
