//! The page, compiled into the program. `Http::assets("web/")` would serve a folder instead, without a build after each
//! change of the page.

use daebus::axum::http::header::CONTENT_TYPE;
use daebus::axum::response::{Html, IntoResponse};
use daebus::prelude::*;

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

pub(crate) fn blueprint() -> Blueprint {
    blueprint_of!["page"; index, script, style]
}
