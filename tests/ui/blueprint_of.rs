//! Handlers collected by name.

use daebus::prelude::*;

#[action("a")]
fn a() {}

fn plain() {}

fn main() {
    let _ = blueprint_of![];
    let _ = blueprint_of!["users", a];
    let _ = blueprint_of!["users";];
    let _ = blueprint_of![""; a];
    let _ = blueprint_of!["users"; a, a];
    let _ = blueprint_of!["users"; plain];
    plain();
}
