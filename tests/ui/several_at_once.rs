//! Every mistake of one item, in one build; and nothing else, although others name what it promised.

use daebus::prelude::*;

#[blueprint("users")]
mod users {
    use super::*;

    #[action("$x", timeout = 2, concurency = 3)]
    #[listen("daebus:x")]
    pub async fn get_user<T>(&self, query: &str, _: Payload<u8>, _: Payload<u8>) {}

    #[action("create_user", timeout = "soon")]
    pub async fn create_user(Payload(name): Payload<String>) -> String {
        name
    }
}

fn main() {
    let _ = users::blueprint();
    let _ = users::Caller::create_user;
    let _ = blueprint_of!["users"; users::create_user];
}
