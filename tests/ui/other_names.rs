//! Attributes that can't be seen for what they are.

use daebus::prelude::*;
use daebus::{action as answer, listen as hear};

#[blueprint("users")]
mod inside {
    use super::*;
    use daebus::on_start as first;

    #[action("a")]
    fn a() {}

    #[answer("b")]
    fn b() {}

    #[first]
    fn c() {}
}

#[action("a")]
#[hear("b")]
fn outside() {}

#[cfg_attr(all(), action("c"))]
#[listen("d")]
fn conditional() {}

#[listen("e")]
#[cfg_attr(all(), action("f"))]
fn conditional_behind() {}

fn main() {}
