//! The name of an action.

use daebus::prelude::*;

#[action]
async fn missing() {}

#[action(get_user)]
async fn without_quotes() {}

#[action(7)]
async fn number() {}

const NAME: &str = "get_user";

#[action(crate::NAME)]
async fn constant() {}

#[action("")]
async fn empty() {}

#[action("$stats")]
async fn reserved() {}

#[action("a\nb")]
async fn control() {}

#[action("a", "b")]
async fn two() {}

#[action("a")]
#[action("a")]
async fn twice() {}

fn main() {
    let _ = NAME;
}
