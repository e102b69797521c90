//! The ways a call ends without an answer, and that nothing stays behind.

use std::time::Duration;

use daebus_caller::{BusError, CallError, Caller, Fault};
use serde_json::{Value, json};

use super::{BOUND, Ground, Service, echo, eventually, silence};

pub(crate) async fn time_runs_out_and_a_late_reply_is_ignored(ground: Ground) {
    let _service = Service::start_slow(&ground.service, "svc", |request| async move {
        if request["action"] == "slow" {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        echo(&request)
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap().timeout(Duration::from_millis(50));
    let error = caller.send_request::<Value>("slow", ()).await.unwrap_err();
    let CallError::Timeout { service, action, after } = &error else { panic!("{error:?}") };
    assert_eq!((service.as_str(), action.as_str()), ("svc", "slow"));
    assert!((Duration::from_millis(45)..=Duration::from_millis(50)).contains(after), "{after:?}");
    assert_eq!(caller.in_flight(), 0);
    // The late reply arrives before this answer does.
    let answer: Value = caller.send_request("slow", json!({"n": 2})).timeout(BOUND).await.unwrap();
    assert_eq!(answer, json!({"n": 2}));
}

pub(crate) async fn a_dropped_call_is_taken_back(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", silence).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let mut call = caller.send_request::<Value>("slow", ()).into_future();
    let request = tokio::select! {
        request = service.next() => request,
        _ = &mut call => panic!("nobody answers"),
    };
    assert_eq!(caller.in_flight(), 1);
    drop(call);
    assert_eq!(caller.in_flight(), 0);
    let cancel = service.next().await;
    assert_eq!(cancel["action"], "$cancel");
    assert_eq!(
        cancel["payload"],
        json!({"request_id": request["request_id"], "reply_to": request["reply_to"]})
    );
    assert_eq!(cancel["service"], "svc");
    assert!(cancel.get("reply_to").is_none() && cancel.get("request_id").is_none(), "{cancel}");

    let mut updates = caller.send_request::<Value>("slow", ()).progress();
    tokio::select! {
        _ = service.next() => {}
        _ = updates.next() => panic!("nobody answers"),
    }
    drop(updates);
    assert_eq!(caller.in_flight(), 0);
    assert_eq!(service.next().await["action"], "$cancel");
}

pub(crate) async fn an_aborted_job_is_taken_back(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", silence).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let job = caller.send_request::<Value>("slow", ()).spawn();
    service.next().await;
    job.abort();
    let error = job.await.unwrap_err();
    assert!(matches!(&error, CallError::Fault(fault) if fault.code() == Some("cancelled")), "{error:?}");
    assert_eq!(service.next().await["action"], "$cancel");
    assert_eq!(caller.in_flight(), 0);
}

pub(crate) async fn an_answered_call_is_not_taken_back(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let _: Value = caller.send_request("one", ()).await.unwrap();
    let _ = caller.send_request::<u64>("of_another_type", ()).await.unwrap_err();
    let _: Value = caller.send_request("three", ()).await.unwrap();
    for action in ["one", "of_another_type", "three"] {
        assert_eq!(service.next().await["action"], action);
    }
}

pub(crate) async fn closing_ends_calls_and_listenings(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", silence).await;
    let caller = Caller::connect(&ground.url, "svc").await.unwrap();
    let other = caller.to("other");
    let mut listening = other.listen::<Value>("news").await.unwrap();
    let job = caller.send_request::<Value>("slow", ()).timeout(BOUND * 2).spawn();
    service.next().await;
    other.close().await;
    assert!(matches!(job.await, Err(CallError::Closed)));
    assert!(listening.next().await.is_none());
    assert_eq!(caller.in_flight(), 0);
    assert!(matches!(caller.send_request::<Value>("x", ()).await, Err(CallError::Closed)));
    assert!(matches!(caller.send_message("x", ()).await, Err(BusError::Closed)));
    assert!(matches!(caller.listen::<Value>("x").await, Err(BusError::Closed)));
    caller.close().await;
}

pub(crate) async fn closing_a_shared_bus_s_caller_leaves_the_bus(ground: Ground) {
    let _service = Service::start(&ground.service, "svc", echo).await;
    let one = Caller::on_bus(ground.caller.clone(), "svc").unwrap();
    let two = Caller::on_bus(ground.caller.clone(), "svc").unwrap();
    one.close().await;
    assert!(matches!(one.send_request::<Value>("x", ()).await, Err(CallError::Closed)));
    let _: Value = two.send_request("x", ()).await.unwrap();

    // And the other way round: the bus goes, whoever closed it.
    let mut quiet = Service::start(&ground.service, "quiet", silence).await;
    let job = two.to("quiet").send_request::<Value>("slow", ()).timeout(BOUND * 2).spawn();
    quiet.next().await;
    ground.caller.close().await;
    assert!(matches!(job.await, Err(CallError::<Fault>::Closed)));
}

pub(crate) async fn dropping_every_caller_disconnects(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::connect(&ground.url, "svc").await.unwrap();
    let other = caller.to("other");
    let _: Value = caller.send_request("x", ()).await.unwrap();
    let inbox = service.next().await["reply_to"].as_str().unwrap().to_owned();
    let mut listening = caller.listen::<Value>("news").await.unwrap();
    drop(caller);
    drop(other);
    // Whoever listens still keeps the connection.
    ground.service.publish("news", r#"{"n":1}"#.into()).await.unwrap();
    assert_eq!(listening.next().await.unwrap(), json!({"n": 1}));
    drop(listening);
    eventually("the inbox is gone", async || ground.service.subscribers(&inbox).await.unwrap() == 0).await;
    eventually("the listening is gone", async || ground.service.subscribers("news").await.unwrap() == 0)
        .await;
}
