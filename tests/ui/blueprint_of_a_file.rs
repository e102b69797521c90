//! A module without a body, and arguments of a blueprint.

use daebus::prelude::*;

#[blueprint("users")]
#[path = "blueprint_of_a_file/users.rs"]
mod users;

#[blueprint("users", contrakt = Users)]
mod misspelt {
    #[daebus::action("a")]
    fn a() {}
}

fn main() {}
