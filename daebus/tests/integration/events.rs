//! Listeners that start and stop while the service runs.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::{Arc, Mutex};

use daebus::prelude::*;
use daebus::{EventGuard, Feature, FeatureContext};
use daebus_tests_support::{eventually, next, within};
use tokio::sync::mpsc;

async fn confirmed(guard: &EventGuard) -> bool {
    within(guard.confirmed()).await
}

/// The watched rooms.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<Vec<EventGuard>>>);

#[action("watch")]
async fn watch(
    Payload(room): Payload<String>,
    events: Events,
    State(sender): State<mpsc::UnboundedSender<Value>>,
    State(watched): State<Watched>,
) -> bool {
    let guard = events.listen::<Value>(&room, move |event| {
        let sender = sender.clone();
        async move {
            sender.send(event).unwrap();
        }
    });
    let confirmed = guard.confirmed().await;
    watched.0.lock().unwrap().push(guard);
    confirmed
}

#[action("forget_all")]
async fn forget_all(State(watched): State<Watched>) {
    watched.0.lock().unwrap().clear();
}

#[tokio::test]
async fn a_handler_listens_and_stops_listening() {
    let (sender, mut received) = mpsc::unbounded_channel::<Value>();
    let service = Daebus::new("watcher")
        .bus("memory://events-handler")
        .state(sender)
        .state(Watched::default())
        .register(blueprint_of!["b"; watch, forget_all])
        .start()
        .await
        .unwrap();
    let caller = service.callers().to("watcher");
    for room in ["room.1", "hall.*"] {
        assert!(caller.send_request::<bool>("watch", room).await.unwrap());
    }
    let broadcast = service.broadcast();
    assert_eq!(broadcast.send("room.1", json!({"n": 1})).await.unwrap(), 1);
    assert_eq!(broadcast.send("hall.3", json!({"n": 2})).await.unwrap(), 1);
    let mut both = [next(&mut received).await, next(&mut received).await];
    both.sort_by_key(|event| event["n"].as_u64());
    assert_eq!(both, [json!({"n": 1}), json!({"n": 2})]);
    caller.send_request::<()>("forget_all", ()).await.unwrap();
    eventually("the listener stops after the guard is dropped", async || {
        broadcast.send("room.1", json!({"n": 3})).await.unwrap() == 0
    })
    .await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn messages_are_handled_in_order_and_after_failures() {
    let service = Daebus::new("orderly").bus("memory://events-order").start().await.unwrap();
    let (sender, mut received) = mpsc::unbounded_channel();
    let guard = service.events().listen::<u64>("numbers", move |n| {
        let sender = sender.clone();
        async move {
            // The first takes longest.
            tokio::time::sleep(Duration::from_millis(10 / (n + 1))).await;
            sender.send(n).unwrap();
            assert!(n != 2, "two fails");
            if n == 3 { Err(BoxError::from("three as well")) } else { Ok(()) }
        }
    });
    assert!(confirmed(&guard).await && guard.is_confirmed());
    let broadcast = service.broadcast();
    broadcast.send("numbers", json!({"not": "a number"})).await.unwrap();
    for n in 0..6 {
        broadcast.send("numbers", n).await.unwrap();
    }
    for n in 0..6 {
        assert_eq!(next(&mut received).await, n);
    }
    guard.keep();
    broadcast.send("numbers", 7).await.unwrap();
    assert_eq!(next(&mut received).await, 7, "the listener continues without its guard");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_listener_on_an_invalid_channel_receives_nothing() {
    let service = Daebus::new("strict").bus("memory://events-names").start().await.unwrap();
    for name in ["", "daebus:to:me", "tab\there"] {
        let guard = service.events().listen::<Value>(name, |_| async {});
        assert!(!confirmed(&guard).await, "{name:?}");
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopping_service_finishes_running_listeners() {
    let service = Daebus::new("leaving").bus("memory://events-stop").start().await.unwrap();
    let (sender, mut received) = mpsc::unbounded_channel();
    let guard = service.events().listen::<u64>("work", move |n| {
        let sender = sender.clone();
        async move {
            sender.send(format!("begins {n}")).unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            sender.send(format!("ends {n}")).unwrap();
        }
    });
    assert!(confirmed(&guard).await);
    service.broadcast().send("work", 1).await.unwrap();
    assert_eq!(next(&mut received).await, "begins 1");
    let events = service.events();
    service.stop().await.unwrap();
    assert_eq!(next(&mut received).await, "ends 1");
    let late = events.listen::<u64>("work", |_| async {});
    assert!(!confirmed(&late).await, "the service has stopped");
}

/// A feature that listens from its start.
struct Ears(mpsc::UnboundedSender<Value>);

impl Feature for Ears {
    async fn start(&self, cx: &FeatureContext) -> Result<(), BoxError> {
        let sender = self.0.clone();
        let guard = cx.events().listen::<Value>("news", move |news| {
            let sender = sender.clone();
            async move { drop(sender.send(news)) }
        });
        if !guard.confirmed().await {
            return Err("no subscription".into());
        }
        guard.keep();
        Ok(())
    }
}

#[tokio::test]
async fn a_feature_listens_before_the_service_is_ready() {
    #[on_start]
    async fn announce(broadcast: Broadcast) -> Result<(), BoxError> {
        assert_eq!(broadcast.send("news", json!({"it": "begins"})).await?, 1);
        Ok(())
    }
    let (sender, mut received) = mpsc::unbounded_channel();
    let app = Daebus::new("ears").bus("memory://events-feature").feature(Ears(sender));
    let service = app.register(blueprint_of!["b"; announce]).start().await.unwrap();
    assert_eq!(next(&mut received).await, json!({"it": "begins"}));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_listener_that_is_cut_off_is_named() {
    let app = Daebus::new("stuck").bus("memory://events-stuck").drain(Duration::from_millis(50));
    let service = app.start().await.unwrap();
    let (sender, mut received) = mpsc::unbounded_channel();
    let guard = service.events().listen::<u64>("work", move |n| {
        sender.send(n).unwrap();
        std::future::pending::<()>()
    });
    assert!(confirmed(&guard).await);
    service.broadcast().send("work", 1).await.unwrap();
    next(&mut received).await;
    let error = service.stop().await.unwrap_err().to_string();
    assert!(error.contains("events.rs:"), "{error}");
}
