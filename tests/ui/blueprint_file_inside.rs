//! A module in a file of its own, inside of a blueprint.

use daebus::prelude::*;

#[blueprint("users")]
mod blueprint_file_inside {
    #[daebus::action("a")]
    fn a() {}

    mod users;
}

fn main() {}
