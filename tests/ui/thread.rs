//! Threads, and what can be said of them.

use daebus::prelude::*;

#[thread]
fn nothing() {}

#[thread(monitor)]
fn name_without_quotes() {}

#[thread("a\0b")]
fn control_character() {}

#[thread("a", auto_start = "false")]
fn quoted_truth() {}

#[thread("a", auto_start)]
fn truth_without_value() {}

#[thread("a", restart = "always")]
fn unknown_restart() {}

#[thread("a", restart = true)]
fn restart_as_truth() {}

#[thread("a", autostart = false)]
fn unknown_argument() {}

#[thread("a")]
#[thread("a")]
fn twice() {}

#[action("a")]
async fn running_elsewhere(running: Running) {
    let _ = running;
}

#[thread("a")]
fn takes_a_request(request: Request) {
    let _ = request;
}

#[blueprint("b")]
mod b {
    use daebus::prelude::*;

    #[thread("a")]
    pub fn one(_running: Running) {}

    #[thread("a")]
    pub async fn two(_running: Running) {}
}

fn main() {}
