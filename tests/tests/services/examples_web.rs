//! The examples with HTTP and WebSockets, each run as it stands, with real clients: reqwest and tungstenite.

use daebus::prelude::*;
use daebus_tests::{PATIENCE, Process, PythonCaller, RedisServer, example, within};
use futures_util::{SinkExt, StreamExt};
use reqwest::{Client as Http, Method, RequestBuilder, StatusCode};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// An example that runs, and where it says that it is.
struct Running {
    process: Process,
    name: &'static str,
    redis: RedisServer,
}

impl Running {
    fn start(name: &'static str, variables: &[(&str, &str)]) -> Self {
        let redis = RedisServer::start();
        let mut command = example(name);
        command.env("DAEBUS_URL", redis.url()).env("DAEBUS_HTTP", "127.0.0.1:0");
        let process = Process::start(command.envs(variables.iter().copied()));
        process.line(&format!("{name} is ready"));
        Self { process, name, redis }
    }

    /// What follows in the line with these words.
    fn address(&self, words: &str) -> String {
        self.process.line(words).split(words).nth(1).unwrap().to_owned()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let http = Http::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        http.request(method, format!("{}{path}", self.address("HTTP on ")))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    async fn caller(&self) -> Caller {
        Caller::connect(&self.redis.url(), self.name).await.unwrap()
    }

    async fn socket(&self, query: &str) -> Socket {
        let url = format!("{}{query}", self.address("WebSockets on "));
        Socket(connect_async(url).await.unwrap().0)
    }

    fn stop(mut self) {
        self.process.signal("TERM");
        assert_eq!(self.process.wait().code(), Some(0), "{}", self.process.said());
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

/// A WebSocket client.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn next(&mut self) -> Message {
        let frame = within(self.0.next()).await;
        frame.expect("the connection is open").unwrap()
    }

    async fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        loop {
            let frame = self.next().await;
            if !frame.is_ping() {
                return serde_json::from_str(frame.to_text().unwrap()).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn devices_answers_as_its_documentation_says() {
    let devices = Running::start("devices", &[]);

    let (status, body) = devices.get("/status").await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("running")));
    assert!(body["timestamp"].as_f64().unwrap() > 1.6e9, "{body}");

    let online = json!({"device_id": "123", "status": "online"});
    assert_eq!(devices.get("/devices/123").await, (StatusCode::OK, online));
    let (status, body) = devices.get("/devices/124").await;
    assert_eq!((status, &body["error"]), (StatusCode::NOT_FOUND, &json!("Device not found")));
    let nothing = json!({"error": "Not Found", "code": "unknown_path", "path": "/gadgets"});
    assert_eq!(devices.get("/gadgets").await, (StatusCode::NOT_FOUND, nothing));

    let received = json!({"success": true, "message": "Command received"});
    assert_eq!(
        devices.post("/control", &json!({"turn": "on"})).await,
        (StatusCode::CREATED, received.clone())
    );
    devices.process.line(r#"command received: {"turn":"on"}"#);
    let form = devices.request(Method::POST, "/control").form(&[("turn", "off")]);
    assert_eq!(answer(form).await, (StatusCode::CREATED, received));
    let (status, _) = devices.get("/control").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);

    assert_eq!(devices.get("/hello").await.1, json!({"message": "Hello, World!"}));
    assert_eq!(devices.get("/hello?name=J%C3%BCrgen").await.1, json!({"message": "Hello, Jürgen!"}));
    assert_eq!(devices.get("/_service/status").await.1, json!({"status": "ok"}));
    devices.stop();
}

#[tokio::test]
async fn devices_lets_pages_of_the_origins_it_names_call() {
    let devices = Running::start("devices", &[]);
    let preflight = |origin: &str| {
        let request = devices.request(Method::OPTIONS, "/api/data").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "authorization").send()
    };
    let allowed = preflight("http://localhost:3000").await.unwrap();
    let header = |name: &str| allowed.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("access-control-allow-origin"), Some("http://localhost:3000"));
    assert_eq!(header("access-control-allow-credentials"), Some("true"));
    assert_eq!(header("access-control-max-age"), Some("3600"));
    assert!(header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    assert!(header("access-control-allow-headers").is_some_and(|names| {
        names.to_ascii_lowercase().split(',').any(|name| name.trim() == "authorization")
    }));

    let refused = preflight("http://evil.example").await.unwrap();
    assert_eq!(refused.headers().get("access-control-allow-origin"), None);

    let request = devices.request(Method::GET, "/api/data").header("origin", "https://example.com");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "https://example.com");
    assert_eq!(
        response.headers()["access-control-expose-headers"].to_str().unwrap().to_lowercase(),
        "x-custom-header"
    );
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"data": "example"}));
}

#[tokio::test]
async fn metrics_service_is_reached_every_way() {
    let service = Running::start("metrics_service", &[("METRICS_EVERY", "1")]);
    let caller = service.caller().await;
    let mut updates = caller.listen::<Value>("metrics_updates").await.unwrap();

    let metrics: Value = caller.send_request("get_metrics", json!({})).await.unwrap();
    assert_eq!(metrics["requests"], 1);
    let mut python = PythonCaller::of("metrics_service", &service.redis);
    assert_eq!(python.request("get_metrics", &json!({})).0.unwrap()["requests"], 2);
    let (status, metrics) = service.get("/api/metrics").await;
    assert_eq!((status, &metrics["requests"]), (StatusCode::OK, &json!(2)));
    assert!(metrics["uptime"].as_f64().unwrap() > 0.0, "{metrics}");

    let (mut asking, mut other) = (service.socket("").await, service.socket("").await);
    asking.say(json!({"type": "subscribe_metrics", "request_id": 7})).await;
    let subscribed = json!({"status": "subscribed", "update_interval": 1});
    assert_eq!(asking.hear().await, json!({"type": "response", "data": subscribed, "request_id": 7}));
    let update = asking.hear().await;
    assert_eq!(update["type"], "metrics_update");
    assert!(update["data"]["broadcasts"].as_u64().unwrap() >= 1, "{update}");
    let update = within(updates.next()).await.unwrap();
    assert!(update["timestamp"].as_f64().unwrap() > 1.6e9, "{update}");

    caller.send_message("system_events", json!({"type": "maintenance_mode"})).await.unwrap();
    service.process.line("Received system event: maintenance_mode");

    // Who hasn't asked has heard nothing by the time of an answer of its own.
    other.say(json!({"type": "nothing"})).await;
    let complaint = json!({"type": "error", "error": "No handler found for message type 'nothing'"});
    assert_eq!(other.hear().await, complaint);

    service.process.signal("TERM");
    let goodbye = loop {
        let frame = other.hear().await;
        if frame["type"] != "metrics_update" {
            break frame;
        }
    };
    assert_eq!(goodbye["type"], "server_shutdown");
    assert!(matches!(other.next().await, Message::Close(Some(close)) if u16::from(close.code) == 1001));
    let Running { mut process, .. } = service;
    assert_eq!(process.wait().code(), Some(0), "{}", process.said());
}

#[tokio::test]
async fn user_service_keeps_users_on_every_transport() {
    let service = Running::start("user_service", &[]);
    let caller = service.caller().await;
    let mut events = caller.listen::<Value>("user_events").await.unwrap();

    let new = json!({"email": "ada@example.com", "name": "Ada", "password": "analytical"});
    let (status, ada) = service.post("/api/users", &new).await;
    assert_eq!((status, &ada["email"]), (StatusCode::CREATED, &json!("ada@example.com")));
    assert!(!ada.to_string().contains("analytical") && !ada.to_string().contains("argon2"), "{ada}");
    let event = within(events.next()).await.unwrap();
    assert_eq!(event, json!({"type": "user_created", "user_id": ada["id"]}));
    service.process.line("Received user event: user_created");

    let (status, taken) = service.post("/api/users", &new).await;
    assert_eq!((status, &taken["code"]), (StatusCode::CONFLICT, &json!("email_taken")));
    let (status, missing) = service.post("/api/users", &json!({"name": "Nobody"})).await;
    assert_eq!((status, &missing["error"]), (StatusCode::BAD_REQUEST, &json!("Email is required")));

    let mut python = PythonCaller::of("user_service", &service.redis);
    let bob = python.request("create_user", &json!({"email": "bob@example.com"})).0.unwrap();
    assert_eq!(python.request("get_user", &json!({"id": ada["id"]})).0, Ok(ada.clone()));
    let error = python.request("get_user", &json!({"id": "user_99"})).0.unwrap_err();
    assert_eq!(error, "Exception: User user_99 not found");

    let path = format!("/api/users/{}", bob["id"].as_str().unwrap());
    assert_eq!(service.get(&path).await, (StatusCode::OK, bob.clone()));
    let (status, error) = service.get("/api/users/user_99").await;
    assert_eq!((status, &error["error"]), (StatusCode::NOT_FOUND, &json!("User user_99 not found")));

    let (_, listed) = service.get("/api/users").await;
    assert_eq!(listed["users"].as_array().unwrap().len(), 3);
    let mut socket = service.socket("").await;
    let welcome = json!({"authenticated": false, "message": "No authentication token provided"});
    assert_eq!(socket.hear().await, json!({"type": "response", "data": welcome}));
    socket.say(json!({"type": "get_users"})).await;
    assert_eq!(socket.hear().await, json!({"type": "response", "data": listed}));
    service.stop();
}

#[tokio::test]
async fn user_service_knows_its_users_by_their_tokens() {
    // Sockets at an address of their own.
    let service = Running::start("user_service", &[("DAEBUS_WS", "127.0.0.1:0")]);
    let http = service.address("HTTP on http://");
    assert!(!service.address("WebSockets on ws://").starts_with(&http));

    let good = json!({"email": "user@example.com", "password": "password"});
    for wrong in [
        json!({"email": "user@example.com", "password": "Password"}),
        json!({"email": "nobody@example.com", "password": "password"}),
    ] {
        let (status, error) = service.post("/api/auth/login", &wrong).await;
        let words = json!("Invalid email or password");
        assert_eq!((status, &error["error"]), (StatusCode::UNAUTHORIZED, &words), "{wrong}");
    }
    let (status, login) = service.post("/api/auth/login", &good).await;
    assert_eq!((status, &login["expires_in"]), (StatusCode::OK, &json!(3600)));
    let token = login["token"].as_str().unwrap();

    let mut python = PythonCaller::of("user_service", &service.redis);
    let another = python.request("login", &good).0.unwrap();
    assert_ne!(another["token"], login["token"]);
    let verified = json!({"valid": true, "user_id": "user_1"});
    assert_eq!(python.request("verify_token", &json!({"token": token})).0, Ok(verified));
    let error = python.request("verify_token", &json!({"token": "guessed"})).0.unwrap_err();
    assert_eq!(error, "Exception: Invalid or expired token");

    let me = service.request(Method::GET, "/api/auth/me").bearer_auth(token);
    assert_eq!(answer(me).await, (StatusCode::OK, json!({"user_id": "user_1"})));
    let (status, error) = service.get("/api/auth/me").await;
    assert_eq!((status, &error["code"]), (StatusCode::UNAUTHORIZED, &json!("invalid_token")));

    let mut socket = service.socket(&format!("?token={token}")).await;
    let welcome = json!({"authenticated": true, "user_id": "user_1"});
    assert_eq!(socket.hear().await, json!({"type": "response", "data": welcome}));
    let mut socket = service.socket("?token=guessed").await;
    let welcome = json!({"authenticated": false, "message": "Invalid or expired token"});
    assert_eq!(socket.hear().await, json!({"type": "response", "data": welcome}));

    // A token ends by itself.
    let key = service.redis.cli(&["KEYS", &format!("*{token}")]);
    let left: u32 = service.redis.cli(&["TTL", &key]).parse().unwrap();
    assert!((3000..=3600).contains(&left), "{left}");
    service.redis.cli(&["DEL", &key]);
    let me = service.request(Method::GET, "/api/auth/me").bearer_auth(token);
    assert_eq!(answer(me).await.0, StatusCode::UNAUTHORIZED);
    service.stop();
}
