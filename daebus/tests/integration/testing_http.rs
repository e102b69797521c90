//! The HTTP and WebSocket clients of the test kit.

#![allow(unreachable_pub, clippy::unwrap_used)] // written like a user's crate, without lints

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use daebus::axum::body::Bytes;
use daebus::axum::http::Method;
use daebus::prelude::*;
use daebus::testing::TestApp;
use futures_util::FutureExt;

#[derive(Clone, Default)]
struct Db(Arc<Mutex<BTreeMap<u64, User>>>);

impl Db {
    fn empty() -> Self {
        Self::default()
    }

    fn insert(&self, new: NewUser) -> User {
        let mut users = self.0.lock().unwrap();
        let user = User { id: users.len() as u64 + 1, email: new.email };
        users.insert(user.id, user.clone());
        user
    }
}

#[derive(Deserialize, Serialize)]
struct NewUser {
    email: String,
}

#[derive(Deserialize, Serialize, Clone, Debug, PartialEq)]
struct User {
    id: u64,
    email: String,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
enum UserError {
    #[error("user {id} not found")]
    #[fault(code = "not_found", status = 404)]
    NotFound { id: u64 },
    #[error(transparent)]
    #[fault(internal)]
    #[serde(skip)]
    Bus(#[from] BusError),
}

#[blueprint("users")]
mod users {
    use super::*;

    #[action("create_user")]
    #[route("/api/users", methods = ["POST"], status = 201)]
    pub async fn create_user(
        Payload(new): Payload<NewUser>,
        State(db): State<Db>,
        broadcast: Broadcast,
    ) -> Result<User, UserError> {
        let user = db.insert(new);
        broadcast.send("user_events", json!({"type": "created", "id": user.id})).await?;
        Ok(user)
    }

    #[route("/api/users/<id>", methods = ["GET", "DELETE"])]
    pub async fn get_user(id: u64, State(db): State<Db>) -> Result<User, UserError> {
        let users = db.0.lock().unwrap();
        users.get(&id).cloned().ok_or(UserError::NotFound { id })
    }

    #[route("/api/tenant", methods = ["PUT", "PATCH"])]
    pub async fn tenant(headers: HeaderMap) -> ([(&'static str, &'static str); 1], String) {
        let tenant = headers.get("tenant").map_or("none", |tenant| tenant.to_str().unwrap_or_default());
        ([("x-tenant", "seen")], tenant.to_owned())
    }

    #[background("cleanup", 3600)]
    pub async fn cleanup(broadcast: Broadcast) -> Result<(), BoxError> {
        broadcast.send("cleanups", json!({})).await?;
        Ok(())
    }
}

#[blueprint("chat")]
mod chat {
    use super::*;

    #[socket("echo")]
    pub async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
        Json(value)
    }

    #[socket_binary]
    pub async fn reversed(content: Bytes, client: Client) -> Result<usize, BoxError> {
        let reversed: Vec<u8> = content.iter().rev().copied().collect();
        client.send_binary(reversed)?;
        Ok(content.len())
    }

    #[socket("shout")]
    pub async fn shout(Payload(words): Payload<Value>, sockets: Sockets) {
        sockets.broadcast("shouted", &words).unwrap();
    }

    #[socket_connect]
    pub async fn joined(Payload(query): Payload<Value>) -> Result<Value, BoxError> {
        match query["token"].as_str() {
            Some("wrong") => Err("this token isn't known".into()),
            token => Ok(json!({"welcome": token})),
        }
    }

    #[background("pulse", 60)]
    pub async fn pulse(sockets: Sockets) {
        sockets.broadcast(None, "pulse").unwrap();
    }
}

fn user_service() -> Daebus {
    Daebus::new("user_service").state(Db::empty()).register(users::blueprint())
}

/// Calls, broadcasts, HTTP and schedules.
#[tokio::test]
async fn an_application_is_tested_over_the_bus_and_http() -> Result<(), BoxError> {
    let new = NewUser { email: "ada@example.com".into() };
    let app = TestApp::new(Daebus::new("user_service").state(Db::empty()).register(users::blueprint())).await;
    let users = users::Caller::new(app.caller());
    users.create_user(&new).await?;
    app.published("user_events").await.assert_one(json!({"type": "created", "id": 1}));
    app.http().post("/api/users").json(&new).await.assert_status(201);
    app.advance(Duration::from_secs(3600)).await;
    app.published("cleanups").await.assert_one(json!({}));
    app.finish().await;
    Ok(())
}

#[tokio::test]
async fn requests_have_methods_headers_queries_and_bodies() {
    let app = TestApp::new(user_service()).await;
    let created = app.http().post("/api/users").form(&NewUser { email: "a b@example.com".into() }).await;
    let ada = User { id: 1, email: "a b@example.com".into() };
    assert_eq!(created.assert_status(201).json::<User>(), ada);
    assert_eq!(created.header("content-type"), Some("application/json"));

    let found = app.http().get("/api/users/1").await;
    found.assert_status(200).assert_json(json!({"id": 1, "email": "a b@example.com"}));
    let missing = app.http().delete("/api/users/7").await;
    assert_eq!(missing.assert_status(404).json::<Value>()["code"], "not_found");
    app.http().get("/api/users/x").await.assert_status(404);
    app.http().post("/api/users").json("no object").await.assert_status(400);
    app.http()
        .post("/api/users")
        .body("{")
        .header("content-type", "application/json")
        .await
        .assert_status(400);
    app.http().request(Method::OPTIONS, "/api/users").await.assert_status(405);

    for request in [app.http().put("/api/tenant"), app.http().patch("/api/tenant?x=1")] {
        let answer = request.header("tenant", "b").header("Tenant", "a").await;
        assert_eq!((answer.status(), answer.text(), answer.header("x-tenant")), (200, "a", Some("seen")));
    }
    app.http().get("/_service/ready").await.assert_status(200);
    app.finish().await;
}

#[tokio::test]
async fn a_failed_status_assertion_contains_the_body() {
    let app = TestApp::new(user_service()).await;
    let missing = app.http().get("/api/users/7").await;
    let panic = std::panic::catch_unwind(|| missing.assert_status(200).status()).unwrap_err();
    let words = panic.downcast_ref::<String>().unwrap();
    for part in ["GET /api/users/7", "404", "user 7 not found", "expected status 200"] {
        assert!(words.contains(part), "{words}");
    }
    app.finish().await;
}

#[tokio::test]
async fn no_address_is_bound() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let servers = user_service()
        .register(chat::blueprint())
        .attach(Http::bind(address).prefix("/api2"))
        .attach(WebSocket::new().bind(address.to_string()).path("/live"));
    let app = TestApp::new(servers).await;
    assert_eq!((app.service().http_addr(), app.service().socket_addr()), (None, None));
    app.http().get("/api2/_service/status").await.assert_json(json!({"status": "ok"}));
    app.http().get("/api/users/1").await.assert_status(404);
    app.socket().await.next().await.assert("response", json!({"welcome": null}));
    app.finish().await;
}

#[tokio::test]
async fn missing_servers_and_paths_are_reported() {
    #[action("nothing")]
    async fn nothing() {}

    let app = TestApp::new(Daebus::new("svc").register(blueprint_of!["all"; nothing])).await;
    let panic =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(app.http().get("/")))).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains(".attach(Http::bind(…))"));
    let socket = std::panic::AssertUnwindSafe(app.socket()).catch_unwind().await;
    assert!(socket.unwrap_err().downcast_ref::<String>().unwrap().contains(".attach(WebSocket::new())"));
    app.finish().await;

    let app = TestApp::new(Daebus::new("svc").register(chat::blueprint())).await;
    let elsewhere = std::panic::AssertUnwindSafe(app.socket_at("/elsewhere")).catch_unwind().await;
    let words = elsewhere.unwrap_err().downcast::<String>().unwrap();
    assert!(words.contains("404") && words.contains("/elsewhere"), "{words}");
    app.finish().await;
}

#[tokio::test]
async fn test_sockets_exchange_frames() {
    let app = TestApp::new(Daebus::new("svc").register(chat::blueprint())).await;
    let mut ada = app.socket_at("/ws?token=t").await;
    ada.next().await.assert("response", json!({"welcome": "t"}));
    let mut bob = app.socket().await;
    assert_eq!(bob.next().await.decode::<Value>()["welcome"], Value::Null);

    ada.ask("echo", &json!({"a": 1})).await.assert("response", json!({"a": 1}));
    ada.send_text(r#"{"type": "echo", "data": 1, "request_id": 7}"#);
    assert_eq!(ada.next().await.json(), &json!({"type": "response", "data": 1, "request_id": 7}));
    ada.send_text("{");
    assert_eq!(ada.next().await.json(), &json!({"type": "error", "error": "Invalid JSON"}));

    ada.send_binary(vec![0xff, 0]);
    assert_eq!(ada.next_binary().await, vec![0, 0xff]);
    assert_eq!(ada.next().await.data(), 2);

    ada.send("shout", "hey");
    bob.next().await.assert("shouted", "hey");
    ada.next().await.assert("shouted", "hey");
    app.settle().await;
    assert_eq!(ada.try_next(), None);
    app.finish().await;
}

#[tokio::test]
async fn test_sockets_survive_an_advanced_clock() {
    let app = TestApp::new(Daebus::new("svc").register(chat::blueprint())).await;
    let mut ada = app.socket().await;
    let _ = ada.next().await;
    app.advance(Duration::from_secs(3600)).await;
    for _ in 0..60 {
        ada.try_next().unwrap().assert("broadcast", "pulse");
    }
    assert_eq!(ada.try_next(), None);
    assert_eq!(app.service().sockets().unwrap().count(), 1);
    app.finish().await;
}

#[tokio::test]
async fn test_sockets_report_the_end_of_the_connection() {
    let app = TestApp::new(Daebus::new("svc").register(chat::blueprint())).await;
    let mut turned_away = app.socket_at("/ws?token=wrong").await;
    assert_eq!(turned_away.closed().await.0, 1008);

    let sockets = app.service().sockets().unwrap();
    let leaving = app.socket().await;
    let gone = app.socket().await;
    app.settle().await;
    assert_eq!(sockets.count(), 2);
    leaving.leave().await;
    drop(gone);
    app.settle().await;
    assert_eq!(sockets.count(), 0);

    let mut stays = app.socket().await;
    let _ = stays.next().await;
    app.finish().await;
    assert_eq!(stays.next().await.kind(), "server_shutdown");
    assert_eq!(stays.closed().await, (1001, "Server is shutting down".to_owned()));
    assert_eq!(stays.closed().await.0, 1001, "the end is returned again");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_works_with_the_real_clock() {
    let app = TestApp::real_time(user_service().register(chat::blueprint())).await;
    app.http().get("/api/users/1").await.assert_status(404);
    let mut ada = app.socket().await;
    let _ = ada.next().await;
    ada.ask("echo", &1).await.assert("response", 1);
    app.finish().await;
}
