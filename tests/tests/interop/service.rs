//! Our callers, untyped and typed, and a service written with the Python package, on a real Redis.

use std::time::Duration;

use daebus::prelude::*;
use daebus_tests::{PythonService, RedisServer, eventually, until, within};

/// A call that goes well takes milliseconds.
const SOON: Duration = Duration::from_secs(10);

/// The numbers to add.
#[derive(Debug, Serialize, Deserialize)]
pub struct Numbers {
    a: f64,
    b: f64,
}

/// Their sum.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    sum: f64,
}

/// How far to count.
#[derive(Debug, Serialize, Deserialize)]
pub struct Count {
    to: u32,
}

/// How far it is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct At {
    at: u32,
}

/// How far it went.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    counted: u32,
}

/// What may be missing.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    value: Option<f64>,
    limit: Option<f64>,
}

/// An error that Python knows nothing of.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum Trouble {
    /// Ours alone.
    #[error("the disk is full")]
    DiskFull,
}

/// What is said on `from_python` and `to_python`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    text: String,
}

/// What the Python service offers, in types.
#[contract("python_service")]
pub trait Python {
    /// Adds.
    #[action("add")]
    async fn add(numbers: Numbers) -> Sum;
    /// Fails.
    #[action("fail")]
    async fn fail(payload: Value) -> Result<Sum, Trouble>;
    /// Counts.
    #[action("count", progress = At)]
    async fn count(to: Count) -> Counted;
    /// Fails inside, of which the package says nothing.
    #[action("raise", idempotent)]
    async fn raise(payload: Value) -> Result<Sum, Trouble>;
    /// Answers with what it is asked, which is no sum.
    #[action("echo")]
    async fn echo(payload: Value) -> Sum;
    /// Numbers that JSON hasn't got.
    #[action("nan")]
    async fn nan(payload: Value) -> Limits;
    /// Broadcasts what it is told.
    #[action("shout")]
    async fn shout(alert: Alert);
    /// What it broadcasts.
    #[event("from_python")]
    fn alert(alert: Alert);
}

struct Setting {
    caller: Caller,
    service: PythonService,
    redis: RedisServer,
}

async fn setting() -> Setting {
    let redis = RedisServer::start();
    let service = PythonService::start("python_service", &redis);
    let caller = Caller::connect(&redis.url(), "python_service").await.unwrap().timeout(SOON);
    Setting { caller, service, redis }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers() {
    let Setting { caller, .. } = &setting().await;
    for payload in [
        json!({}),
        json!({"a": [1, 2.5, true, null, {"b": "c"}]}),
        json!({"ä€😀": "\u{0}\u{1f}\"\\/ 漢字"}),
        json!([1, 2]),
        json!("a plain string"),
        json!(r#"{"looks": "like JSON"}"#),
        json!({"big": "x".repeat(4_000_000)}),
    ] {
        let answer: Value = caller.send_request("echo", &payload).await.unwrap();
        assert_eq!(answer, payload);
    }
    let answer: Value = caller.send_request("add", json!({"a": 40, "b": 2})).await.unwrap();
    assert_eq!(answer, json!({"sum": 42}));
    let answer: Value = caller.send_request("nan", json!({})).await.unwrap();
    assert_eq!(answer, json!({"value": null, "limit": null}));
    // An answer of type () accepts anything.
    let () = caller.send_request("echo", json!({"ignored": 1})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_python_said() {
    let Setting { caller, .. } = &setting().await;
    let error = caller.send_request::<Value>("fail", json!({})).await.unwrap_err();
    assert!(matches!(&error, CallError::Service(fault) if fault.code().is_none()), "{error:?}");
    assert_eq!(error.to_string(), "the disk is full, ärgerlich");
    assert_eq!(caller.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_handler_that_raises_is_a_timeout() {
    let Setting { caller, .. } = &setting().await;
    for action in ["raise", "no_such_action"] {
        let call = caller.send_request::<Value>(action, json!({})).timeout(Duration::from_millis(600));
        let error = call.await.unwrap_err();
        assert!(matches!(error, CallError::Timeout { .. }), "{action}: {error:?}");
    }
    assert_eq!(caller.in_flight(), 0);
    let answer: Value = caller.send_request("add", json!({"a": 1, "b": 1})).await.unwrap();
    assert_eq!(answer, json!({"sum": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_whatever_its_status() {
    let Setting { caller, .. } = &setting().await;
    let mut updates = caller.send_request::<Value>("count", json!({"to": 20})).progress();
    for at in 1..=20 {
        let update = updates.next().await;
        assert!(matches!(&update, Some(Update::Progress(said)) if *said == json!({"at": at})), "{update:?}");
    }
    let end = updates.next().await;
    assert!(matches!(&end, Some(Update::Done(Ok(answer))) if *answer == json!({"counted": 20})), "{end:?}");
    assert!(updates.next().await.is_none());

    // Python sends errors that aren't final too: progress all the same.
    let mut updates = caller.send_request::<Value>("grumble", json!({})).progress();
    let update = updates.next().await;
    assert!(matches!(&update, Some(Update::Progress(said)) if said["error"] == "not yet"), "{update:?}");
    let end = updates.next().await;
    assert!(matches!(&end, Some(Update::Done(Ok(answer))) if answer["done"] == true), "{end:?}");

    let mut updates = caller.send_request::<Value>("give_up", json!({})).progress();
    assert!(matches!(updates.next().await, Some(Update::Progress(_))));
    let end = updates.next().await;
    assert!(matches!(&end, Some(Update::Done(Err(error))) if error.to_string() == "gave up"), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_way_messages_have_pythons_flat_form() {
    let Setting { caller, .. } = &setting().await;
    let receivers = caller.send_to_service(json!({"info": "grün", "n": 1}), Some("note")).await.unwrap();
    assert_eq!(receivers, 1);
    // Python runs handlers on a pool, so the answer may come from before the note.
    let noted = json!({"notes": [{"info": "grün", "n": 1}]});
    eventually("it is noted", async || {
        caller.send_request::<Value>("notes", json!({})).await.unwrap() == noted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broadcasts_go_both_ways() {
    let Setting { caller, .. } = &setting().await;
    let mut alerts = caller.listen::<Value>("from_*").await.unwrap();
    let () = caller.send_request("shout", json!({"alert": "überhitzt"})).await.unwrap();
    let heard = within(alerts.next()).await;
    assert_eq!(heard, Some(json!({"alert": "überhitzt"})));

    assert_eq!(caller.send_message("to_python", json!({"hello": "python"})).await.unwrap(), 1);
    let heard = json!({"heard": [{"hello": "python"}]});
    eventually("it is heard", async || {
        caller.send_request::<Value>("heard", json!({})).await.unwrap() == heard
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_has_ended_is_missed_at_once() {
    let Setting { caller, service, redis } = setting().await;
    drop(service);
    until("Redis notices", || redis.cli(&["PUBSUB", "NUMSUB", "python_service"]).ends_with('0'));
    let error = caller.send_request::<Value>("echo", json!({})).await.unwrap_err();
    assert!(matches!(error, CallError::NoService { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_gives_types_to_python() {
    let Setting { caller, .. } = &setting().await;
    let python = PythonCaller::new(caller.clone());
    assert_eq!(python.add(&Numbers { a: 0.5, b: 0.25 }).await.unwrap(), Sum { sum: 0.75 });

    let mut updates = python.count(&Count { to: 3 }).progress();
    for at in 1..=3 {
        let update = updates.next().await;
        assert!(matches!(&update, Some(Update::Progress(said)) if *said == At { at }), "{update:?}");
    }
    let end = updates.next().await;
    assert!(matches!(end, Some(Update::Done(Ok(Counted { counted: 3 })))), "{end:?}");

    // Python's errors have no code, so they are none of the contract's.
    let error = python.fail(&json!({})).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Fault(fault) if fault.error() == "the disk is full, ärgerlich"),
        "{error:?}"
    );

    let mut alerts = python.on_alert().await.unwrap();
    let alert = || Alert { text: "überhitzt".into() };
    python.shout(&alert()).await.unwrap();
    let heard = within(alerts.next()).await;
    assert_eq!(heard, Some(alert()));
    assert_eq!(python.alert(&alert()).await.unwrap(), 1);

    // NaN is no number, and so none at all.
    assert_eq!(python.nan(&json!({})).await.unwrap(), Limits { value: None, limit: None });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_says_what_is_wrong_with_pythons_answer() {
    let Setting { redis, service: _service, .. } = &setting().await;
    let python = PythonCaller::connect(&redis.url()).await.unwrap();

    // An answer that isn't what the contract says: the field is named.
    let error = python.echo(&json!({"sum": "much"})).await.unwrap_err();
    assert!(matches!(error, CallError::Decode { .. }), "{error:?}");
    assert!(error.to_string().contains("`sum`"), "{error}");

    // A handler that raises says nothing: however often it is asked, until the time is over.
    let budget = Duration::from_millis(600);
    let error = python.raise(&json!({})).timeout(budget).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { after, .. } if after == budget), "{error:?}");
    assert_eq!(python.caller().in_flight(), 0);
    assert_eq!(python.add(&Numbers { a: 1.0, b: 2.0 }).await.unwrap(), Sum { sum: 3.0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn many_typed_calls_at_once_get_their_own_answers() {
    let Setting { caller, .. } = &setting().await;
    // More than Python's ten workers take at once.
    let python = PythonCaller::new(caller.clone());
    let calls: Vec<_> = (0..200).map(|n| python.add(&Numbers { a: f64::from(n), b: 0.5 }).spawn()).collect();
    for (n, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap(), Sum { sum: f64::from(n) + 0.5 });
    }
    assert_eq!(caller.in_flight(), 0);
}
