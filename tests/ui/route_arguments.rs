//! Arguments and return values that a route can't have.

use daebus::axum::extract::Json as AxumJson;
use daebus::prelude::*;

pub struct User;

#[derive(Debug)]
pub struct Oops;

#[route("/a")]
async fn not_in_the_path(id: u64) {}

#[route("/b/<user>")]
async fn not_from_str(user: User) {}

#[route("/c", methods = ["POST"])]
async fn two_bodies(_: Payload<u8>, _: AxumJson<u8>) {}

#[route("/d")]
async fn progress(_: Progress<u8>) {}

#[route("/e")]
async fn request(_: Request) {}

#[route("/f")]
async fn no_answer() -> User {
    User
}

#[route("/g")]
async fn no_fault() -> Result<String, Oops> {
    Err(Oops)
}

#[route("/h", layer = 7)]
async fn no_layer() {}

fn main() {}
