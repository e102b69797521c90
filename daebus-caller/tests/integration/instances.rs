//! Instances of a service over time: expiry, outages, and requests without a receiver.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daebus_caller::bus::{Bus, BusState, MemoryBus, Queue, QueueLimits, Topic};
use daebus_caller::wire::presence::{info_key, instance_channel};
use daebus_caller::{BusError, CallError, Caller, Fault, InstanceId, Retry};
use daebus_tests_support::eventually;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use crate::odd_bus::{Odd, answer, caller};
use crate::suite::{HandMade, Service, echo, silence};

const LONG: Duration = Duration::from_secs(60);

fn bus() -> Arc<dyn Bus> {
    MemoryBus::new()
}

fn on(bus: &Arc<dyn Bus>) -> Caller {
    Caller::on_bus(bus.clone(), "svc").unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_killed_instance_fail_within_twenty_five_seconds() {
    let bus = Arc::new(Odd::new([]));
    let shared: Arc<dyn Bus> = bus.clone();
    let mut a = HandMade::join(&shared, "a", silence).await;
    let caller = on(&shared).timeout(LONG);
    let jobs: Vec<_> = (0..1000).map(|_| caller.send_request::<Value>("get", ()).spawn()).collect();
    for _ in &jobs {
        a.service.next().await;
    }
    let read = bus.read.load(Ordering::Relaxed);
    let killed = Instant::now();
    a.service.leave();
    for job in jobs {
        assert!(matches!(job.await, Err(CallError::InstanceLost { .. })));
    }
    let took = killed.elapsed();
    assert!(took >= Duration::from_secs(15) && took < Duration::from_secs(17), "{took:?}");
    let read = bus.read.load(Ordering::Relaxed) - read;
    assert!(read <= 20, "1000 calls read the info {read} times");
}

#[tokio::test(start_paused = true)]
async fn a_long_call_of_a_living_instance_is_not_disturbed() {
    let bus = bus();
    let a = HandMade::join(&bus, "a", silence).await;
    let started = Instant::now();
    let mut call = on(&bus).send_request::<Value>("get", ()).timeout(LONG).into_future();
    let error = loop {
        tokio::select! {
            outcome = &mut call => break outcome.unwrap_err(),
            () = tokio::time::sleep(Duration::from_secs(5)) => a.write_info().await,
        }
    };
    assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
    assert_eq!(started.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_killed_instance_is_removed_from_the_list_that_is_watched() {
    let bus = bus();
    let a = HandMade::join(&bus, "a", silence).await;
    let b = HandMade::join(&bus, "b", silence).await;
    let mut members = on(&bus).members();
    members.wait_for(|members| members.len() == 2).await.unwrap_err();
    let caller = on(&bus);
    let mut members = caller.members();
    members.wait_for(|members| members.len() == 2).await.unwrap();
    let killed = Instant::now();
    while members.borrow_and_update().len() == 2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        b.write_info().await;
    }
    assert!(killed.elapsed() <= Duration::from_secs(20), "{:?}", killed.elapsed());
    assert_eq!(*members.borrow(), std::slice::from_ref(&b.info));
    drop(a);
}

#[tokio::test(start_paused = true)]
async fn no_instance_is_removed_for_fifteen_seconds_after_a_reconnect() {
    let bus = Arc::new(Odd::new([]));
    let shared: Arc<dyn Bus> = bus.clone();
    let mut a = HandMade::naming_itself(&shared, "a").await;
    let b = HandMade::naming_itself(&shared, "b").await;
    let caller = on(&shared);
    caller.wait_for(2, LONG).await.unwrap();
    let members = caller.members();

    bus.state.send_replace(BusState::Away);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for instance in [&a, &b] {
        shared.delete(&info_key(&instance.info.id)).await.unwrap();
    }
    let reconnected = Instant::now();
    bus.state.send_replace(BusState::Ready);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(members.borrow().len(), 2, "the server has lost its keys");
    b.write_info().await;
    for answer in join_all((0..2).map(|_| caller.send_request::<String>("get", ()).into_future())).await {
        answer.unwrap();
    }
    a.service.leave();
    eventually("the instance that has not come back is removed", async || members.borrow().len() == 1).await;
    let took = reconnected.elapsed();
    assert!(took >= Duration::from_secs(15) && took < Duration::from_secs(17), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_instance_has_an_info_is_waited_for() {
    let bus = bus();
    let mut a = HandMade::join(&bus, "a", silence).await;
    a.service.leave();
    let caller = on(&bus);
    let job = caller.send_request::<Value>("get", 7).spawn();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!job.is_finished());
    let _service = Service::start(&bus, "svc", echo).await;
    assert_eq!(job.await.unwrap(), 7);

    let bus = self::bus();
    let mut a = HandMade::join(&bus, "a", silence).await;
    a.service.leave();
    let started = Instant::now();
    let error = on(&bus).send_request::<Value>("get", ()).timeout(LONG).await.unwrap_err();
    assert!(matches!(error, CallError::NoService { .. }), "{error:?}");
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(14) && took < Duration::from_secs(17), "until it expires: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_named_instance_that_reconnects_is_waited_for() {
    let bus = bus();
    let mut a = HandMade::naming_itself(&bus, "a").await;
    a.service.leave();
    let caller = on(&bus);
    let named = || caller.send_request::<Value>("get", 7).on_instance("a");
    let job = named().spawn();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(!job.is_finished());
    let channel = instance_channel(&InstanceId::new("a").unwrap());
    let service = Service::start(&bus, &channel, echo).await;
    assert_eq!(job.await.unwrap(), 7);
    drop(service);
    let started = Instant::now();
    assert!(matches!(named().timeout(LONG).await, Err(CallError::InstanceLost { .. })));
    assert!(started.elapsed() < Duration::from_secs(16), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_suspended_instance_is_selected_again_after_a_second() {
    let bus = bus();
    let mut a = HandMade::naming_itself(&bus, "a").await;
    let _b = HandMade::naming_itself(&bus, "b").await;
    let caller = on(&bus);
    let ask = async || caller.send_request::<String>("get", ()).await.unwrap();
    a.service.leave();
    for _ in 0..4 {
        assert_eq!(ask().await, "b");
    }
    let channel = instance_channel(&a.info.id);
    let mut again = Service::start(&bus, &channel, |_| vec![crate::suite::success(&"a".into())]).await;
    assert_eq!(ask().await, "b");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answers = [ask().await, ask().await];
    assert!(answers.contains(&"a".to_owned()), "{answers:?}");
    assert!(again.heard.try_recv().is_ok());
}

/// A monitor that receives everything makes the number of receivers positive.
#[tokio::test(start_paused = true)]
async fn an_instance_that_only_a_monitor_listens_for_is_lost_with_its_info() {
    let bus = bus();
    let mut a = HandMade::join(&bus, "a", silence).await;
    let (queue, _messages) = Queue::drop_oldest(QueueLimits::default());
    let _end = bus.subscribe(Topic::parse("*"), queue).await.unwrap();
    let caller = on(&bus).timeout(LONG);
    caller.wait_for(1, LONG).await.unwrap();
    a.service.leave();
    bus.delete(&info_key(&a.info.id)).await.unwrap();
    let started = Instant::now();
    let error = caller.send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(error, CallError::InstanceLost { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_info_of_an_instance_without_a_subscriber_is_read_every_second() {
    let bus = bus();
    let mut a = HandMade::join(&bus, "a", silence).await;
    let job = on(&bus).send_request::<Value>("get", ()).timeout(LONG).spawn();
    a.service.next().await;
    a.service.leave();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!job.is_finished(), "its info exists");
    bus.delete(&info_key(&a.info.id)).await.unwrap();
    let expired = Instant::now();
    assert!(matches!(job.await, Err(CallError::InstanceLost { .. })));
    assert!(expired.elapsed() <= Duration::from_secs(1), "{:?}", expired.elapsed());
}

#[tokio::test(start_paused = true)]
async fn idempotent_calls_of_a_killed_instance_wait_for_the_next_one() {
    let bus = bus();
    let mut a = HandMade::join(&bus, "a", silence).await;
    let caller = on(&bus).timeout(LONG);
    let job = caller.__call::<Value, Fault, Value>("get", &7, true).retry(Retry::attempts(1)).spawn();
    a.service.next().await;
    a.service.leave();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let _b = HandMade::join(&bus, "b", echo).await;
    assert_eq!(job.await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_service_without_instances_costs_one_subscription_and_one_reading() {
    let bus = Arc::new(Odd::new([]));
    let _service = answer(&bus).await;
    let caller = caller(&bus);
    let subscribed = bus.subscribed.load(Ordering::Relaxed);
    for n in 0..100 {
        assert_eq!(caller.to("svc").send_request::<Value>("get", n).await.unwrap(), n);
    }
    assert_eq!(bus.subscribed.load(Ordering::Relaxed) - subscribed, 2, "the inbox and the members channel");
    assert_eq!(bus.read.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_first_reading_that_takes_long_does_not_hold_up_calls() {
    let bus = Arc::new(Odd::new([]));
    let _service = answer(&bus).await;
    bus.failing_reads.store(true, Ordering::Relaxed);
    let started = Instant::now();
    let caller = caller(&bus);
    for n in 0..30 {
        assert_eq!(caller.send_request::<Value>("get", n).await.unwrap(), n);
    }
    assert!(started.elapsed() < Duration::from_millis(300), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_named_instance_is_looked_up_again_when_the_bus_is_back() {
    let bus = Arc::new(Odd::new([]));
    let shared: Arc<dyn Bus> = bus.clone();
    let _a = HandMade::naming_itself(&shared, "a").await;
    let caller = on(&shared).timeout(LONG);
    caller.send_request::<String>("get", ()).await.unwrap();
    bus.failing_reads.store(true, Ordering::Relaxed);
    bus.state.send_replace(BusState::Away);
    let mut call = caller.send_request::<String>("get", ()).on_instance("b").into_future();
    tokio::time::timeout(Duration::from_secs(5), &mut call).await.expect_err("the call waits for the bus");
    let _b = HandMade::naming_itself(&shared, "b").await;
    bus.failing_reads.store(false, Ordering::Relaxed);
    bus.state.send_replace(BusState::Ready);
    assert_eq!(call.await.unwrap(), "b");
}

#[tokio::test(start_paused = true)]
async fn calls_to_instances_report_a_bus_that_stays_away() {
    let bus = Arc::new(Odd::new([]));
    let shared: Arc<dyn Bus> = bus.clone();
    bus.failing_reads.store(true, Ordering::Relaxed);
    bus.state.send_replace(BusState::Away);
    let caller = on(&shared);
    let named = caller.send_request::<Value>("get", ()).on_instance("a").await;
    assert!(matches!(named, Err(CallError::Bus(BusError::Away { .. }))), "{named:?}");
    let all = caller.send_request::<Value>("get", ()).on_all().await;
    assert!(matches!(all, Err(CallError::Bus(BusError::Away { .. }))), "{all:?}");
}
