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

    #[cfg_attr(all(), action("d"))]
    fn d() {}
}

#[action("a")]
#[hear("b")]
fn outside() {}

/// Not a mistake: outside of a blueprint the compiler deals with the `cfg_attr` first.
#[listen("e")]
#[cfg_attr(all(), action("f"))]
fn conditional_behind() {}

fn main() {}
