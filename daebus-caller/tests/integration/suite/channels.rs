//! Messages that nobody answers.

use daebus_caller::Caller;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Ground, Service, silence};

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Reading {
    celsius: f64,
}

pub(crate) async fn messages_reach_channels_and_patterns(ground: Ground) {
    let sender = Caller::on_bus(ground.service, "svc").unwrap();
    assert_eq!(sender.send_message("sensor.1", &Reading { celsius: 1.5 }).await.unwrap(), 0);
    let listener = Caller::connect(&ground.url, "svc").await.unwrap();
    let mut one = listener.listen::<Reading>("sensor.1").await.unwrap();
    let mut all = listener.listen::<Reading>("sensor.*").await.unwrap();
    assert!(sender.send_message("sensor.1", &Reading { celsius: 1.5 }).await.unwrap() >= 1);
    assert_eq!(sender.send_message("sensor.2", &Reading { celsius: 2.5 }).await.unwrap(), 1);
    assert_eq!(one.next().await.unwrap(), Reading { celsius: 1.5 });
    assert_eq!(all.next().await.unwrap(), Reading { celsius: 1.5 });
    assert_eq!(all.next().await.unwrap(), Reading { celsius: 2.5 });
    assert_eq!((one.dropped(), all.unreadable()), (0, 0));
}

pub(crate) async fn broadcasts_that_can_not_be_read_are_counted(ground: Ground) {
    let sender = Caller::on_bus(ground.service.clone(), "svc").unwrap();
    let listener = Caller::on_bus(ground.caller, "svc").unwrap();
    let mut listening = listener.listen::<Reading>("sensor").await.unwrap();
    ground.service.publish("sensor", "{".into()).await.unwrap();
    ground.service.publish("sensor", vec![0xff, 0xfe].into()).await.unwrap();
    sender.send_message("sensor", json!({"fahrenheit": 70})).await.unwrap();
    sender.send_message("sensor", &Reading { celsius: 20.0 }).await.unwrap();
    assert_eq!(listening.next().await.unwrap(), Reading { celsius: 20.0 });
    assert_eq!(listening.unreadable(), 3);
}

pub(crate) async fn one_way_messages_are_as_python_writes_them(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", silence).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    for (payload, action, expected) in [
        (json!({"level": "info"}), Some("log_info"), json!({"level": "info", "action": "log_info"})),
        (json!({}), Some("tick"), json!({"action": "tick"})),
        (json!([1, 2]), Some("list"), json!({"action": "list", "payload": [1, 2]})),
        (json!({"payload": 1, "n": 2}), Some("x"), json!({"action": "x", "payload": {"payload": 1, "n": 2}})),
        (json!({"action": "own", "n": 1}), None, json!({"action": "own", "n": 1})),
    ] {
        assert_eq!(caller.send_to_service(&payload, action).await.unwrap(), 1);
        assert_eq!(service.next().await, expected, "{payload}");
    }
    assert_eq!(caller.to("nobody").send_to_service(Value::Null, Some("x")).await.unwrap(), 0);
}
