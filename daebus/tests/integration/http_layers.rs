//! Tower layers around the routes of a blueprint and around one route.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use daebus::axum::extract::Request as HttpRequest;
use daebus::axum::http::{HeaderValue, StatusCode};
use daebus::axum::middleware::{Next, from_fn};
use daebus::axum::response::{IntoResponse, Response};
use daebus::prelude::*;
use daebus::testing::TestApp;

/// A layer that appends its name to the header `passed` of a response, so that the innermost comes first.
macro_rules! mark {
    ($name:literal) => {
        from_fn(|request: HttpRequest, next: Next| async move {
            let mut response: Response = next.run(request).await;
            response.headers_mut().append("passed", HeaderValue::from_static($name));
            response
        })
    };
}

#[route("/marked", layer = mark!("route"))]
async fn marked() {}

#[route("/marked", methods = ["POST"])]
async fn unmarked() {}

#[route("/two", layer = (mark!("outer"), mark!("inner")))]
async fn two() {}

#[route("/json")]
async fn created() -> impl IntoResponse {
    (StatusCode::CREATED, Json(json!({"id": 7})))
}

fn app() -> Daebus {
    let blueprint = blueprint_of!["b"; marked, unmarked, two, created];
    let blueprint = blueprint.http_layer(mark!("blueprint's first")).http_layer(mark!("blueprint's last"));
    let other = blueprint_of!["other"; other];
    Daebus::new("svc")
        .register(blueprint)
        .register(other)
        .attach(Http::bind("127.0.0.1:0").layer(mark!("server")))
}

#[route("/other")]
async fn other() {}

#[tokio::test]
async fn layers_wrap_a_route_a_blueprint_and_a_server() {
    let app = TestApp::new(app()).await;
    let passed = |response: &daebus::testing::TestResponse| {
        let all = response.headers().get_all("passed").iter();
        all.map(|name| name.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(", ")
    };
    let get = app.http().get("/marked").await;
    assert_eq!(passed(&get), "route, blueprint's first, blueprint's last, server");
    let post = app.http().post("/marked").await;
    assert_eq!(passed(&post), "blueprint's first, blueprint's last, server");
    let two = app.http().get("/two").await;
    assert_eq!(passed(&two), "inner, outer, blueprint's first, blueprint's last, server");
    assert_eq!(passed(&app.http().get("/other").await), "server");
    assert_eq!(passed(&app.http().get("/nowhere").await), "server");
    // The layers of routes don't wrap the answer to a wrong method.
    let wrong = app.http().delete("/marked").await;
    assert_eq!(passed(wrong.assert_status(405)), "server");
    assert_eq!(wrong.header("allow"), Some("GET,HEAD,POST"));
    app.finish().await;
}

#[tokio::test]
async fn json_of_the_prelude_is_a_response_of_axum() {
    let app = TestApp::new(app()).await;
    app.http().get("/json").await.assert_status(201).assert_json(json!({"id": 7}));
    app.finish().await;
}
