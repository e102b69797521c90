//! What a call hears on its way.

use std::sync::{Arc, Mutex};

use daebus_caller::{CallError, Caller, Fault, Update};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ground, Service, eventually, success};

#[derive(Debug, Deserialize, PartialEq, Clone)]
struct Step {
    done: u32,
}

fn step(done: u32, status: &str) -> Value {
    json!({"status": status, "payload": {"done": done}, "final": false})
}

/// Three updates, as Python says them too, and an answer.
fn three_steps(_: &Value) -> Vec<Value> {
    vec![step(1, "progress"), step(2, "success"), step(3, "error"), success(&json!({"done": true}))]
}

pub(crate) async fn progress_comes_in_order_and_before_the_answer(ground: Ground) {
    let _service = Service::start(&ground.service, "svc", three_steps).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let answer = caller.__call::<Value, Fault, Step>("import", &(), false).on_progress({
        let heard = heard.clone();
        move |step: Step| heard.lock().unwrap().push(step.done)
    });
    assert_eq!(answer.await.unwrap(), json!({"done": true}));
    assert_eq!(*heard.lock().unwrap(), [1, 2, 3]);
}

pub(crate) async fn progress_is_a_stream_with_the_answer_at_its_end(ground: Ground) {
    let _service = Service::start(&ground.service, "svc", three_steps).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let mut updates = caller.send_request::<Value>("import", ()).progress();
    for done in 1..=3 {
        let update = updates.next().await;
        assert!(
            matches!(&update, Some(Update::Progress(step)) if *step == json!({"done": done})),
            "{update:?}"
        );
    }
    assert!(
        matches!(updates.next().await, Some(Update::Done(Ok(answer))) if answer == json!({"done": true}))
    );
    assert!(updates.next().await.is_none());

    let mut updates = caller.to("nobody").send_request::<Value>("import", ()).progress();
    assert!(matches!(updates.next().await, Some(Update::Done(Err(CallError::NoService { .. })))));
    assert!(updates.next().await.is_none());
}

pub(crate) async fn progress_that_can_not_be_read_never_fails_the_call(ground: Ground) {
    let _service = Service::start(&ground.service, "svc", |_| {
        let rubbish = json!({"status": "progress", "payload": "what", "final": false});
        vec![step(1, "progress"), rubbish, json!({"final": false}), step(2, "progress"), success(&json!({}))]
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let mut updates = caller.__call::<Value, Fault, Step>("import", &(), false).progress();
    assert!(matches!(updates.next().await, Some(Update::Progress(Step { done: 1 }))));
    assert!(matches!(updates.next().await, Some(Update::Progress(Step { done: 2 }))));
    assert!(matches!(updates.next().await, Some(Update::Done(Ok(_)))));
}

pub(crate) async fn progress_that_nobody_reads_is_bounded(ground: Ground) {
    let _service = Service::start(&ground.service, "svc", |_| {
        (1..=1000).map(|done| step(done, "progress")).chain([success(&json!({"done": true}))]).collect()
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let mut updates = caller.__call::<Value, Fault, Step>("import", &(), false).progress();
    let Some(Update::Progress(first)) = updates.next().await else { panic!("progress comes first") };
    // The reader takes the rest while nobody looks; the answer ends it.
    eventually("answered", async || caller.in_flight() == 0).await;
    let mut seen = vec![first.done];
    loop {
        match updates.next().await {
            Some(Update::Progress(step)) => {
                assert!(Some(&step.done) > seen.last(), "{} after {seen:?}", step.done);
                seen.push(step.done);
            }
            Some(Update::Done(answer)) => {
                assert_eq!(answer.unwrap(), json!({"done": true}));
                break;
            }
            None => panic!("no end"),
        }
    }
    // The newest are kept. What was read from the queue before the look away is on top of its 64.
    assert_eq!(seen[seen.len() - 64..], (937..=1000).collect::<Vec<u32>>());
    assert!(seen.len() <= 129, "{}", seen.len());
}
