//! HTTP and WebSockets as Python's `requests` and `websockets` see them; `tests/interop/web_client.py` has what is asked
//! and expected.

use std::net::{SocketAddr, TcpListener};

use daebus::Service;
use daebus::prelude::*;
use daebus_tests::{Process, python};

#[derive(Debug, Serialize)]
struct User {
    id: u64,
    name: String,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
enum UserError {
    #[error("user {id} not found")]
    #[fault(code = "not_found", status = 404)]
    NotFound { id: u64 },
}

#[derive(Debug, Deserialize)]
struct Two {
    a: i64,
    b: i64,
}

#[route("/users/<id>")]
async fn user(id: u64) -> Result<User, UserError> {
    if id == 7 { Ok(User { id, name: "Jürgen".into() }) } else { Err(UserError::NotFound { id }) }
}

#[route("/add", methods = ["GET", "POST"])]
async fn add(Payload(Two { a, b }): Payload<Two>) -> Value {
    json!({"sum": a + b})
}

#[route("/items", methods = ["POST"], status = 201)]
async fn create_item(Payload(item): Payload<Value>) -> Value {
    item
}

#[socket_connect]
async fn joined(Payload(query): Payload<Value>, client: Client) -> Result<Value, BoxError> {
    match query["token"].as_str() {
        Some("wrong") => Err(Fault::new("unauthenticated", "this token isn't known").into()),
        token => Ok(json!({"token": token, "id": client.id()})),
    }
}

#[socket("echo")]
async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

#[socket("fail")]
async fn fail() -> Result<(), UserError> {
    Err(UserError::NotFound { id: 9 })
}

#[socket("note")]
async fn note() {}

#[socket("shout")]
async fn shout(Payload(words): Payload<Value>, sockets: Sockets) -> Result<(), BoxError> {
    sockets.broadcast("shouted", &words)?;
    Ok(())
}

#[socket("everybody")]
async fn everybody(sockets: Sockets) -> Result<(), BoxError> {
    sockets.broadcast(None, "to all")?;
    Ok(())
}

#[socket("tell")]
async fn tell(Payload(whom): Payload<Value>, client: Client, sockets: Sockets) -> Result<(), BoxError> {
    sockets.send(whom["to"].as_str().unwrap_or_default(), None, json!({"from": client.id()}))?;
    Ok(())
}

/// Starts a service; the test's name keeps their buses apart.
async fn start(name: &str, http: Http, web_socket: WebSocket) -> daebus::Result<Service> {
    let all = blueprint_of!["all"; user, add, create_item, joined, echo, fail, note, shout, everybody, tell];
    Daebus::new("web")
        .bus(format!("memory://python-web-{name}"))
        .register(all)
        .attach(http)
        .attach(web_socket)
        .start()
        .await
}

async fn serve(name: &str, web_socket: WebSocket) -> Service {
    let cors = Cors::new()
        .allowed_origins(["http://localhost:3000"])
        .allowed_methods(["GET", "POST"])
        .expose_headers(["X-Total"])
        .allow_credentials(true)
        .max_age(3600);
    start(name, Http::bind("127.0.0.1:0").cors(cors), web_socket).await.unwrap()
}

/// Starts Python with some of the script's functions.
fn client(service: &Service, path: &str, functions: &[&str]) -> Process {
    let http = format!("http://{}", service.http_addr().unwrap());
    let socket = format!("ws://{}{path}", service.socket_addr().unwrap());
    let mut python = python();
    // A proxy that the environment names is none of this test's business.
    for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        python.env_remove(variable);
    }
    Process::start(python.arg("web_client.py").args([http, socket]).args(functions))
}

/// Waits for Python's end, while the service goes on in other threads.
async fn succeed(mut client: Process, functions: &[&str]) {
    let (code, said) =
        tokio::task::spawn_blocking(move || (client.wait().code(), client.said())).await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    for function in functions {
        assert!(said.contains(&format!("ok {function}")), "{said}");
    }
}

async fn check(service: &Service, path: &str, functions: &[&str]) {
    succeed(client(service, path, functions), functions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_gets_what_it_expects() {
    let service = serve("http", WebSocket::new()).await;
    check(&service, "/ws", &["routes", "errors", "cors"]).await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_hears_the_frames_of_the_protocol() {
    let service = serve("frames", WebSocket::new()).await;
    check(&service, "/ws", &["frames", "pushes", "refusals"]).await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_is_told_when_it_says_too_much() {
    let limited = WebSocket::new().rate_limit(5, Duration::from_secs(60));
    let service = serve("limit", limited).await;
    check(&service, "/ws", &["rate_limit"]).await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_is_told_when_the_service_goes() {
    let service = serve("shutdown", WebSocket::new()).await;
    let client = client(&service, "/ws", &["shutdown"]);
    let client = tokio::task::spawn_blocking(|| {
        client.line("connected");
        client
    });
    let client = client.await.unwrap();
    service.stop().await.unwrap();
    succeed(client, &["shutdown"]).await;
}

/// A port that is free, and so is the next.
fn two_ports() -> (u16, u16) {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if let Some(next) = port.checked_add(1)
            && TcpListener::bind(("127.0.0.1", next)).is_ok()
        {
            return (port, next);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_the_python_package_find_the_port_beside_http_and_the_root() {
    let service = loop {
        let (http, web_socket) = two_ports();
        let started = start(
            "port",
            Http::bind(SocketAddr::from(([127, 0, 0, 1], http))),
            WebSocket::new().port(web_socket).path("/"),
        );
        match started.await {
            Ok(service) => break service,
            // Somebody else was quicker.
            Err(daebus::Error::Bind { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    };
    let (http, web_socket) = (service.http_addr().unwrap(), service.socket_addr().unwrap());
    assert_eq!(web_socket.port(), http.port() + 1);
    check(&service, "/", &["routes", "frames"]).await;
    // As the package's own examples connect, without a slash.
    check(&service, "", &["pushes"]).await;
    service.stop().await.unwrap();
}
