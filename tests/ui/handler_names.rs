//! Handlers named like something else that a path may mean: a handler's name stands for a struct as well.

use daebus::prelude::*;

#[action("u8")]
async fn u8() {}

#[action("tokio")]
async fn tokio() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[action("recursive")]
async fn recursive(Payload(count): Payload<u64>) {
    if count > 0 {
        Box::pin(self::recursive(Payload(count - 1))).await;
    }
}

#[blueprint("types")]
#[allow(non_camel_case_types)]
mod types {
    #[allow(unused_imports)]
    use std::fmt as other;
    use super::*;

    pub struct status {}

    mod health {}

    #[action("status")]
    async fn status() {}

    #[action("health")]
    async fn health() {}

    #[action("other")]
    async fn other() {}

    #[action("str")]
    async fn str(_: Payload<String>) -> String {
        String::new()
    }
}

fn main() {
    let _ = blueprint_of!["b"; recursive];
}
