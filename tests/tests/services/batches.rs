//! Batches on a real Redis: what is published, and that every call is answered all the same.

use std::sync::Arc;
use std::time::Duration;

use daebus::prelude::*;
use daebus_caller::bus::{self, Bus, BusUrl, Message, Topic};
use daebus_tests::{RedisServer, next, within};
use futures_util::future::join_all;
use tokio::sync::mpsc::{self, UnboundedReceiver};

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

fn app(server: &RedisServer) -> Daebus {
    Daebus::new("batched").bus(server.url()).register(Blueprint::new("b").action("echo", echo))
}

async fn connect(server: &RedisServer) -> Arc<dyn Bus> {
    bus::connect(&BusUrl::parse(&server.url()).unwrap()).await.unwrap()
}

/// Returns the messages on the channels that match.
async fn monitor(bus: &Arc<dyn Bus>, pattern: &str) -> UnboundedReceiver<Value> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let take = move |message: Message| {
        let _ = sender.send(serde_json::from_slice(&message.payload).unwrap_or_default());
    };
    let subscription = bus.subscribe(Topic::parse(pattern), Arc::new(take)).await.unwrap();
    // For as long as the bus.
    std::mem::forget(subscription);
    receiver
}

/// Returns the largest number of messages that were published together.
fn largest(messages: &mut UnboundedReceiver<Value>) -> usize {
    let mut largest = 0;
    while let Ok(message) = messages.try_recv() {
        largest = largest.max(message.as_array().map_or(1, Vec::len));
    }
    largest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_flight_share_publishes_and_all_are_answered() {
    let server = RedisServer::start();
    let service = app(&server).start().await.unwrap();
    let caller = Caller::connect(&server.url(), "batched").await.unwrap();
    // The first call finds the instance.
    within(caller.wait_for(1, Duration::from_secs(5))).await.unwrap();
    let bus = connect(&server).await;
    let (mut requests, mut replies) = (monitor(&bus, "daebus:to:*").await, monitor(&bus, "caller:*").await);
    let mut shared = monitor(&bus, "batched").await;
    let calls = (0..1_000).map(|number| {
        let caller = caller.clone();
        async move { (number, caller.send_request::<u64>("echo", number).await.unwrap()) }
    });
    for (number, answer) in within(join_all(calls)).await {
        assert_eq!(number, answer);
    }
    // A call that is alone is published alone.
    assert_eq!(caller.send_request::<u64>("echo", 7).await.unwrap(), 7);
    let (requests, replies) = (largest(&mut requests), largest(&mut replies));
    assert!(requests > 1 && requests <= 64, "{requests} requests in one message");
    assert!(replies > 1 && replies <= 64, "{replies} replies in one message");
    assert_eq!(largest(&mut shared), 0, "instances are addressed by their own channels");
    within(service.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_element_of_a_batch_loses_only_itself() {
    let server = RedisServer::start();
    let service = app(&server).start().await.unwrap();
    let caller = Caller::connect(&server.url(), "batched").await.unwrap();
    within(caller.wait_for(1, Duration::from_secs(5))).await.unwrap();
    let id = caller.members().borrow()[0].id.clone();
    let bus = connect(&server).await;
    let mut replies = monitor(&bus, "answers").await;
    let request = |number: u64| json!({"action": "echo", "payload": number, "reply_to": "answers", "request_id": number});
    let batch = json!([7, request(1), [request(2)], null, request(3)]);
    bus.publish(&format!("daebus:to:{id}"), batch.to_string().into()).await.unwrap();
    // An array on the service's own channel is no batch.
    bus.publish("batched", json!([request(4)]).to_string().into()).await.unwrap();
    bus.publish("batched", request(5).to_string().into()).await.unwrap();
    let mut answered = Vec::new();
    while answered.len() < 3 {
        answered.push(next(&mut replies).await["payload"].as_u64().unwrap());
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 3, 5], "replies to inboxes that don't accept batches are single");
    within(service.stop()).await.unwrap();
}
