//! A payload that can't be read.

use daebus::prelude::*;

pub struct GetUser;

#[action("a")]
async fn unreadable(_: Payload<GetUser>) {}

fn main() {
    let _ = GetUser;
}
