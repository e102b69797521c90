//! What else an action says.

use daebus::prelude::*;

#[action("a", timout = "2s")]
async fn unknown() {}

#[action("a", timeout = "2s", timeout = "3s")]
async fn doubled() {}

#[action("a", timeout = 2)]
async fn number_for_a_time() {}

#[action("a", timeout = "2 parsecs")]
async fn unknown_unit() {}

#[action("a", timeout = "30")]
async fn no_unit() {}

#[action("a", timeout)]
async fn no_value() {}

#[action("a", concurrency = 0)]
async fn nothing_at_once() {}

#[action("a", concurrency = "4")]
async fn text_for_a_number() {}

#[action("a", concurrency = -1)]
async fn negative() {}

#[action("a", idempotent = true)]
async fn flag_with_a_value() {}

#[action("a", answer)]
async fn no_type() {}

#[action("a" timeout = "2s")]
async fn no_comma() {}

fn main() {}
