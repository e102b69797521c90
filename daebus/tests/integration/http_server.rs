//! An HTTP server from start to stop: layers, fallbacks, assets, CORS and configuration mistakes.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;

use daebus::axum::extract::Request as HttpRequest;
use daebus::axum::http::StatusCode;
use daebus::axum::middleware::{self, Next};
use daebus::axum::response::Response;
use daebus::axum::routing::{get, post};
use daebus::axum::{self, Router};
use daebus::prelude::*;
use daebus_tests_support::within;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

#[derive(Clone)]
struct User(&'static str);

#[route("/whoami")]
async fn whoami(Extension(user): Extension<User>) -> &'static str {
    user.0
}

#[route("/data")]
async fn data() -> Json<Value> {
    Json(json!({"data": "example"}))
}

async fn require_auth(mut request: HttpRequest, next: Next) -> Result<Response, StatusCode> {
    match request.headers().get("authorization") {
        Some(token) if token == "Bearer open sesame" => {
            request.extensions_mut().insert(User("Ada"));
            Ok(next.run(request).await)
        }
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

fn app(name: &str) -> Daebus {
    Daebus::new("server").bus(format!("memory://{name}"))
}

fn http() -> Http {
    Http::bind("127.0.0.1:0")
}

async fn start(app: Daebus) -> (daebus::Service, String) {
    let service = app.start().await.unwrap();
    let url = format!("http://{}", service.http_addr().unwrap());
    (service, url)
}

/// Sends a GET request and returns the status and the body.
async fn ask(url: &str, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("{url}{path}")).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Returns the mistakes that prevent an application from starting.
async fn mistakes(app: Daebus) -> String {
    app.start().await.err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn a_layer_guards_routes_but_not_probes_and_passes_values_to_handlers() {
    let blueprint = blueprint_of!["b"; whoami, data];
    let (service, url) = start(
        app("server-layer").register(blueprint).attach(http().layer(middleware::from_fn(require_auth))),
    )
    .await;
    assert_eq!(ask(&url, "/data").await, (401, r#"{"error":"Unauthorized","path":"/data"}"#.into()));
    assert_eq!(ask(&url, "/nowhere").await.0, 401);
    assert_eq!(ask(&url, "/_service/status").await, (200, r#"{"status":"ok"}"#.into()));
    assert_eq!(ask(&url, "/_service/ready").await, (200, r#"{"status":"ready"}"#.into()));
    let client = reqwest::Client::new();
    let response = client.get(format!("{url}/whoami")).bearer_auth("open sesame").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "Ada");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn prefixes_apply_to_all_routes() {
    let (service, url) = start(
        app("server-prefix")
            .register(blueprint_of!["b"; data].prefix("/api"))
            .attach(http().prefix("/server").router(Router::new().route("/own", get(async || "own")))),
    )
    .await;
    assert_eq!(ask(&url, "/server/api/data").await.0, 200);
    assert_eq!(ask(&url, "/server/own").await.0, 200);
    assert_eq!(ask(&url, "/server/_service/status").await.0, 200);
    for path in ["/api/data", "/data", "/server/data", "/server", "/server/", "/"] {
        assert_eq!(
            ask(&url, path).await,
            (404, json!({"error": "Not Found", "code": "unknown_path", "path": path}).to_string()),
            "{path}"
        );
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_router_of_the_application_handles_requests_without_a_route() {
    let router = Router::new()
        .route("/data", post(async || "posted").get(async || "never reached"))
        .route("/own", get(async || "own"))
        .route("/panic", get(async || -> String { panic!("on purpose") }));
    let (service, url) =
        start(app("server-router").register(blueprint_of!["b"; data]).attach(http().router(router))).await;
    assert_eq!(ask(&url, "/data").await.1, r#"{"data":"example"}"#);
    assert_eq!(ask(&url, "/own").await, (200, "own".into()));
    assert_eq!(
        ask(&url, "/nowhere").await,
        (404, r#"{"code":"unknown_path","error":"Not Found","path":"/nowhere"}"#.into())
    );
    assert_eq!(ask(&url, "/panic").await.0, 500);
    let client = reqwest::Client::new();
    let posted = client.post(format!("{url}/data")).send().await.unwrap();
    assert_eq!(posted.text().await.unwrap(), "posted");
    let wrong = client.delete(format!("{url}/own")).send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), wrong.headers()["allow"].to_str().unwrap()), (405, "GET,HEAD"));
    assert_eq!(
        wrong.json::<Value>().await.unwrap(),
        json!({"error": "Method Not Allowed", "code": "method_not_allowed", "path": "/own"})
    );
    service.stop().await.unwrap();
}

#[tokio::test]
async fn routes_precede_assets_and_files_outside_the_folder_are_not_served() {
    let root = std::env::temp_dir().join(format!("daebus-assets-{}", std::process::id()));
    let web = root.join("web");
    std::fs::create_dir_all(web.join("sub")).unwrap();
    std::fs::write(web.join("index.html"), "<p>kiosk").unwrap();
    std::fs::write(web.join("data"), "never reached").unwrap();
    std::fs::write(web.join("sub/app.js"), "run()").unwrap();
    std::fs::write(root.join("secret"), "secret").unwrap();
    let (service, url) =
        start(app("server-assets").register(blueprint_of!["b"; data]).attach(http().assets(&web))).await;
    assert_eq!(ask(&url, "/").await, (200, "<p>kiosk".into()));
    assert_eq!(ask(&url, "/sub/app.js").await, (200, "run()".into()));
    assert_eq!(ask(&url, "/data").await.1, r#"{"data":"example"}"#);
    assert_eq!(
        ask(&url, "/no.js").await,
        (404, r#"{"code":"unknown_path","error":"Not Found","path":"/no.js"}"#.into())
    );
    let addr: SocketAddr = service.http_addr().unwrap();
    for path in ["/../secret", "/%2e%2e/secret", "/sub/..%2f..%2fsecret", "//etc/passwd", "/%00"] {
        let answer = raw(addr, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        assert!(!answer.ends_with("secret"), "{path}: {answer}");
    }
    service.stop().await.unwrap();
    std::fs::remove_dir_all(&root).unwrap();
    let gone = mistakes(app("server-no-assets").attach(http().assets(&web))).await;
    assert!(gone.contains("Http::assets(") && gone.contains("needs a folder"), "{gone}");
}

async fn raw(addr: SocketAddr, request: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn cors_allows_requests_from_configured_origins() {
    let cors = Cors::new()
        .allowed_origins(["http://localhost:3000"])
        .allowed_methods(["GET", "POST"])
        .allowed_headers(["Content-Type", "X-Own"])
        .expose_headers(["X-Total"])
        .allow_credentials(true)
        .max_age(3600);
    let layered = http().cors(cors).layer(middleware::from_fn(require_auth));
    let (service, url) = start(app("server-cors").register(blueprint_of!["b"; data]).attach(layered)).await;
    let client = reqwest::Client::new();
    let preflight = |origin: &'static str| {
        client
            .request(reqwest::Method::OPTIONS, format!("{url}/data"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .send()
    };
    let allowed = preflight("http://localhost:3000").await.unwrap();
    assert_eq!(allowed.status().as_u16(), 200);
    for (name, value) in [
        ("access-control-allow-origin", "http://localhost:3000"),
        ("access-control-allow-methods", "GET,POST"),
        ("access-control-allow-headers", "content-type,x-own"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "3600"),
    ] {
        assert_eq!(allowed.headers()[name], value, "{name}");
    }
    let refused = preflight("http://evil.example").await.unwrap();
    assert!(!refused.headers().contains_key("access-control-allow-origin"));
    // Errors have the headers as well, so that a page can read why a request was refused.
    let error =
        client.get(format!("{url}/data")).header("origin", "http://localhost:3000").send().await.unwrap();
    assert_eq!(error.status().as_u16(), 401);
    assert_eq!(error.headers()["access-control-allow-origin"], "http://localhost:3000");
    assert_eq!(error.headers()["access-control-expose-headers"], "x-total");
    service.stop().await.unwrap();
}

mod mistaken {
    use super::*;

    #[route("/u/<id>")]
    pub(super) async fn one(id: u64) -> String {
        id.to_string()
    }

    #[route("/u/<user_id>", methods = ["POST", "GET"])]
    pub(super) async fn same(user_id: u64) -> String {
        user_id.to_string()
    }

    #[route("/u/<rest..>")]
    pub(super) async fn rest(rest: String) -> String {
        rest
    }

    #[route("/_service/x")]
    pub(super) async fn reserved() {}
}

#[tokio::test]
async fn colliding_routes_are_reported_with_both_positions() {
    use mistaken::{one, reserved, rest, same};
    let found = mistakes(
        app("server-mistakes")
            .register(blueprint_of!["b"; one, same, rest, reserved])
            .attach(http().cors(Cors::new().allowed_origins("*").allow_credentials(true))),
    )
    .await;
    for words in [
        "two answer GET at one path: integration::http_server::mistaken::one (",
        "and integration::http_server::mistaken::same (",
        "takes one piece of the path where",
        "integration::http_server::mistaken::rest (",
        "is under /_service",
        "CORS allows credentials",
    ] {
        assert!(found.contains(words), "{words:?} is not in {found}");
    }
    assert!(found.matches("http_server.rs:").count() >= 5, "{found}");
}

#[tokio::test]
async fn routes_without_a_server_and_two_servers_are_mistakes() {
    let none = mistakes(app("server-none").register(blueprint_of!["b"; data])).await;
    assert!(none.contains("integration::http_server::data ("), "{none}");
    assert!(none.contains(".attach(Http::bind(\"0.0.0.0:8080\"))"), "{none}");
    let two = mistakes(app("server-two").attach(http()).attach(http())).await;
    assert!(two.contains("two Http are attached"), "{two}");
    let prefix =
        mistakes(app("server-bad-prefix").register(blueprint_of!["b"; data].prefix("api/")).attach(http()))
            .await;
    assert!(prefix.contains("the prefix \"api/\""), "{prefix}");
}

#[tokio::test]
async fn a_port_in_use_is_an_error_with_its_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let error = mistakes(app("server-port").attach(Http::bind(addr))).await;
    assert!(error.contains(&format!("can't serve HTTP on {addr}: Address already in use")), "{error}");
}

/// Blocks a handler until it is opened.
#[derive(Clone)]
struct Gate {
    entered: Arc<Notify>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn shut() -> Self {
        Self { entered: Arc::default(), open: Arc::new(Semaphore::new(0)) }
    }
}

#[route("/wait")]
async fn wait(State(gate): State<Gate>) -> &'static str {
    gate.entered.notify_one();
    let _ = gate.open.acquire().await;
    "waited"
}

#[route("/ticks")]
async fn ticks() -> axum::body::Body {
    let ticks = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Some((Ok::<_, std::io::Error>("tick\n"), ()))
    });
    axum::body::Body::from_stream(ticks)
}

#[tokio::test]
async fn a_stop_finishes_responses_in_progress_and_refuses_connections() {
    let gate = Gate::shut();
    let (service, url) =
        start(app("server-drain").state(gate.clone()).register(blueprint_of!["b"; wait]).attach(http()))
            .await;
    let addr = service.http_addr().unwrap();
    let asked = tokio::spawn({
        let url = url.clone();
        async move { ask(&url, "/wait").await }
    });
    within(gate.entered.notified()).await;
    let mut stopping = tokio::spawn(service.stop());
    // New connections are refused while the old one is still served.
    let refused = async { while tokio::net::TcpStream::connect(addr).await.is_ok() {} };
    within(refused).await;
    assert!(timeout(Duration::from_millis(50), &mut stopping).await.is_err());
    gate.open.add_permits(1);
    assert_eq!(asked.await.unwrap(), (200, "waited".into()));
    within(stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_handler_that_outlasts_the_drain_is_cut_off_and_named() {
    let gate = Gate::shut();
    let (service, url) = start(
        app("server-cut")
            .state(gate.clone())
            .register(blueprint_of!["b"; wait])
            .attach(http())
            .drain(Duration::from_millis(100)),
    )
    .await;
    let asked = tokio::spawn(reqwest::get(format!("{url}/wait")));
    within(gate.entered.notified()).await;
    let error = within(service.stop()).await.unwrap_err().to_string();
    assert!(error.contains("1× integration::http_server::wait ("), "{error}");
    assert!(within(asked).await.unwrap().is_err());
}

#[tokio::test]
async fn a_stream_without_an_end_does_not_delay_the_stop() {
    let (service, url) = start(app("server-ticks").register(blueprint_of!["b"; ticks]).attach(http())).await;
    let mut response = reqwest::get(format!("{url}/ticks")).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "tick\n");
    within(service.stop()).await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_asked_to_stop_is_not_ready() {
    let app = app("server-stopping").register(blueprint_of!["b"; data]).attach(http());
    let (service, url) = start(app).await;
    assert_eq!(ask(&url, "/_service/ready").await.0, 200);
    service.shutdown().request();
    let (status, reason) = ask(&url, "/_service/ready").await;
    assert!(status == 503 && reason.contains("the service is stopping"), "{status} {reason}");
    assert_eq!(ask(&url, "/_service/status").await.0, 200);
    service.stop().await.unwrap();
}
