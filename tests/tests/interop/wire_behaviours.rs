//! What can be seen on the wire, of Python's side and of ours, one beside the other; and the book's list of it.

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use daebus::prelude::*;
use daebus_caller::bus::{self, Bus, BusUrl, Queue, QueueLimits, QueueReceiver, Subscription, Topic};
use daebus_tests::{PATIENCE, PythonCaller, PythonService, RedisServer, workspace};

#[derive(Debug, Serialize, Deserialize)]
struct Numbers {
    a: i64,
    b: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Count {
    to: u32,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
enum Trouble {
    #[error("the disk is full, ärgerlich")]
    DiskFull,
}

/// The actions of `tests/interop/service.py`, as far as they are compared.
#[blueprint("handlers")]
mod handlers {
    use super::*;

    #[action("add")]
    pub(super) async fn add(Payload(Numbers { a, b }): Payload<Numbers>) -> Value {
        json!({"sum": a + b})
    }

    #[action("fail")]
    pub(super) async fn fail() -> Result<(), Trouble> {
        Err(Trouble::DiskFull)
    }

    #[action("count")]
    pub(super) async fn count(Payload(Count { to }): Payload<Count>, progress: Progress<Value>) -> Value {
        for at in 1..=to {
            let _ = progress.send(json!({"at": at})).await;
        }
        json!({"counted": to})
    }
}

/// Sees every message on the server, and says what it likes.
struct Monitor {
    bus: Arc<dyn Bus>,
    messages: QueueReceiver,
    _everything: Subscription,
}

impl Monitor {
    async fn on(redis: &RedisServer) -> Self {
        let bus = bus::connect(&BusUrl::parse(&redis.url()).unwrap()).await.unwrap();
        let (queue, messages) = Queue::drop_oldest(QueueLimits::default());
        let everything = bus.subscribe(Topic::Pattern("*".into()), queue).await.unwrap();
        Self { bus, messages, _everything: everything }
    }

    /// The next message on a channel that begins so, the others being passed over.
    async fn next(&mut self, channel: &str) -> (String, Value) {
        let wait = async {
            loop {
                let message = self.messages.recv().await.expect("the bus is there");
                if message.channel.starts_with(channel) {
                    let json = serde_json::from_slice(&message.payload).expect("it is JSON");
                    return (message.channel.to_string(), json);
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("nothing came on {channel}"))
    }

    async fn publish(&self, channel: &str, message: &Value) {
        self.bus.publish(channel, Bytes::from(message.to_string())).await.unwrap();
    }

    /// Everything that a service says to a request, up to its final reply; and where it said so.
    async fn replies(&mut self, service: &str, action: &str, payload: Value) -> Vec<Value> {
        let inbox = format!("caller:{service}:{action}");
        let request = json!({"action": action, "payload": payload, "reply_to": inbox, "request_id": "r1", "service": service});
        self.publish(service, &request).await;
        let mut replies = Vec::new();
        loop {
            replies.push(self.next(&inbox).await.1);
            if replies.last().is_some_and(|reply| reply["final"] == true) {
                return replies;
            }
        }
    }
}

fn keys(message: &Value) -> Vec<&str> {
    message.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_requests_are_pythons_and_a_budget() {
    let redis = RedisServer::start();
    let mut monitor = Monitor::on(&redis).await;
    let mut python = PythonCaller::of("somebody", &redis);
    let payload = json!({"a": 1, "text": "ä"});
    // Nobody answers; what is asked is all that matters.
    let (answer, _) = tokio::task::block_in_place(|| python.request_json("do", &payload.to_string(), 0.05));
    assert!(answer.is_err_and(|error| error.starts_with("TimeoutError: ")));
    let (_, theirs) = monitor.next("somebody").await;

    let caller = Caller::connect(&redis.url(), "somebody").await.unwrap();
    let call = caller.send_request::<Value>("do", &payload).timeout(Duration::from_millis(50));
    call.await.unwrap_err();
    let (_, ours) = monitor.next("somebody").await;

    assert_eq!(keys(&theirs), ["action", "payload", "reply_to", "request_id", "service"]);
    let extended = ["accepts", "action", "payload", "reply_to", "request_id", "service", "timeout_ms"];
    assert_eq!(keys(&ours), extended);
    for request in [&theirs, &ours] {
        assert_eq!((&request["action"], &request["service"]), (&json!("do"), &json!("somebody")));
        assert_eq!(request["payload"], payload);
        assert!(request["request_id"].as_str().is_some_and(|id| id.len() >= 18), "{request}");
        let inbox = request["reply_to"].as_str().unwrap();
        assert!(inbox.starts_with("caller:") && inbox.len() == "caller:".len() + 36, "{request}");
    }
    for unique in ["reply_to", "request_id"] {
        assert_ne!(ours[unique], theirs[unique]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_replies_are_pythons_and_our_name() {
    let redis = RedisServer::start();
    let _python = PythonService::start("python_service", &redis);
    let app = Daebus::new("rust_service").bus(redis.url()).register(handlers::blueprint());
    let service = app.start().await.unwrap();
    let mut monitor = Monitor::on(&redis).await;
    for (action, payload) in
        [("add", json!({"a": 40, "b": 2})), ("fail", json!({})), ("count", json!({"to": 3}))]
    {
        let theirs = monitor.replies("python_service", action, payload.clone()).await;
        let mut ours = monitor.replies("rust_service", action, payload).await;
        for reply in &mut ours {
            let fields = reply.as_object_mut().unwrap();
            let instance = fields.remove("instance").unwrap();
            assert!(instance.as_str().unwrap().starts_with("rust_service@"), "{instance}");
            // Python says `success` for these too; its caller looks at `final` alone.
            if fields["final"] == false {
                assert_eq!(fields.insert("status".into(), json!("success")), Some(json!("progress")));
            }
            let payload = fields["payload"].as_object_mut().unwrap();
            let (code, details) = (payload.remove("code"), payload.remove("details"));
            assert_eq!(code.is_some(), action == "fail", "{code:?}");
            assert_eq!(details.is_some(), action == "fail", "{details:?}");
        }
        assert_eq!(ours, theirs, "{action}");
    }
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_without_an_address_goes_where_pythons_goes() {
    let redis = RedisServer::start();
    let _python = PythonService::start("python_service", &redis);
    let app = Daebus::new("rust_service").bus(redis.url()).register(handlers::blueprint());
    let service = app.start().await.unwrap();
    let mut monitor = Monitor::on(&redis).await;
    let request = |rest: Value| {
        let mut request = json!({"action": "add", "payload": {"a": 1, "b": 1}, "request_id": "r1"});
        request.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        request
    };
    for name in ["python_service", "rust_service"] {
        // It isn't the service's own name that counts, but the one in the request.
        for service in [name, "elsewhere"] {
            monitor.publish(name, &request(json!({"service": service}))).await;
            let (channel, reply) = monitor.next(&format!("{service}.responses")).await;
            assert_eq!((channel, &reply["request_id"]), (format!("{service}.responses"), &json!("r1")));
        }
    }
    // Neither an address nor a service: Python answers on "None.responses", we on our own.
    monitor.publish("python_service", &request(json!({}))).await;
    monitor.next("None.responses").await;
    monitor.publish("rust_service", &request(json!({"reply_to": null}))).await;
    monitor.next("rust_service.responses").await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_way_request_is_answered_nowhere() {
    let redis = RedisServer::start();
    let app = Daebus::new("rust_service").bus(redis.url()).concurrency(1).register(handlers::blueprint());
    let service = app.start().await.unwrap();
    let mut monitor = Monitor::on(&redis).await;
    monitor.publish("rust_service", &json!({"action": "add", "payload": {"a": 1, "b": 1}})).await;
    monitor.publish("rust_service", &json!({"action": "fail"})).await;
    let asked =
        json!({"action": "add", "payload": {"a": 1, "b": 2}, "reply_to": "caller:x", "request_id": 7});
    monitor.publish("rust_service", &asked).await;
    // With one handler at a time, whatever the first two had said would have been said by now.
    let mut channels = Vec::new();
    loop {
        let (channel, message) = monitor.next("").await;
        if channel != "rust_service" {
            channels.push(channel);
        }
        if message["request_id"] == 7 && message["final"] == true {
            break;
        }
    }
    assert_eq!(channels, ["caller:x"]);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_may_be_any_json() {
    let redis = RedisServer::start();
    let service = Daebus::new("rust_service").bus(redis.url()).start().await.unwrap();
    let mut monitor = Monitor::on(&redis).await;
    let caller = service.callers().to("rust_service");
    for message in [json!({"a": 1}), json!([1, "ä"]), json!(17), json!("text"), json!(null)] {
        caller.send_message("news", &message).await.unwrap();
        let (_, heard) = monitor.next("news").await;
        assert_eq!(heard, message);
    }
    // Nothing to say is an object, as everywhere.
    caller.send_message("news", ()).await.unwrap();
    assert_eq!(monitor.next("news").await.1, json!({}));
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_actions_leaves_its_channel_alone() {
    #[listen("news")]
    async fn on_news(Payload(_): Payload<Value>) {}

    let redis = RedisServer::start();
    let app = Daebus::new("listener").bus(redis.url()).register(blueprint_of!["b"; on_news]);
    let service = app.start().await.unwrap();
    // `news` is subscribed and confirmed by now; nothing comes later.
    assert_eq!(redis.cli(&["PUBSUB", "NUMSUB", "news", "listener"]), "news\n1\nlistener\n0");
    service.stop().await.unwrap();
}

/// The chapter that lists all of this.
fn chapter(name: &str) -> String {
    fs::read_to_string(workspace().join("docs/src").join(name)).unwrap()
}

/// What stands between backticks and looks like a place in this repository.
fn places(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|text| text.contains(".rs") && !text.contains(char::is_whitespace)).collect()
}

/// Whether a file has a test of this name: a function with the attribute, or one that the list of a suite names.
fn has_test(file: &str, name: &str) -> Result<(), String> {
    let code = fs::read_to_string(workspace().join(file)).map_err(|error| format!("{file}: {error}"))?;
    let Some(at) = code.find(&format!("fn {name}(")) else {
        return Err(format!("{file} has no function {name}"));
    };
    let before: Vec<&str> =
        code[..at].lines().rev().take(5).take_while(|line| !line.starts_with('}')).collect();
    let marked =
        before.iter().any(|line| line.trim_start().starts_with("#[test") || line.contains("tokio::test"));
    let suite = workspace().join(file).with_file_name("mod.rs");
    let listed = fs::read_to_string(suite).is_ok_and(|list| list.contains(&format!("{name},")));
    if marked || listed { Ok(()) } else { Err(format!("{file}: {name} is a function, and no test")) }
}

#[test]
fn the_check_of_tests_sees_what_is_none() {
    let here = "tests/tests/interop/wire_behaviours.rs";
    assert_eq!(has_test(here, "our_requests_are_pythons_and_a_budget"), Ok(()));
    assert_eq!(has_test("daebus-caller/tests/integration/suite/errors.rs", "errors_are_told_apart"), Ok(()));
    for (file, name) in
        [(here, "no_such_thing"), (here, "chapter"), (here, "add"), ("tests/tests/gone.rs", "x")]
    {
        assert!(has_test(file, name).is_err(), "{file}::{name}");
    }
}

#[test]
fn every_row_of_the_book_points_at_a_test() {
    let text = chapter("wire-behaviours.md");
    let mut wrong = Vec::new();
    let rows: Vec<&str> =
        text.lines().filter(|line| line.starts_with('|') && line.contains(['✔', '≠'])).collect();
    assert!(rows.len() > 80, "only {} rows are left", rows.len());
    for row in rows {
        let tests: Vec<&str> = places(row).into_iter().filter(|place| place.contains("::")).collect();
        if tests.is_empty() {
            wrong.push(format!("no test: {row}"));
        }
        for test in tests {
            let (file, name) = test.split_once("::").unwrap();
            wrong.extend(has_test(file, name).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_that_the_book_names_is_there() {
    for file in ["seeds.md", "python-surface.md", "wire-behaviours.md"] {
        for place in places(&chapter(file)) {
            let path = place.split("::").next().unwrap();
            assert!(workspace().join(path).is_file(), "{file}: {path}");
        }
    }
    assert!(places(&chapter("seeds.md")).len() >= 16, "seeds.md has lost its examples");
}
