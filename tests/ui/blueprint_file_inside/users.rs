#[daebus::action("b")]
fn b() {}
