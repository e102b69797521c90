//! Arguments that can't be taken out of a message.

use daebus::prelude::*;

struct GetUser;

#[action("a")]
async fn not_wrapped(query: GetUser) {}

#[listen("b")]
async fn progress_of_a_broadcast(_: Payload<u8>, _: Progress<u8>) {}

#[on_start]
async fn payload_of_nothing(_: Payload<u8>) {}

fn main() {
    let _ = GetUser;
}
