//! Messages that a service can't accept: one log line when they begin, and one with the totals when they end.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::Arc;

use daebus::caller::bus::{self, Bus, BusUrl, Deliver, Message, Topic};
use daebus::prelude::*;
use daebus_tests_support::{eventually, next, within};
use tokio::sync::mpsc;

use crate::thread_log::ThreadLog;

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

async fn receive(Payload(value): Payload<Value>, State(received): State<mpsc::UnboundedSender<Value>>) {
    received.send(value).unwrap();
}

async fn connect(name: &str) -> Arc<dyn Bus> {
    bus::connect(&BusUrl::parse(&format!("memory://{name}")).unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_unreadable_or_too_large_are_logged_once_with_a_total() -> Result<(), BoxError> {
    let (log, _guard) = ThreadLog::start();
    let app = Daebus::new("svc").bus("memory://incidents").max_message(1000);
    let service = app.register(Blueprint::new("b").action("echo", echo)).start().await?;
    let bus = connect("incidents").await;
    let large = json!({"action": "echo", "payload": "x".repeat(1000)}).to_string();
    for _ in 0..20 {
        bus.publish("svc", "not JSON".into()).await?;
        bus.publish("svc", large.clone().into()).await?;
    }
    eventually("the episode ends", async || !log.lines("no longer refused").is_empty()).await;
    let [unreadable, large] = ["message dropped: unreadable", "too large"].map(|text| log.lines(text).len());
    assert_eq!((unreadable, large), (1, 1), "{:?}", log.lines(""));
    let totals = log.lines("no longer refused");
    assert!(totals.len() == 1 && totals[0].contains("unreadable=20 oversized=20 "), "{totals:?}");
    Ok(service.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn broadcasts_that_are_dropped_are_logged_once_with_the_handler_and_a_total() -> Result<(), BoxError> {
    let (log, _guard) = ThreadLog::start();
    let (received, mut messages) = mpsc::unbounded_channel::<Value>();
    let app = Daebus::new("svc").bus("memory://drops").max_message(1000).state(received);
    let service = app.register(Blueprint::new("b").listen("news", receive)).start().await?;
    let bus = connect("drops").await;
    for number in 0..10 {
        bus.publish("news", "not JSON".into()).await?;
        bus.publish("news", b"\xff"[..].into()).await?;
        bus.publish("news", json!("x".repeat(1000)).to_string().into()).await?;
        bus.publish("news", number.to_string().into()).await?;
        assert_eq!(next(&mut messages).await, number);
    }
    eventually("the episode ends", async || !log.lines("no longer dropped").is_empty()).await;
    let begins = log.lines("broadcast dropped");
    assert!(begins.len() == 1 && begins[0].contains("::receive"), "{begins:?}");
    let totals = log.lines("no longer dropped");
    assert!(totals.len() == 1 && totals[0].contains("dropped=30"), "{totals:?}");
    Ok(service.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn a_full_listener_queue_is_logged_with_its_handler() -> Result<(), BoxError> {
    let (log, _guard) = ThreadLog::start();
    let (received, mut messages) = mpsc::unbounded_channel::<Value>();
    let app = Daebus::new("svc").bus("memory://behind").listener_queue(2000).state(received);
    let service = app.register(Blueprint::new("b").listen("news", receive)).start().await?;
    let bus = connect("behind").await;
    tokio::task::unconstrained(async {
        for number in 0..100 {
            bus.publish("news", number.to_string().into()).await.unwrap();
        }
    })
    .await;
    while next(&mut messages).await != 99 {}
    for text in ["queue full", "accepts messages again"] {
        let lines = log.lines(text);
        assert!(lines.len() == 1 && lines[0].contains("::receive"), "{lines:?}");
    }
    Ok(service.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_to_a_reply_channel_with_an_invalid_name() -> Result<(), BoxError> {
    let (log, _guard) = ThreadLog::start();
    let service =
        Daebus::new("svc").bus("memory://names").register(Blueprint::new("b").action("echo", echo)).start();
    let service = service.await?;
    let bus = connect("names").await;
    let (received, mut replies) = mpsc::unbounded_channel::<Arc<str>>();
    let take = move |message: Message| received.send(message.channel).unwrap();
    let take: Arc<dyn Deliver> = Arc::new(take);
    let _inboxes = bus.subscribe(Topic::parse("caller:*"), Arc::clone(&take)).await?;
    let _reserved = bus.subscribe(Topic::parse("daebus:x"), take).await?;
    let names = [format!("caller:{}", "x".repeat(249)), "caller:\n".into(), "daebus:x".into()];
    for (name, action) in names.iter().zip(["echo", "unknown", "echo"]) {
        let request = json!({"action": action, "payload": 1, "request_id": 1, "reply_to": name});
        bus.publish("svc", request.to_string().into()).await?;
    }
    let longest = format!("caller:{}", "x".repeat(248));
    let request = json!({"action": "echo", "payload": 1, "request_id": 1, "reply_to": longest});
    bus.publish("svc", request.to_string().into()).await?;
    assert_eq!(*next(&mut replies).await, longest);
    eventually("the episode ends", async || !log.lines("no longer refused").is_empty()).await;
    assert_eq!(log.lines("invalid channel").len(), 1);
    assert!(log.lines("no longer refused")[0].contains("unanswerable=3"), "{:?}", log.lines(""));
    within(service.stop()).await?;
    assert!(replies.try_recv().is_err(), "no other reply is published");
    Ok(())
}
