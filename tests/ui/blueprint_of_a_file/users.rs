//! The module in a file of its own.

#[daebus::action("a")]
fn a() {}
