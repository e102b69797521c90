//! Every example runs as it stands, and so does the README.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use daebus::prelude::*;
use daebus_tests::{Process, PythonCaller, RedisServer, example, profile_dir, workspace};

async fn call(redis: &RedisServer, service: &str, action: &str, payload: Value) -> Value {
    let caller = Caller::connect(&redis.url(), service).await.unwrap();
    caller.send_request(action, payload).await.unwrap()
}

fn start(name: &str, redis: &RedisServer) -> Process {
    Process::start(example(name).env("DAEBUS_URL", redis.url()))
}

#[test]
fn quickstart_needs_nothing_and_is_quick() {
    let mut quickstart = example("quickstart");
    // A URL that leads nowhere: it isn't asked.
    quickstart.env("DAEBUS_URL", "redis://127.0.0.1:1");
    let started = Instant::now();
    let output = quickstart.output().unwrap();
    let took = started.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "status: healthy\n\
         progress: 1 of 3\n\
         progress: 2 of 3\n\
         progress: 3 of 3\n\
         done: 3 files\n\
         broadcast received: 3 files were copied\n\
         error: there was nothing to copy\n"
    );
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn call_my_service_calls_my_service() {
    let redis = RedisServer::start();
    let service = start("my_service", &redis);
    service.line("my_service is ready");
    let mut caller = start("call_my_service", &redis);
    assert_eq!(caller.wait().code(), Some(0), "{}", caller.said());
    assert!(caller.line("Service status: ").contains(r#""status":"healthy""#));
    caller.line(r#"Restart result: {"restarted":true}"#);
    caller.line("Notification sent, receivers: 1");
    caller.line("Message sent, receivers: 1");
    service.line("notification received");
    service.line("log_info");
}

#[test]
fn call_my_service_says_when_nobody_is_there() {
    let redis = RedisServer::start();
    let mut caller = start("call_my_service", &redis);
    assert_eq!(caller.wait().code(), Some(1), "{}", caller.said());
    caller.line("my_service");
}

#[tokio::test]
async fn hello_service_greets() {
    let redis = RedisServer::start();
    let service = start("hello_service", &redis);
    service.line("hello-service is ready");
    let greeting = |name: &str| json!({"message": format!("Hello, {name}!")});
    assert_eq!(call(&redis, "hello-service", "hello_world", json!({})).await, greeting("World"));
    assert_eq!(call(&redis, "hello-service", "hello_world", json!(null)).await, greeting("World"));
    assert_eq!(
        call(&redis, "hello-service", "hello_world", json!({"name": "Jürgen"})).await,
        greeting("Jürgen")
    );
    let mut python = PythonCaller::of("hello-service", &redis);
    assert_eq!(python.request("hello_world", &json!({"name": "Guido"})).0, Ok(greeting("Guido")));
}

#[tokio::test]
async fn increment_loses_no_count() {
    let redis = RedisServer::start();
    let service = start("increment", &redis);
    service.line("counter is ready");
    let caller = Caller::connect(&redis.url(), "counter").await.unwrap();
    let calls: Vec<_> =
        (0..100).map(|_| caller.send_request::<Value>("increment", json!({})).spawn()).collect();
    let mut counts = Vec::new();
    for call in calls {
        counts.push(call.await.unwrap()["count"].as_u64().unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn cross_service_tells_whoever_listens() {
    let redis = RedisServer::start();
    let nobody_listens = start("cross_service", &redis);
    nobody_listens.line("Notification sent, receivers: 0");
    nobody_listens.line("my-service is ready");
    drop(nobody_listens);

    let listener = Caller::connect(&redis.url(), "other-service").await.unwrap();
    let mut started = listener.listen::<Value>("service_started").await.unwrap();
    let service = start("cross_service", &redis);
    service.line("Notification sent, receivers: 1");
    let heard = tokio::time::timeout(daebus_tests::PATIENCE, started.next()).await.unwrap().unwrap();
    assert_eq!(heard["service_name"], "my-service");
    assert!(heard["timestamp"].as_f64().is_some_and(|seconds| seconds > 1.7e9), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_is_a_program() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let block = |opens: &str| {
        let rest = readme.split(opens).nth(1).unwrap_or_else(|| panic!("the README has no {opens}"));
        rest.split("```").next().unwrap().to_owned()
    };
    let redis = RedisServer::start();
    let target = profile_dir();
    let target = target.parent().unwrap();
    let dir = target.join("readme");
    fs::create_dir_all(dir.join("src")).unwrap();
    // What stands there, but for where this checkout and this Redis are. Its own workspace, as outside of ours.
    let manifest = block("```toml\n");
    let path = format!("path = {:?}", workspace().join("daebus"));
    let manifest = replaced(&manifest, r#"path = "../daebus/daebus""#, &path);
    fs::write(dir.join("Cargo.toml"), manifest + "\n[workspace]\n").unwrap();
    let main = block("```rust,no_run\n");
    let main = replaced(&main, "redis://127.0.0.1:6379", &redis.url());
    fs::write(dir.join("src/main.rs"), replaced(&main, "127.0.0.1:8080", "127.0.0.1:0")).unwrap();
    fs::copy(workspace().join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();

    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(target)
        // As in our workspace, so that what is compiled already needn't be again.
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .current_dir(&dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let warnings = String::from_utf8_lossy(&output.stderr);
    assert!(!warnings.contains("src/main.rs"), "{warnings}");

    let service = Process::start(&mut Command::new(target.join("debug/user_service")));
    service.line("user_service is ready");
    assert_eq!(
        call(&redis, "user_service", "get_user", json!({"id": 7})).await,
        json!({"id": 7, "name": "Ada"})
    );
    let caller = Caller::connect(&redis.url(), "user_service").await.unwrap();
    let error = caller.send_request::<Value>("get_user", json!({"id": 8})).await.unwrap_err();
    assert_eq!(error.to_string(), "user 8 not found");
    let line = service.line("HTTP on http://");
    let users = format!("http://{}/users", line.split("http://").nth(1).unwrap());
    let answer = reqwest::get(format!("{users}/7")).await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"id": 7, "name": "Ada"}));
    assert_eq!(reqwest::get(format!("{users}/8")).await.unwrap().status(), 404);
    let mut python = PythonCaller::of("user_service", &redis);
    assert_eq!(python.request("get_user", &json!({"id": 7})).0, Ok(json!({"id": 7, "name": "Ada"})));
    python.message("user_events", &json!({"created": 7}));
    service.line(r#"received {"created":7}"#);
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the README doesn't say {from} any more");
    text.replace(from, to)
}

#[tokio::test]
async fn boilerplate_hears_its_own_readings_and_others() {
    let redis = RedisServer::start();
    let mut service = Process::start(example("boilerplate").args([
        "--room",
        "attic",
        "--every",
        "1",
        "--bus",
        &redis.url(),
    ]));
    service.line("thermometer is ready");
    service.line("attic: 20");
    let caller = Caller::connect(&redis.url(), "thermometer").await.unwrap();
    caller.send_message("temperature.cellar", json!({"room": "cellar", "celsius": 8.5})).await.unwrap();
    service.line("cellar: 8.5");
    assert_eq!(call(&redis, "thermometer", "history", json!("cellar")).await, json!([8.5]));
    service.signal("TERM");
    assert_eq!(service.wait().code(), Some(0), "{}", service.said());
    service.line("history of 2 rooms closed");
}

#[test]
fn boilerplate_shows_its_settings() {
    let output = example("boilerplate").args(["--show-config", "--drain", "5s"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("the flag --drain"), "{said}");
}
