//! The Python package's `DaebusCaller` and our services, on a real Redis.

use std::sync::{Arc, Mutex};

use daebus::prelude::*;
use daebus::{Result, Service};
use daebus_tests::{Process, PythonCaller, RedisServer, example, until};

#[derive(Debug, Serialize, Deserialize)]
struct Sum {
    a: i64,
    b: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct At {
    at: u32,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
enum Trouble {
    #[error("the disk {disk} is full, ärgerlich")]
    #[fault(status = 507)]
    DiskFull { disk: String },
}

/// What was heard and what came one-way, in order.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<Value>>>);

impl Heard {
    fn note(&self, value: Value) {
        self.0.lock().unwrap().push(value);
    }

    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }
}

#[blueprint("handlers")]
mod handlers {
    use super::*;

    #[action("echo")]
    pub(super) async fn echo(Payload(value): Payload<Value>) -> Value {
        value
    }

    #[action("echo_text")]
    pub(super) async fn echo_text(Payload(text): Payload<String>) -> String {
        text
    }

    #[action("add")]
    pub(super) async fn add(Payload(Sum { a, b }): Payload<Sum>) -> Value {
        json!({"sum": a + b})
    }

    #[action("nothing")]
    pub(super) async fn nothing() {}

    #[action("fail")]
    pub(super) async fn fail() -> std::result::Result<(), Trouble> {
        Err(Trouble::DiskFull { disk: "sda".into() })
    }

    #[action("panic")]
    pub(super) async fn panic() {
        panic!("inside, and nobody's business")
    }

    #[action("count")]
    pub(super) async fn count(
        Payload(to): Payload<Value>,
        progress: Progress<At>,
    ) -> std::result::Result<Value, BoxError> {
        let to = u32::try_from(to["to"].as_u64().ok_or("no number")?)?;
        for at in 1..=to {
            progress.send(At { at }).await?;
        }
        Ok(json!({"counted": to}))
    }

    #[action("note")]
    pub(super) async fn note(Payload(value): Payload<Value>, State(heard): State<Heard>) {
        heard.note(value);
    }

    #[listen("from_python")]
    pub(super) async fn from_python(Payload(value): Payload<Value>, State(heard): State<Heard>) {
        heard.note(value);
    }
}

struct Setting {
    redis: RedisServer,
    service: Service,
    heard: Heard,
    python: PythonCaller,
}

async fn setting() -> Setting {
    let redis = RedisServer::start();
    let heard = Heard::default();
    let app = Daebus::new("rust_service").bus(redis.url()).state(heard.clone());
    let service: Result<Service> = app.register(handlers::blueprint()).start().await;
    let python = PythonCaller::of("rust_service", &redis);
    Setting { service: service.unwrap(), redis, heard, python }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_calls_my_service_as_the_quick_start_does() {
    let redis = RedisServer::start();
    let my_service = Process::start(example("my_service").env("DAEBUS_URL", redis.url()));
    my_service.line("my_service is ready");
    let mut python = PythonCaller::of("my_service", &redis);

    let (status, _) = python.request("get_status", &json!({"detail_level": "full"}));
    let status = status.unwrap();
    assert_eq!(status["status"], "healthy");
    assert!(status["uptime"].as_f64().is_some_and(|seconds| seconds > 0.0), "{status}");
    assert_eq!(python.request("restart", &json!({"mode": "graceful"})).0, Ok(json!({"restarted": true})));
    assert_eq!(python.message("notifications", &json!({"type": "alert", "message": "hot"})), 1);
    my_service.line("notification received: {\"message\":\"hot\",\"type\":\"alert\"}");
    assert_eq!(python.to_service(&json!({"timestamp": 1, "info": "direct"}), Some("log_info")), 1);
    my_service.line("log_info: {\"info\":\"direct\",\"timestamp\":1}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_python_sends_comes_back() {
    let Setting { mut python, service, redis: _redis, .. } = setting().await;
    let cases = [
        json!({}),
        json!({"a": [1, 2.5, true, null, {"b": "c"}]}),
        json!({"ä€😀": "\u{0}\u{1f}\"\\/ 漢字", "": ""}),
        json!([1, [2, [3]]]),
        json!(17),
        json!(0.1),
        json!(false),
        json!("a plain string"),
        json!({"big": "x".repeat(4_000_000)}),
    ];
    for payload in cases {
        let (answer, _) = python.request("echo", &payload);
        assert_eq!(answer.as_ref(), Ok(&payload));
    }
    assert_eq!(python.request("add", &json!({"a": 40, "b": 2})).0, Ok(json!({"sum": 42})));
    assert_eq!(python.request("echo_text", &json!("größe")).0, Ok(json!("größe")));
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_python_writes_is_read() {
    let Setting { mut python, service, redis: _redis, .. } = setting().await;
    let (answer, _) = python.request_json("echo", r#"{"n": NaN, "i": [Infinity, -Infinity]}"#, 10.0);
    assert_eq!(answer, Ok(json!({"n": null, "i": [null, null]})));
    // A string that holds JSON is decoded once more, as Python's own services do.
    assert_eq!(python.request("add", &json!(r#"{"a": 1, "b": 2}"#)).0, Ok(json!({"sum": 3})));
    // null reads as {} where the type refuses null, and as null where it doesn't.
    let (answer, _) = python.request("count", &json!(null));
    assert!(answer.unwrap_err().starts_with("Exception: "));
    assert_eq!(python.request("echo", &json!(null)).0, Ok(json!(null)));
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_raise_with_their_sentence() {
    let Setting { mut python, service, redis: _redis, .. } = setting().await;
    let mut error = |action, payload| python.request(action, &payload).0.unwrap_err();
    assert_eq!(error("fail", json!({})), "Exception: the disk sda is full, ärgerlich");
    let panicked = error("panic", json!({}));
    assert!(panicked.starts_with("Exception: ") && !panicked.contains("nobody's business"), "{panicked}");
    let unreadable = error("add", json!({"a": 1, "b": "two"}));
    assert!(unreadable.contains("the payload can't be read: `b`"), "{unreadable}");
    let missing = error("add", json!({"a": 1}));
    assert!(missing.contains("missing field `b`"), "{missing}");
    assert_eq!(python.request("nothing", &json!({})).0, Ok(json!({})));
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_arrives_in_order_and_before_the_answer() {
    let Setting { mut python, service, redis: _redis, .. } = setting().await;
    let (answer, progress) = python.request("count", &json!({"to": 100}));
    assert_eq!(answer, Ok(json!({"counted": 100})));
    assert_eq!(progress, (1..=100).map(|at| json!({"at": at})).collect::<Vec<_>>());
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_one_way_requests_arrive_in_order() {
    let Setting { mut python, service, heard, redis: _redis } = setting().await;
    for n in 0..50 {
        assert_eq!(python.message("from_python", &json!({"n": n})), 1);
    }
    until("all are heard", || heard.all().len() >= 50);
    assert_eq!(heard.all(), (0..50).map(|n| json!({"n": n})).collect::<Vec<_>>());
    // The flat form: the payload's fields stand beside `action`.
    assert_eq!(python.to_service(&json!({"info": "ü", "service": "mine"}), Some("note")), 1);
    until("it is noted", || heard.all().len() == 51);
    assert_eq!(heard.all()[50], json!({"info": "ü", "service": "mine"}));
    // Without an action it is nobody's.
    assert_eq!(python.to_service(&json!({"lost": true}), None), 1);
    assert_eq!(python.request("nothing", &json!({})).0, Ok(json!({})));
    assert_eq!(heard.all().len(), 51);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_action_is_an_error_where_nobody_else_can_have_it() {
    let Setting { mut python, service, redis, .. } = setting().await;
    let (answer, _) = python.request("launch", &json!({}));
    assert_eq!(answer.unwrap_err(), "Exception: rust_service has no action \"launch\"");

    // Another process on the channel may have the action, so we stay silent.
    let other = Caller::connect(&redis.url(), "somebody").await.unwrap();
    let _listening = other.listen::<Value>("rust_service").await.unwrap();
    let (answer, _) = python.request_json("launch", "{}", 0.5);
    assert!(answer.as_ref().is_err_and(|error| error.starts_with("TimeoutError: ")), "{answer:?}");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_stops_nothing() {
    let Setting { mut python, service, redis, heard } = setting().await;
    for channel in ["rust_service", "from_python"] {
        for rubbish in
            ["", "no JSON", "[", "{\"action\":", "[1]", "17", "null", "{\"action\": 5}", "\u{fffd}"]
        {
            assert_eq!(redis.cli(&["PUBLISH", channel, rubbish]), "1");
        }
    }
    assert_eq!(python.request("add", &json!({"a": 40, "b": 2})).0, Ok(json!({"sum": 42})));
    assert_eq!(python.message("from_python", &json!({"still": "there"})), 1);
    until("it is heard", || heard.all().contains(&json!({"still": "there"})));
    service.stop().await.unwrap();
}
