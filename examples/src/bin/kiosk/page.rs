//! The page, compiled into the program. `Http::assets("web/")` serves a folder instead, which is handier while one works
//! on the page; this way the program is all there is to install.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use daebus::axum::http::header::CONTENT_TYPE;
use daebus::axum::response::{Html, IntoResponse};
use daebus::prelude::*;

/// Where the WebSockets are, known once the service has started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door(Arc<OnceLock<Option<SocketAddr>>>);

impl Door {
    pub(crate) fn is_at(&self, address: Option<SocketAddr>) {
        self.0.get_or_init(|| address);
    }
}

#[route("/")]
async fn index() -> Html<&'static str> {
    Html(include_str!("web/index.html"))
}

#[route("/app.js")]
async fn script() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("web/app.js"))
}

#[route("/style.css")]
async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("web/style.css"))
}

/// Where the page connects to: a port of its host. `null` is the page's own.
#[route("/api/socket")]
async fn socket_port(State(Door(address)): State<Door>) -> Value {
    json!({"port": address.get().copied().flatten().map(|address| address.port())})
}

pub(crate) fn blueprint() -> Blueprint {
    blueprint_of!["page"; index, script, style, socket_port]
}
