//! Channels, and what takes no arguments.

use daebus::prelude::*;

#[listen]
async fn missing() {}

#[listen("daebus:members:users")]
async fn reserved() {}

#[listen("__keyspace@0__:x")]
async fn of_redis() {}

#[listen("a", concurrent = 8)]
async fn old_name() {}

#[listen("a", concurrency = 0)]
async fn nothing_at_once() {}

#[listen("a.*")]
#[listen("a.*")]
async fn twice() {}

#[on_start("now")]
async fn name() {}

#[on_stop(timeout = "2s")]
async fn key() {}

#[on_start]
#[on_start]
async fn start_twice() {}

#[member_joined("users")]
async fn of_a_service(_: Instance) {}

#[member_left]
#[member_left]
async fn left_twice(_: Instance) {}

#[bus_connected(singleton)]
async fn connected() {}

#[listen("a", singleton = true)]
async fn singleton_with_value() {}

fn main() {}
