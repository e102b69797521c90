//! What a handler's signature can't have.

use daebus::prelude::*;

#[action("a")]
async fn lifetime<'a>(_: Payload<&'a str>) {}

#[action("b")]
async fn type_parameter<T>(_: Payload<T>)
where
    T: Send,
{
}

#[action("c")]
async fn const_parameter<const N: usize>(_: Payload<[u8; N]>) {}

#[action("d")]
async fn impl_trait(_: impl Into<String>) {}

#[action("e")]
async fn reference(_: &str) {}

#[action("f")]
unsafe fn not_safe() {}

#[action("g")]
extern "C" fn foreign() {}

#[action("h")]
async fn two_payloads(_: Payload<u8>, _: Payload<u16>) {}

#[action("i")]
async fn conditional(#[cfg(unix)] _: Payload<u8>) {}

struct Users;

impl Users {
    #[action("j")]
    async fn by_reference(&mut self, _: Payload<u8>) {}

    #[action("k")]
    async fn by_value(self) {}
}

fn main() {
    let _ = Users;
}
