//! Services that run as several instances.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daebus_caller::wire::presence::{info_key, instance_channel};
use daebus_caller::{Balance, BusError, CallError, Caller, Fault, Instance, InstanceId};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{BOUND, Ground, HandMade, Service, echo, eventually, silence, success};

pub(crate) fn caller(ground: &Ground) -> Caller {
    Caller::on_bus(ground.caller.clone(), "svc").unwrap()
}

async fn ask(caller: &Caller) -> String {
    caller.send_request::<String>("get", ()).await.unwrap()
}

/// Waits until the caller has that many running instances.
async fn until_running(caller: &Caller, instances: usize) {
    let mut members = caller.members();
    let count = |members: &Vec<Instance>| members.iter().filter(|member| member.is_running()).count();
    members.wait_for(|members| count(members) == instances).await.unwrap();
}

pub(crate) async fn calls_are_distributed_round_robin(ground: Ground) {
    let mut instances = Vec::new();
    for id in ["a", "b", "c"] {
        instances.push(HandMade::naming_itself(&ground.service, id).await);
    }
    let mut service = Service::start(&ground.service, "svc", echo).await;
    let caller = caller(&ground);
    let mut answers = BTreeMap::new();
    for _ in 0..9 {
        *answers.entry(ask(&caller).await).or_insert(0) += 1;
    }
    assert_eq!(answers, ["a", "b", "c"].map(|id| (id.to_owned(), 3)).into());
    assert!(service.heard.try_recv().is_err(), "no request went to the service's own channel");
    let request = instances[0].service.next().await;
    assert_eq!(request["service"], "svc");
}

pub(crate) async fn members_follow_joins_drains_and_leaves(ground: Ground) {
    let _service = Service::start(&ground.service, "svc", |_| vec![success(&json!("svc"))]).await;
    let caller = caller(&ground);
    assert_eq!(ask(&caller).await, "svc");
    assert!(caller.members().borrow().is_empty());

    let mut a = HandMade::naming_itself(&ground.service, "a").await;
    until_running(&caller, 1).await;
    assert_eq!(*caller.members().borrow(), [a.info.clone()]);
    assert_eq!(ask(&caller).await, "a");

    let mut b = HandMade::naming_itself(&ground.service, "b").await;
    until_running(&caller, 2).await;
    a.drain().await;
    until_running(&caller, 1).await;
    assert_eq!(*caller.members().borrow(), [a.info.clone(), b.info.clone()]);
    a.received();
    for _ in 0..4 {
        assert_eq!(ask(&caller).await, "b");
    }
    assert_eq!(a.received(), 0, "a draining instance gets no new request");

    a.leave().await;
    b.leave().await;
    let mut members = caller.members();
    members.wait_for(Vec::is_empty).await.unwrap();
    assert_eq!(ask(&caller).await, "svc");
}

pub(crate) async fn an_instance_can_be_named(ground: Ground) {
    let _a = HandMade::naming_itself(&ground.service, "a").await;
    let b = HandMade::naming_itself(&ground.service, "b").await;
    let caller = caller(&ground);
    let call = || caller.send_request::<String>("get", ());
    for _ in 0..3 {
        assert_eq!(call().on_instance("a").await.unwrap(), "a");
        assert_eq!(call().on_instance(&b.info.id).await.unwrap(), "b");
    }
    let error = call().on_instance("c").await.unwrap_err();
    assert!(matches!(&error, CallError::InstanceLost { instance } if instance == "c"), "{error:?}");
    let error = call().on_instance("").await.unwrap_err();
    assert!(matches!(&error, CallError::Bus(BusError::Name(_))), "{error:?}");
}

pub(crate) async fn equal_keys_reach_the_same_instance(ground: Ground) {
    let mut instances = Vec::new();
    for n in 0..4 {
        instances.push(HandMade::naming_itself(&ground.service, &n.to_string()).await);
    }
    let caller = caller(&ground).balance(Balance::ByKey);
    let by_key = async |key: &str| caller.send_request::<String>("get", ()).key(key).await.unwrap();
    let by_payload = async |n: u32| caller.send_request::<String>("get", n).await.unwrap();
    let mut selected = BTreeSet::new();
    for n in 0..40 {
        let key = n.to_string();
        let instance = by_key(&key).await;
        assert_eq!(by_key(&key).await, instance);
        assert_eq!(by_payload(n).await, by_payload(n).await);
        selected.insert(instance);
    }
    assert_eq!(selected.len(), 4);
    let before = by_key("some key").await;
    let other = instances.iter().position(|instance| instance.info.id.as_str() != before).unwrap();
    instances[other].leave().await;
    until_running(&caller, 3).await;
    assert_eq!(by_key("some key").await, before);
}

pub(crate) async fn the_least_busy_instance_is_selected(ground: Ground) {
    let mut a = HandMade::join(&ground.service, "a", silence).await;
    let mut b = HandMade::join(&ground.service, "b", silence).await;
    let caller = caller(&ground).balance(Balance::LeastInFlight).timeout(BOUND);
    caller.wait_for(2, BOUND).await.unwrap();
    let first: Vec<_> =
        (0..3).map(|_| caller.send_request::<Value>("get", ()).on_instance("a").spawn()).collect();
    for _ in 0..3 {
        a.service.next().await;
    }
    let second: Vec<_> = (0..3).map(|_| caller.send_request::<Value>("get", ()).spawn()).collect();
    for _ in 0..3 {
        b.service.next().await;
    }
    assert_eq!(a.received(), 0);
    for job in first.iter().chain(&second) {
        job.abort();
    }
}

pub(crate) async fn a_refused_call_goes_to_another_instance(ground: Ground) {
    let mut full = HandMade::refusing(&ground.service, "full", "overloaded").await;
    let mut stopping = HandMade::refusing(&ground.service, "stopping", "shutting_down").await;
    let mut idle = HandMade::naming_itself(&ground.service, "idle").await;
    let caller = caller(&ground);
    for _ in 0..3 {
        assert_eq!(ask(&caller).await, "idle");
    }
    let mut ids = BTreeSet::new();
    let mut requests = 0;
    for instance in [&mut full, &mut stopping, &mut idle] {
        while let Ok(request) = instance.service.heard.try_recv() {
            assert_eq!(request["action"], "get");
            ids.insert(request["request_id"].to_string());
            requests += 1;
        }
    }
    assert_eq!(ids.len(), requests, "every try has a request id of its own");
}

pub(crate) async fn a_call_is_refused_by_three_instances_at_most(ground: Ground) {
    let mut instances = Vec::new();
    for n in 0..5 {
        instances.push(HandMade::refusing(&ground.service, &n.to_string(), "overloaded").await);
    }
    let mut service = Service::start(&ground.service, "svc", echo).await;
    let caller = caller(&ground);
    caller.wait_for(5, BOUND).await.unwrap();
    let error = caller.send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(&error, CallError::Fault(fault) if fault.is_refused()), "{error:?}");
    assert!(error.is_not_run());
    let received: Vec<usize> = instances.iter_mut().map(HandMade::received).collect();
    assert_eq!((received.iter().sum::<usize>(), received.iter().max()), (3, Some(&1)), "{received:?}");
    assert!(service.heard.try_recv().is_err());
    let named = caller.send_request::<Value>("get", ()).on_instance("0").await.unwrap_err();
    assert!(matches!(&named, CallError::Fault(fault) if fault.is_refused()), "{named:?}");
    assert_eq!(instances.iter_mut().map(HandMade::received).collect::<Vec<_>>(), [1, 0, 0, 0, 0]);
}

pub(crate) async fn an_unknown_action_finally_goes_to_the_services_own_channel(ground: Ground) {
    let mut a = HandMade::refusing(&ground.service, "a", "unknown_action").await;
    let mut b = HandMade::refusing(&ground.service, "b", "unknown_action").await;
    let _service = Service::start(&ground.service, "svc", |_| vec![success(&json!("python"))]).await;
    let caller = caller(&ground);
    assert_eq!(ask(&caller).await, "python");
    assert_eq!((a.received(), b.received()), (1, 1));
    // A handler's own error of that code is an answer.
    let error = json!({"status": "error", "payload": {"error": "no", "code": "unknown_action"}});
    let _c = HandMade::join(&ground.service, "c", move |_| vec![error.clone()]).await;
    caller.wait_for(3, BOUND).await.unwrap();
    let error = caller.send_request::<Value>("get", ()).on_instance("c").await.unwrap_err();
    assert!(!error.is_not_run(), "{error:?}");
}

pub(crate) async fn an_instance_whose_channel_has_no_receiver_is_skipped(ground: Ground) {
    let mut dead = HandMade::naming_itself(&ground.service, "dead").await;
    let _alive = HandMade::naming_itself(&ground.service, "alive").await;
    let caller = caller(&ground);
    caller.wait_for(2, BOUND).await.unwrap();
    dead.service.leave();
    let channel = instance_channel(&dead.info.id);
    let bus = ground.monitor.clone();
    eventually("the instance has left its channel", async || bus.subscribers(&channel).await.unwrap() == 0)
        .await;
    let started = Instant::now();
    for _ in 0..4 {
        assert_eq!(ask(&caller).await, "alive");
    }
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert_eq!(caller.members().borrow().len(), 2, "its info exists");
    let bus = &ground.service;
    bus.delete(&info_key(&dead.info.id)).await.unwrap();
    let error = caller.send_request::<Value>("get", ()).on_instance("dead").await.unwrap_err();
    assert!(matches!(error, CallError::InstanceLost { .. }), "{error:?}");
    assert_eq!(caller.members().borrow().len(), 1);
}

pub(crate) async fn calls_to_an_instance_that_left_fail_within_a_second(ground: Ground) {
    let mut a = HandMade::join(&ground.service, "a", silence).await;
    let caller = caller(&ground).timeout(BOUND);
    let jobs: Vec<_> = (0..20).map(|_| caller.send_request::<Value>("get", ()).spawn()).collect();
    for _ in &jobs {
        a.service.next().await;
    }
    let started = Instant::now();
    a.leave().await;
    for job in jobs {
        let error = job.await.unwrap_err();
        assert!(matches!(&error, CallError::InstanceLost { instance } if instance == "a"), "{error:?}");
        assert!(!error.is_not_run());
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(450) && took < Duration::from_secs(1), "{took:?}");
    assert_eq!(caller.in_flight(), 0);
}

pub(crate) async fn an_answer_shortly_after_the_instance_left_still_counts(ground: Ground) {
    let a = InstanceId::new("a").unwrap();
    let mut slow = Service::start_slow(&ground.service, &instance_channel(&a), |_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        vec![success(&json!("a"))]
    })
    .await;
    let mut instance = HandMade::join(&ground.service, "a", silence).await;
    instance.service.leave();
    let caller = caller(&ground);
    let job = caller.send_request::<String>("get", ()).spawn();
    slow.next().await;
    instance.leave().await;
    assert_eq!(job.await.unwrap(), "a");
}

pub(crate) async fn idempotent_calls_of_a_lost_instance_are_made_elsewhere(ground: Ground) {
    let mut a = HandMade::join(&ground.service, "a", silence).await;
    let caller = caller(&ground).timeout(BOUND);
    caller.wait_for(1, BOUND).await.unwrap();
    let idempotent = || caller.__call::<String, Fault, Value>("get", &(), true);
    let (first, second) = (idempotent().spawn(), idempotent().on_instance("a").spawn());
    for _ in 0..2 {
        a.service.next().await;
    }
    let _b = HandMade::naming_itself(&ground.service, "b").await;
    until_running(&caller, 2).await;
    a.leave().await;
    assert_eq!(first.await.unwrap(), "b");
    let error = second.await.unwrap_err();
    assert!(matches!(error, CallError::InstanceLost { .. }), "the instance was named: {error:?}");
}

pub(crate) async fn another_run_ends_the_calls_of_the_one_before_it(ground: Ground) {
    let mut first = HandMade::join(&ground.service, "a", silence).await;
    let caller = caller(&ground).timeout(BOUND);
    let job = caller.send_request::<Value>("get", ()).spawn();
    first.service.next().await;
    first.service.leave();
    let _second = HandMade::naming_itself(&ground.service, "a").await;
    let error = job.await.unwrap_err();
    assert!(matches!(error, CallError::InstanceLost { .. }), "{error:?}");
    assert_eq!(ask(&caller).await, "a");
}

pub(crate) async fn all_instances_can_be_called(ground: Ground) {
    let caller = caller(&ground);
    let error = caller.send_request::<Value>("get", ()).on_all().await.unwrap_err();
    assert!(matches!(error, CallError::NoService { .. }), "{error:?}");

    let _a = HandMade::naming_itself(&ground.service, "a").await;
    let _full = HandMade::refusing(&ground.service, "full", "overloaded").await;
    let mut leaving = HandMade::join(&ground.service, "leaving", silence).await;
    let mut draining = HandMade::naming_itself(&ground.service, "draining").await;
    let _silent = HandMade::join(&ground.service, "silent", silence).await;
    draining.drain().await;
    until_running(&caller, 4).await;
    let call = caller.send_request::<String>("get", ()).timeout(Duration::from_secs(2));
    let all = tokio::spawn(call.on_all());
    leaving.service.next().await;
    leaving.leave().await;
    let mut results = all.await.unwrap().unwrap();
    let mut take = |id: &str| results.remove(&InstanceId::new(id).unwrap()).unwrap();
    assert_eq!(take("a").unwrap(), "a");
    assert!(matches!(take("full"), Err(CallError::Fault(fault)) if fault.is_refused()));
    assert!(matches!(take("leaving"), Err(CallError::InstanceLost { .. })));
    assert!(matches!(take("silent"), Err(CallError::Timeout { .. })));
    assert!(results.is_empty(), "{results:?}");
    assert_eq!(caller.in_flight(), 0);
}

pub(crate) async fn a_number_of_instances_can_be_waited_for(ground: Ground) {
    let caller = caller(&ground);
    let waiting = tokio::spawn({
        let caller = caller.clone();
        async move { caller.wait_for(2, BOUND).await }
    });
    let _a = HandMade::naming_itself(&ground.service, "a").await;
    caller.wait_for(1, BOUND).await.unwrap();
    assert!(!waiting.is_finished());
    let error = caller.wait_for(2, Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(error.to_string(), "1 of 2 instances of \"svc\" are alive after 100ms");
    let _b = HandMade::naming_itself(&ground.service, "b").await;
    waiting.await.unwrap().unwrap();
    assert!(matches!(caller.to("caller:x").wait_for(1, BOUND).await, Err(CallError::Bus(BusError::Name(_)))));
    let (closing, other) = (caller.to("other"), caller.clone());
    let waiting = tokio::spawn(async move { closing.wait_for(1, BOUND).await });
    other.close().await;
    assert!(matches!(waiting.await.unwrap(), Err(CallError::Closed)));
}

pub(crate) async fn a_dropped_call_is_cancelled_at_its_instance(ground: Ground) {
    let mut a = HandMade::join(&ground.service, "a", silence).await;
    let caller = caller(&ground);
    let job = caller.send_request::<Value>("get", ()).spawn();
    let request = a.service.next().await;
    job.abort();
    let cancel = a.service.next().await;
    assert_eq!(cancel["action"], "$cancel");
    assert_eq!(cancel["payload"]["request_id"], request["request_id"]);
}
