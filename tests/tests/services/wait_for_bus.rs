//! A service that starts without its bus, and what it can do until that is there.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use daebus::prelude::*;
use daebus::{Feature, FeatureContext, Service};
use daebus_tests::{PATIENCE, RedisServer, eventually, next, within};
use tokio::sync::mpsc;

type Tell = mpsc::UnboundedSender<Value>;

#[action("echo")]
async fn echo(Payload(value): Payload<Value>) -> Value {
    value
}

#[listen("declared")]
async fn declared(Payload(event): Payload<Value>, State(tell): State<Tell>) {
    let _ = tell.send(event);
}

struct Nothing;

impl Feature for Nothing {
    async fn start(&self, cx: &FeatureContext) -> Result<(), BoxError> {
        // It starts all the same.
        assert!(cx.cache().get::<u64>("x").await.is_err());
        Ok(())
    }
}

async fn start(url: &str, tell: Tell) -> Service {
    let app = Daebus::new("joins").bus(url).wait_for_bus(false).state(tell).feature(Nothing);
    let starting = app.register(blueprint_of!["b"; echo, declared]).start();
    within(starting).await.unwrap()
}

async fn ready(service: &Service) {
    within(service.ready()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_without_and_joins_when_the_bus_comes() {
    let mut redis = RedisServer::not_started(&[]);
    let (tell, mut heard) = mpsc::unbounded_channel();
    let service = start(&redis.url(), tell.clone()).await;
    assert!(!service.is_ready());
    let guard = service.events().listen::<Value>("at.run.*", move |event| {
        let tell = tell.clone();
        async move { drop(tell.send(event)) }
    });
    assert!(!guard.is_confirmed());

    // A bound that is well past a broadcast's two seconds and well before for ever.
    let asked = Instant::now();
    let error = service.broadcast().send("declared", json!({})).await.unwrap_err();
    assert!(matches!(error, BusError::Away { .. }), "{error}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());

    redis.run();
    ready(&service).await;
    assert!(within(guard.confirmed()).await);
    let broadcast = service.broadcast();
    assert_eq!(broadcast.send("declared", json!({"n": 1})).await.unwrap(), 1);
    assert_eq!(next(&mut heard).await, json!({"n": 1}));
    assert_eq!(broadcast.send("at.run.time", json!({"n": 2})).await.unwrap(), 1);
    assert_eq!(next(&mut heard).await, json!({"n": 2}));
    let caller = Caller::connect(&redis.url(), "joins").await.unwrap();
    assert_eq!(caller.send_request::<Value>("echo", json!({"n": 3})).await.unwrap(), json!({"n": 3}));
    caller.close().await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_goes_and_comes_back_finds_everybody_where_they_were() {
    let mut redis = RedisServer::start();
    let (tell, mut heard) = mpsc::unbounded_channel();
    let service = start_with_bus(&redis, tell.clone()).await;
    let guard = service.events().listen::<Value>("at.run.time", move |event| {
        let tell = tell.clone();
        async move { drop(tell.send(event)) }
    });
    assert!(within(guard.confirmed()).await);
    redis.kill();
    let broadcast = service.broadcast();
    eventually("it notices", async || broadcast.send("x", json!({})).await.is_err()).await;
    let asked = Instant::now();
    assert!(broadcast.send("at.run.time", json!({"n": 0})).await.is_err());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    redis.run();
    eventually("the next one arrives", async || broadcast.send("at.run.time", json!({"n": 1})).await.is_ok())
        .await;
    assert_eq!(next(&mut heard).await, json!({"n": 1}));
    assert_eq!(broadcast.send("declared", json!({"n": 2})).await.unwrap(), 1);
    assert_eq!(next(&mut heard).await, json!({"n": 2}));
    service.stop().await.unwrap();
}

async fn start_with_bus(redis: &RedisServer, tell: Tell) -> Service {
    let app = Daebus::new("joins").bus(redis.url()).state(tell);
    app.register(blueprint_of!["b"; echo, declared]).start().await.unwrap()
}

#[route("/hello")]
async fn hello() -> &'static str {
    "hello"
}

/// The status and the body of a page.
fn page(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn http_serves_meanwhile_and_says_that_it_is_not_ready() {
    let mut redis = RedisServer::not_started(&[]);
    let app = Daebus::new("pages").bus(redis.url()).wait_for_bus(false).attach(Http::bind("127.0.0.1:0"));
    let service = app.register(blueprint_of!["b"; echo, hello]).start().await.unwrap();
    let address = service.http_addr().unwrap();
    assert_eq!(page(address, "/hello"), (200, "hello".to_owned()));
    assert_eq!(page(address, "/_service/status").0, 200);
    let (status, words) = page(address, "/_service/ready");
    assert!(status == 503 && words.contains("the bus is away"), "{status} {words}");
    redis.run();
    ready(&service).await;
    assert_eq!(page(address, "/_service/ready").0, 200);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_waited_out_too() {
    let redis = RedisServer::start_with(&["--requirepass", "right"]);
    let url = format!("redis://:right@127.0.0.1:{}", redis.port());
    // As an administrator would, who sets the password right on the server.
    redis.cli(&["--no-auth-warning", "-a", "right", "CONFIG", "SET", "requirepass", "other"]);
    let (tell, _heard) = mpsc::unbounded_channel();
    let service = start(&url, tell).await;
    eventually("it was refused", async || {
        redis.cli(&["--no-auth-warning", "-a", "other", "ACL", "LOG"]).contains("auth")
    })
    .await;
    assert!(!service.is_ready());
    redis.cli(&["--no-auth-warning", "-a", "other", "CONFIG", "SET", "requirepass", "right"]);
    ready(&service).await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_at_once_while_the_bus_is_away() {
    let redis = RedisServer::not_started(&[]);
    let (tell, _heard) = mpsc::unbounded_channel();
    let service = start(&redis.url(), tell).await;
    let guard = service.events().listen::<Value>("x", |_| async {});
    within(service.stop()).await.unwrap();
    assert!(!within(guard.confirmed()).await);
}

#[background("beat", every = "50ms")]
async fn beat(broadcast: Broadcast, State(tell): State<Tell>) {
    let sent = broadcast.send("beat", json!({})).await;
    let _ = tell.send(json!(sent.is_ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_fail_at_once_while_the_bus_stays_away() {
    let mut redis = RedisServer::start();
    let (tell, mut sent) = mpsc::unbounded_channel::<Value>();
    let app = Daebus::new("beats").bus(redis.url()).state(tell).register(blueprint_of!["b"; beat]);
    let service = app.start().await.unwrap();
    assert_eq!(next(&mut sent).await, json!(true));
    redis.kill();
    while next(&mut sent).await == json!(true) {}
    // Each of them waited for 2 s, so that the schedule skipped 39 of 40 runs.
    let failed = Instant::now();
    for _ in 0..20 {
        assert_eq!(next(&mut sent).await, json!(false));
    }
    assert!(failed.elapsed() < Duration::from_secs(20), "{:?}", failed.elapsed());
    redis.run();
    while next(&mut sent).await == json!(false) {}
    within(service.stop()).await.unwrap();
}

/// The head of a page, in small letters, on a connection that is kept.
fn head(kept: &mut TcpStream, path: &str) -> String {
    write!(kept, "GET {path} HTTP/1.1\r\nhost: test\r\norigin: http://page.example\r\n\r\n").unwrap();
    let mut response = Vec::new();
    let head = loop {
        let mut byte = [0];
        kept.read_exact(&mut byte).unwrap();
        response.push(byte[0]);
        if response.ends_with(b"\r\n\r\n") {
            break String::from_utf8_lossy(&response).to_lowercase();
        }
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    kept.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    head
}

/// An address that is free, for a server whose address can't be asked for while it starts.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn is_listening(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn http_answers_while_the_start_waits_for_the_bus() {
    let mut redis = RedisServer::not_started(&[]);
    let address = free_address();
    let http = Http::bind(address.to_string())
        .prefix("/api")
        .cors(Cors::new().allowed_origins("http://page.example"));
    let app = Daebus::new("pages").bus(redis.url()).attach(http).register(blueprint_of!["b"; echo, hello]);
    let starting = tokio::spawn(app.start());
    eventually("the port is bound", async || is_listening(address)).await;
    assert_eq!(page(address, "/api/_service/status"), (200, r#"{"status":"ok"}"#.to_owned()));
    for path in ["/api/_service/ready", "/api/hello", "/api/nothing", "/nothing/either"] {
        let (status, words) = page(address, path);
        let expected = if path.starts_with("/api") { 503 } else { 404 };
        assert_eq!(status, expected, "{path}: {words}");
        assert!(status != 503 || words.contains("the service is starting"), "{path}: {words}");
    }
    // A connection from before is served by the routes as well.
    let mut kept = TcpStream::connect(address).unwrap();
    kept.set_read_timeout(Some(PATIENCE)).unwrap();
    let refused = head(&mut kept, "/api/hello");
    assert!(
        refused.starts_with("http/1.1 503") && refused.contains("access-control-allow-origin"),
        "{refused}"
    );
    assert!(!starting.is_finished());
    redis.run();
    let service = within(starting).await.unwrap().unwrap();
    assert!(head(&mut kept, "/api/hello").starts_with("http/1.1 200"));
    drop(kept);
    assert_eq!(page(address, "/api/_service/ready").0, 200);
    assert_eq!(page(address, "/api/hello"), (200, "hello".to_owned()));
    within(service.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_given_up_closes_its_port() {
    let redis = RedisServer::not_started(&[]);
    let address = free_address();
    let app = Daebus::new("pages").bus(redis.url()).attach(Http::bind(address.to_string()));
    let starting = tokio::spawn(app.register(blueprint_of!["b"; echo, hello]).start());
    eventually("the port is bound", async || is_listening(address)).await;
    starting.abort();
    eventually("the port is closed", async || !is_listening(address)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_subscriptions_is_not_ready_before_its_bus() {
    let mut redis = RedisServer::not_started(&[]);
    let app = Daebus::new("pages").bus(redis.url()).wait_for_bus(false).attach(Http::bind("127.0.0.1:0"));
    let service = app.register(blueprint_of!["b"; hello]).start().await.unwrap();
    let address = service.http_addr().unwrap();
    for _ in 0..10 {
        assert_eq!(page(address, "/hello").0, 200);
        assert!(!service.is_ready());
    }
    redis.run();
    ready(&service).await;
    assert_eq!(page(address, "/_service/ready").0, 200);
    within(service.stop()).await.unwrap();
}

struct Outage {
    /// Told when `on_start` runs and when it has seen the outage.
    step: mpsc::UnboundedSender<&'static str>,
}

#[on_start]
async fn sees_the_bus_go(cache: Cache, State(outage): State<Arc<Outage>>) {
    let _ = outage.step.send("started");
    while cache.get::<u64>("x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let _ = outage.step.send("away");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_goes_away_during_on_start_is_waited_for() {
    let mut redis = RedisServer::start();
    let (tell, mut heard) = mpsc::unbounded_channel::<Value>();
    let (step, mut steps) = mpsc::unbounded_channel();
    let app = Daebus::new("joins").bus(redis.url()).state(tell).state(Arc::new(Outage { step }));
    let starting = tokio::spawn(app.register(blueprint_of!["b"; echo, declared, sees_the_bus_go]).start());
    assert_eq!(next(&mut steps).await, "started");
    redis.kill();
    assert_eq!(next(&mut steps).await, "away");
    // Not a wait for an event: the length of the outage.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    redis.run();
    let service = within(starting).await.unwrap().unwrap();
    assert!(service.is_ready());
    let echoed = service.callers().to("joins").send_request::<Value>("echo", json!({"n": 1})).await;
    assert_eq!(echoed.unwrap(), json!({"n": 1}));
    service.broadcast().send("declared", json!({"n": 2})).await.unwrap();
    assert_eq!(next(&mut heard).await, json!({"n": 2}));
    within(service.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_subscription_fails_the_start() {
    let redis = RedisServer::start();
    redis.cli(&["ACL", "SETUSER", "limited", "on", ">secret", "+@all", "~*", "resetchannels", "&declared"]);
    let url = format!("redis://limited:secret@127.0.0.1:{}", redis.port());
    let (tell, _heard) = mpsc::unbounded_channel::<Value>();
    let app = Daebus::new("joins").bus(url).state(tell).register(blueprint_of!["b"; echo, declared]);
    let error = within(app.start()).await.unwrap_err();
    assert!(matches!(error, daebus::Error::Bus(BusError::Refused { .. })), "{error}");
}
