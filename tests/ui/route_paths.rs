//! Paths that can't be, and arguments that don't go with them.

use daebus::prelude::*;

#[route("users")]
async fn no_slash() {}

#[route("/users/{id}")]
async fn braces(id: u64) {}

#[route("/users/<id>.json")]
async fn not_a_whole_piece(id: u64) {}

#[route("/users/<user_id>")]
async fn another_name(user_ids: u64) {}

#[route("/users/<id>/posts/<post>")]
async fn no_argument(id: u64) {}

#[route("/<path..>/x")]
async fn rest_in_the_middle(path: String) {}

#[route("/users", method = ["POST"])]
async fn unknown_key() {}

#[route("/users", methods = ["post", "POSTS", 7])]
async fn methods() {}

#[route("/users", methods = ["GET", "POST", "GET"])]
async fn same_method() {}

#[route("/users", methods = "POST")]
async fn not_a_list() {}

#[route("/users", status = 404)]
async fn not_a_success() {}

#[route("/users", concurrency = 0)]
async fn no_run() {}

#[route("/users", cancel_on_disconnect = "no")]
async fn not_a_truth() {}

#[route("/users", layer)]
async fn no_layer() {}

#[route(users)]
async fn no_quotes() {}

#[route("/twice")]
#[route("/twice", methods = ["POST"])]
async fn twice() {}

fn main() {}
