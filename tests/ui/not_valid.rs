//! Payloads that can't be validated.

use daebus::prelude::*;

#[derive(Deserialize)]
pub struct GetUser;

#[action("a")]
async fn not_validated(_: Valid<GetUser>) {}

#[route("/b")]
async fn not_validated_over_http(_: Valid<GetUser>) {}

#[action("c")]
async fn two_payloads(_: Payload<u8>, _: Valid<u8>) {}

fn main() {
    let _ = GetUser;
}
