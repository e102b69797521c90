//! A contract that can't be one.

use daebus::prelude::*;

#[contract("user_service")]
pub trait Users {
    #[action("get_user")]
    async fn with_self(&self, id: u64) -> u64;

    #[action("b")]
    async fn with_a_body(id: u64) -> u64 {
        id
    }

    async fn without_attribute(id: u64) -> u64;

    #[action("c")]
    fn not_async(id: u64) -> u64;

    #[action("d")]
    async fn unnamed_fields(id: u64, (first, last): (String, String));

    #[event("two_events")]
    fn two_payloads(id: u64, name: String);

    #[action("e")]
    async fn borrowed(name: &str) -> &'static str;

    #[action("f")]
    async fn generic<T>(name: T) -> impl Serialize;

    #[action("$ping")]
    async fn reserved();

    #[action("g", timeout = "2s")]
    async fn of_a_handler();

    #[action("h")]
    async fn first();

    #[action("h")]
    async fn of_another_type(id: u64);

    #[action("h")]
    async fn of_the_same_type();

    #[event("own_name")]
    fn caller(event: u8);

    #[event("same_constant")]
    fn User_event(event: u8);

    #[action("i")]
    async fn connect();

    #[event("user.*")]
    fn pattern(event: u8);

    #[event("user_events")]
    async fn answered(event: u8) -> u8;

    #[event("user_events")]
    fn silent();

    #[event("user_events")]
    fn user_event(event: u8);

    #[event("user_events")]
    #[action("j")]
    fn both(event: u8);

    #[event("created")]
    fn created(event: u8);

    #[action("k")]
    async fn on_created();

    #[action("l")]
    async fn on_deleted();

    #[event("deleted")]
    fn deleted(event: u8);

    const SERVICE: &'static str;
}

#[contract]
pub trait Unnamed {
    #[action("a")]
    async fn a();
}

#[contract("users.responses")]
pub trait Reserved {
    #[action("a")]
    async fn a();
}

#[contract("empty")]
pub unsafe trait Empty<T>: Send {}

fn main() {
    // The caller is there all the same, with what can be made of it.
    let _ = UsersCaller::reserved;
    let _ = UnnamedCaller::a;
}
