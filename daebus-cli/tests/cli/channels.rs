//! `listen` and `send`.

use daebus_tests::{Process, RedisServer, until};
use serde_json::{Value, json};

use crate::program::{daebus, run};

#[test]
fn messages_are_printed_until_there_are_enough() {
    let redis = RedisServer::start();
    let listen = ["listen", "sensor.*", "alerts", "--count", "3", "--json"];
    let mut listener = Process::start(&mut daebus(&redis, &listen));
    until("the listener subscribes", || {
        redis.cli(&["PUBSUB", "NUMPAT"]) == "1" && redis.cli(&["PUBSUB", "NUMSUB", "alerts"]).ends_with('1')
    });
    let ran = run(&redis, &["send", "sensor.attic", r#"{"celsius": 20.5}"#, "--json"]).ended(0);
    assert_eq!(ran.objects(), [json!({"channel": "sensor.attic", "receivers": 1})]);
    let ran = run(&redis, &["send", "unused", "{}"]).ended(0);
    assert_eq!(ran.out, "0 receivers\n");
    redis.cli(&["PUBLISH", "alerts", "no JSON"]);
    redis.cli(&["PUBLISH", "alerts", "7"]);
    assert_eq!(listener.wait().code(), Some(0), "{}", listener.said());
    listener.line("\"payload\":7");
    let said = listener.said();
    let objects: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3, "{said}");
    assert_eq!(
        (&objects[0]["channel"], &objects[0]["payload"]),
        (&json!("sensor.attic"), &json!({"celsius": 20.5}))
    );
    assert_eq!((&objects[1]["text"], &objects[2]["payload"]), (&json!("no JSON"), &json!(7)));
    assert!(objects[0]["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{said}");
}

#[test]
fn ctrl_c_ends_listening_and_leaves_no_subscription() {
    let redis = RedisServer::start();
    let mut listener = Process::start(&mut daebus(&redis, &["listen", "alerts", "sensor.*"]));
    listener.line("listening to alerts, sensor.* on redis://127.0.0.1");
    redis.cli(&["PUBLISH", "alerts", "{\"fire\": true}"]);
    listener.line("alerts  {\"fire\": true}");
    listener.signal("INT");
    assert_eq!(listener.wait().code(), Some(130), "{}", listener.said());
    until("the subscriptions end", || {
        redis.cli(&["PUBSUB", "NUMPAT"]) == "0" && redis.cli(&["PUBSUB", "NUMSUB", "alerts"]).ends_with('0')
    });
}
