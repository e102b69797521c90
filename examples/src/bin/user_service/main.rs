//! Two blueprints in their own files, `users` and `auth`: actions, HTTP, WebSockets, tokens, hashed passwords.
//!
//! ```text
//! cargo run -p daebus-examples --bin user_service        # Redis on this machine, or DAEBUS_URL
//! curl localhost:8080/api/users -H 'content-type: application/json' \
//!     -d '{"email": "ada@example.com", "name": "Ada", "password": "analytical"}'
//! curl localhost:8080/api/auth/login -d email=ada@example.com -d password=analytical
//! curl localhost:8080/api/auth/me -H 'authorization: Bearer <the token>'
//! ```
//!
//! The user `user@example.com` with the password `password` exists at startup. A WebSocket client connects to
//! `ws://localhost:8080/ws?token=<the token>`. `DAEBUS_HTTP` and `DAEBUS_WS` set other addresses; `127.0.0.1:0` selects a
//! free port, which is logged.

mod auth;
mod users;

use daebus::prelude::*;
use tracing::info;

#[on_start]
async fn initialize() {
    info!("Application starting...");
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("user_service")
        .bus(daebus_examples::bus_url()?)
        .state(users::Users::with_one()?)
        .register(users::blueprint().prefix("/api"))
        .register(auth::blueprint().prefix("/api/auth"))
        .register(blueprint_of!["application"; initialize])
        .attach(daebus_examples::http()?)
        .attach(daebus_examples::web_socket()?)
        .run()
        .await
}
