//! Routes over TCP, with a real client.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus::axum::extract::{Query, RawQuery};
use daebus::axum::http::{StatusCode, header};
use daebus::axum::response::{IntoResponse, Redirect};
use daebus::prelude::*;
use reqwest::Client;

#[derive(Clone, Default)]
pub struct Db(Arc<AtomicUsize>);

#[derive(Debug, Serialize, Deserialize, PartialEq, Clone, Default)]
pub struct NewUser {
    pub name: String,
    pub age: u8,
    #[serde(default)]
    pub tags: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Clone)]
pub struct User {
    pub id: u64,
    pub name: String,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum UserError {
    #[error("user {id} not found")]
    #[fault(code = "not_found", status = 404)]
    NotFound { id: u64 },
    #[error("the disk is full: {0}")]
    #[fault(internal)]
    Disk(String),
}

#[blueprint("users")]
pub mod users {
    use super::*;

    #[route("/users/<id>")]
    pub async fn get_user(id: u64, State(db): State<Db>, headers: HeaderMap) -> Result<User, UserError> {
        db.0.fetch_add(1, Ordering::SeqCst);
        match id {
            404 => Err(UserError::NotFound { id }),
            500 => Err(UserError::Disk("sda1".into())),
            id => Ok(User { id, name: headers["x-name"].to_str().unwrap_or_default().into() }),
        }
    }

    #[route("/users/<user_id>", methods = ["DELETE"])]
    async fn delete_user(user_id: u64) -> Result<(), UserError> {
        if user_id == 404 { Err(UserError::NotFound { id: user_id }) } else { Ok(()) }
    }

    /// An action that is a route as well.
    #[action("create_user")]
    #[route("/users", methods = ["GET", "POST", "DELETE"], status = 201)]
    pub async fn create_user(Payload(new): Payload<NewUser>, State(_db): State<Db>) -> NewUser {
        new
    }

    #[route("/files/<path..>")]
    fn file(path: String) -> String {
        assert_ne!(std::thread::current().name(), Some("main"));
        path
    }

    #[route("/<a>/x/<b>")]
    async fn two(b: bool, a: i8) -> Json<(i8, bool)> {
        Json((a, b))
    }

    #[route("/größe/a{x}")]
    async fn odd() -> &'static str {
        "odd"
    }
}

mod returns {
    use daebus::axum::body::{Body, Bytes};
    use daebus::axum::extract::Json as AxumJson;
    use daebus::axum::response::sse::{Event, Sse};
    use futures_util::stream;

    use super::*;

    #[route("/empty", methods = ["GET", "POST"])]
    async fn empty() {}

    #[route("/redirect", status = 201)]
    async fn redirect() -> Redirect {
        Redirect::to("/empty")
    }

    #[route("/boxed")]
    async fn boxed() -> Result<String, BoxError> {
        Err("no secrets in here")?
    }

    #[route("/status_code")]
    async fn status_code() -> Result<StatusCode, StatusCode> {
        Err(StatusCode::IM_A_TEAPOT)
    }

    #[route("/parts")]
    async fn parts() -> impl IntoResponse {
        ([(header::CONTENT_TYPE, "text/csv")], "a;b")
    }

    #[route("/events")]
    async fn events() -> Sse<impl futures_util::Stream<Item = Result<Event, std::convert::Infallible>>> {
        Sse::new(stream::iter(["one", "two"].map(|data| Ok(Event::default().data(data)))))
    }

    #[route("/stream")]
    async fn streamed() -> Body {
        Body::from_stream(stream::iter(["a", "b"].map(Ok::<_, std::io::Error>)))
    }

    #[route("/value")]
    async fn value() -> Value {
        json!({"a": 1})
    }

    #[route("/panic")]
    async fn panics() -> Value {
        panic!("on purpose")
    }

    #[route("/slow", timeout = "50ms")]
    async fn slow() {
        std::future::pending::<()>().await;
    }

    #[route("/no_content", methods = ["POST"], status = 204)]
    async fn no_content() {}

    #[route("/axum_json", methods = ["POST"])]
    async fn axum_json(AxumJson(user): AxumJson<NewUser>, RawQuery(query): RawQuery) -> String {
        format!("{} {}", user.name, query.unwrap_or_default())
    }

    #[route("/bytes", methods = ["POST"])]
    async fn bytes(bytes: Bytes, Query(user): Query<NewUser>) -> String {
        format!("{} {}", bytes.len(), user.name)
    }

    pub(super) fn blueprint() -> Blueprint {
        blueprint_of!["returns"; empty, redirect, boxed, status_code, parts, events, streamed, value, panics, slow,
            no_content, axum_json, bytes]
    }
}

struct Server {
    service: daebus::Service,
    client: Client,
    url: String,
}

async fn start(name: &str) -> Server {
    start_with(name, |http| http).await
}

async fn start_with(name: &str, with: impl FnOnce(Http) -> Http) -> Server {
    let service = Daebus::new("http")
        .bus(format!("memory://{name}"))
        .state(Db::default())
        .register(users::blueprint())
        .register(returns::blueprint())
        .attach(with(Http::bind("127.0.0.1:0")))
        .start()
        .await
        .unwrap();
    let url = format!("http://{}", service.http_addr().unwrap());
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Server { service, client, url }
}

impl Server {
    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }
}

/// Sends a request and compares status and JSON.
async fn check(request: reqwest::RequestBuilder, status: u16, body: Value) {
    let response = request.send().await.unwrap();
    let url = response.url().clone();
    assert_eq!(response.headers()["content-type"], "application/json", "{url}");
    assert_eq!(
        (response.status().as_u16(), response.json::<Value>().await.unwrap()),
        (status, body),
        "{url}"
    );
}

/// Sends a request and compares status and text.
async fn check_text(request: reqwest::RequestBuilder, status: u16, body: &str) {
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (status, body));
}

#[tokio::test]
async fn parameters_are_typed() {
    let server = start("http-parameters").await;
    check(server.get("/users/7").header("x-name", "Ada"), 200, json!({"id": 7, "name": "Ada"})).await;
    check(
        server.get("/users/seven"),
        404,
        json!({"error": "\"seven\" is no `id`: invalid digit found in string", "code": "invalid_parameter", "path": "/users/seven"}),
    )
    .await;
    check(server.client.delete(format!("{}/users/7", server.url)), 200, json!({})).await;
    check(server.get("/-3/x/true"), 200, json!([-3, true])).await;
    check_text(server.get("/files/a/b%20c.txt"), 200, "a/b c.txt").await;
    check_text(server.get("/größe/a{x}"), 200, "odd").await;
    server.service.stop().await.unwrap();
}

#[tokio::test]
async fn errors_are_json_with_the_status_of_the_fault() {
    let server = start("http-errors").await;
    check(
        server.get("/users/404"),
        404,
        json!({"error": "user 404 not found", "code": "not_found", "details": {"NotFound": {"id": 404}}}),
    )
    .await;
    let internal = json!({"error": "the service failed inside; its log says why", "code": "internal"});
    check(server.get("/users/500"), 500, internal.clone()).await;
    check(server.get("/boxed"), 500, internal.clone()).await;
    check(server.get("/panic"), 500, internal).await;
    check(
        server.get("/slow"),
        504,
        json!({"error": "the handler did not finish within its time limit", "code": "deadline_exceeded"}),
    )
    .await;
    check(
        server.get("/nowhere"),
        404,
        json!({"error": "Not Found", "code": "unknown_path", "path": "/nowhere"}),
    )
    .await;
    check(server.get("/status_code"), 418, json!({"error": "I'm a teapot", "path": "/status_code"})).await;
    let response = server.post("/users/7").send().await.unwrap();
    assert_eq!(response.headers()["allow"].to_str().unwrap(), "GET,HEAD,DELETE");
    check(
        server.post("/users/7"),
        405,
        json!({"error": "Method Not Allowed", "code": "method_not_allowed", "path": "/users/7"}),
    )
    .await;
    server.service.stop().await.unwrap();
}

#[tokio::test]
async fn a_payload_is_json_a_form_or_the_query() {
    let server = start("http-payload").await;
    let user = json!({"name": "Ada", "age": 36, "tags": ["a", "b c"]});
    let form = [("name", "Ada"), ("age", "36"), ("tags", "a"), ("tags", "b c")];
    check(server.post("/users").json(&user), 201, user.clone()).await;
    check(server.post("/users").form(&form), 201, user.clone()).await;
    check(server.post("/users").query(&form), 201, user.clone()).await;
    check(server.get("/users").query(&form), 201, user.clone()).await;
    check(server.client.delete(format!("{}/users", server.url)).query(&form), 201, user.clone()).await;
    check(server.client.delete(format!("{}/users", server.url)).json(&user), 201, user.clone()).await;
    let multipart = || {
        form.into_iter().fold(reqwest::multipart::Form::new(), |form, (name, value)| form.text(name, value))
    };
    check(server.post("/users").multipart(multipart()), 201, user).await;

    let invalid = |error: &str| json!({"error": error, "code": "invalid_payload"});
    check(
        server.post("/users").json(&json!({"name": "Ada", "age": "x"})),
        400,
        invalid("the payload can't be read: `age`: invalid type: string \"x\", expected u8"),
    )
    .await;
    check(
        server.get("/users?name=Ada&age=400"),
        400,
        invalid("the query can't be read: `age`: number too large to fit in target type"),
    )
    .await;
    check(
        server.post("/users").form(&[("age", "1")]),
        400,
        invalid("the form can't be read: missing field `name`"),
    )
    .await;
    let unsupported = |request: reqwest::RequestBuilder| async move {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 415);
        response.json::<Value>().await.unwrap()["error"].as_str().unwrap().to_owned()
    };
    let error = unsupported(server.post("/users").body("{}")).await;
    assert!(error.contains("without a Content-Type can't be read here; send application/json"), "{error}");
    let error = unsupported(server.post("/users").header("content-type", "text/plain").body("{}")).await;
    assert!(error.contains("\"text/plain\""), "{error}");
    let file = reqwest::multipart::Part::bytes(vec![1]).file_name("a.png");
    let error = unsupported(server.post("/users").multipart(multipart().part("photo", file))).await;
    assert!(error.contains("`photo` is a file"), "{error}");
    server.service.stop().await.unwrap();
}

#[tokio::test]
async fn one_function_can_be_a_route_and_an_action() {
    let server = start("http-action").await;
    let caller = users::Caller::new(server.service.callers().to("http"));
    let user = NewUser { name: "Ada".into(), age: 36, tags: vec![] };
    assert_eq!(caller.create_user(&user).await.unwrap(), user);
    server.service.stop().await.unwrap();
}

#[tokio::test]
async fn routes_return_every_response_of_axum() {
    let server = start("http-returns").await;
    check(server.get("/empty"), 200, json!({})).await;
    check(server.get("/value"), 200, json!({"a": 1})).await;
    check_text(server.get("/stream"), 200, "ab").await;
    check_text(server.get("/events"), 200, "data: one\n\ndata: two\n\n").await;
    check_text(server.post("/no_content"), 204, "").await;
    let redirect = server.get("/redirect").send().await.unwrap();
    assert_eq!(
        (redirect.status().as_u16(), &redirect.headers()["location"]),
        (303, &"/empty".parse().unwrap())
    );
    let parts = server.get("/parts").send().await.unwrap();
    assert_eq!(parts.headers()["content-type"], "text/csv");
    let head = server.client.head(format!("{}/value", server.url)).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &"7".parse().unwrap()));
    assert_eq!(head.text().await.unwrap(), "");
    server.service.stop().await.unwrap();
}

#[tokio::test]
async fn axums_extractors_work_in_any_order_and_their_rejections_are_json() {
    let server = start("http-extractors").await;
    let user = json!({"name": "Ada", "age": 36});
    check_text(server.post("/axum_json?x=1").json(&user), 200, "Ada x=1").await;
    check_text(server.post("/bytes?name=Ada&age=1").body("abc"), 200, "3 Ada").await;
    let response = server.post("/axum_json").json(&json!({"name": 1})).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 422);
    let error = response.json::<Value>().await.unwrap();
    assert_eq!(error["code"], "invalid_payload");
    assert!(error["error"].as_str().unwrap().contains("name: invalid type"), "{error}");
    let response = server.post("/bytes?age=x").body("abc").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 400);
    assert!(response.json::<Value>().await.unwrap()["error"].as_str().unwrap().contains("query"));
    server.service.stop().await.unwrap();
}

#[tokio::test]
async fn http_2_is_served_without_an_upgrade() {
    let server = start("http-2").await;
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    let response = client.get(format!("{}/value", server.url)).send().await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    server.service.stop().await.unwrap();
}
