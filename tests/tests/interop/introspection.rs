//! The built-in actions, called through the Python package on a real Redis.

use daebus::prelude::*;
use daebus_tests::{PythonCaller, RedisServer};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Sum {
    a: i64,
    b: i64,
}

/// Adds two numbers.
#[action("add")]
async fn add(Payload(Sum { a, b }): Payload<Sum>) -> Value {
    json!({"sum": a + b})
}

#[tokio::test(flavor = "multi_thread")]
async fn python_asks_a_service_about_itself() {
    let redis = RedisServer::start();
    let app = Daebus::new("rust_service").bus(redis.url()).version("1.2").register(blueprint_of!["b"; add]);
    let service = app.start().await.unwrap();
    let mut python = PythonCaller::of("rust_service", &redis);
    assert_eq!(python.request("add", &json!({"a": 40, "b": 2})).0, Ok(json!({"sum": 42})));
    let mistake = python.request("add", &json!({"a": 40})).0.unwrap_err();
    assert!(mistake.contains("missing field `b`"), "{mistake}");

    let ping = python.request("$ping", &json!({})).0.unwrap();
    assert_eq!((&ping["service"], &ping["version"]), (&json!("rust_service"), &json!("1.2")));
    let info = python.request("$info", &json!({})).0.unwrap();
    assert_eq!((&info["id"], &info["pid"]), (&ping["id"], &json!(std::process::id())));
    assert_eq!(info["actions"][0]["description"], "Adds two numbers.");
    assert_eq!(info["actions"][0]["payload"]["required"], json!(["a", "b"]));
    let stats = python.request("$stats", &json!({})).0.unwrap();
    let add = &stats["handlers"][0];
    assert_eq!(
        (&add["name"], &add["num_requests"], &add["num_errors"]),
        (&json!("add"), &json!(2), &json!(1))
    );
    assert_eq!(add["last_error"]["code"], "invalid_payload");
    service.stop().await.unwrap();
}
