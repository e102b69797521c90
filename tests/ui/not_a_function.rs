//! Attributes on what is no function.

use daebus::prelude::*;

#[action("a")]
pub struct User;

#[on_start]
const ONE: u8 = 1;

#[listen("a")]
mod inner {}

#[contract("a")]
struct NoTrait;

#[blueprint("a")]
fn no_module() {}

trait Service {
    #[action("b")]
    async fn declared();
}

fn main() {
    let _ = ONE;
}
