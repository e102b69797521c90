//! Streams and workflows in places and forms that they can't have.

use daebus::prelude::*;

#[action("two")]
async fn two(first: Incoming<u8>, second: Incoming<u8>) {}

#[action("impl_argument")]
async fn impl_argument(items: impl Stream<Item = u8>) {}

#[action("no_results")]
async fn no_results() -> impl Stream<Item = u8> {
    futures_util::stream::empty()
}

#[action("progress")]
async fn progress(items: Incoming<u8>, progress: Progress<u8>) {}

#[listen("channel")]
async fn listens(items: Incoming<u8>) {}

#[socket("message")]
async fn answers() -> impl Stream<Item = Result<u8, BoxError>> {
    futures_util::stream::empty()
}

#[workflow("silent")]
async fn silent(Payload(n): Payload<u8>) -> u8 {
    n
}

#[workflow("streams")]
async fn streams(dialog: Dialog) -> impl Stream<Item = Result<u8, BoxError>> {
    futures_util::stream::empty()
}

#[action("asks")]
async fn asks(dialog: Dialog) {}

#[contract("svc")]
trait Contract {
    #[action("add", each)]
    async fn add_all(item: String);
    #[workflow("ask")]
    async fn ask(items: impl Stream<Item = u8>);
    #[action("two")]
    async fn two(first: impl Stream<Item = u8>, second: impl Stream<Item = u8>);
    #[action("items")]
    async fn items() -> impl Stream<Item = u8>;
    #[event("event")]
    fn event(items: impl Stream<Item = u8>);
}

fn main() {}
