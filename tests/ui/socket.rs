//! WebSocket messages.

use daebus::prelude::*;

#[socket]
async fn missing() {}

#[socket("")]
async fn empty() {}

#[socket(chat_message)]
async fn unquoted() {}

#[socket("a", timeout = 2, concurrent = 8)]
async fn arguments() {}

#[socket_connect("now")]
async fn name() {}

#[socket_disconnect(every = "2s")]
async fn key() {}

#[socket("connect")]
#[socket_connect]
async fn twice() {}

#[socket_binary("now")]
async fn named() {}

#[socket_binary]
#[socket_binary]
async fn binary_twice() {}

#[socket_binary]
async fn payload(payload: Payload<u8>) {}

#[socket("b")]
async fn progress(progress: Progress<u8>) {}

#[action("c")]
async fn no_client(client: Client) {}

#[blueprint("d")]
mod two {
    use daebus::prelude::*;

    #[socket("register")]
    pub async fn first() {}

    #[socket_register]
    pub async fn second() {}

    #[socket_binary]
    pub async fn third() {}

    #[socket_binary]
    pub async fn fourth() {}
}

fn main() {}
