//! Return values that can't be sent.

use daebus::prelude::*;

pub struct User;

#[derive(Debug)]
pub struct Oops;

#[action("a")]
async fn not_serialize() -> User {
    User
}

#[action("b")]
async fn not_serialize_in_a_result() -> Result<User, BoxError> {
    Ok(User)
}

#[action("c")]
async fn not_a_fault() -> Result<(), Oops> {
    Err(Oops)
}

fn main() {}
