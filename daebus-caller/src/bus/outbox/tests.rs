use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use super::publisher::{IN_FLIGHT, OUTAGE};
use super::puppet::Puppet;
use super::*;
use crate::bus::interface::BusState;

const WITHIN: Duration = Duration::from_secs(1);
const INBOX: &str = "caller:a";

fn outbox(bus: &Arc<Puppet>) -> Outbox {
    Outbox::new(Arc::clone(bus) as Arc<dyn Bus>)
}

/// Sends the final reply to the request of that name, which has 20 s left.
async fn reply(outbox: &Outbox, name: &str) {
    reply_by(outbox, name, Instant::now() + Duration::from_secs(20)).await;
}

async fn reply_by(outbox: &Outbox, name: &str, deadline: Instant) {
    let id = RawJson::from_value(name).unwrap();
    outbox.reply(INBOX, Bytes::from(name.to_owned()), Some(&id), deadline, Batching::Alone).await.unwrap();
}

/// Sends `count` final replies, one after the other. Returns how many were dropped.
async fn dropped_of(outbox: &Outbox, count: usize) -> usize {
    let mut dropped = 0;
    for n in 0..count {
        let deadline = Instant::now() + Duration::from_secs(20);
        match outbox.reply(INBOX, Bytes::from(n.to_string()), None, deadline, Batching::Alone).await {
            Ok(()) => {}
            Err(BusError::ReplyDropped { .. }) => dropped += 1,
            Err(error) => panic!("{error}"),
        }
    }
    dropped
}

/// Starts as many publishes as may be in flight.
async fn fill(outbox: &Outbox) -> JoinSet<Result<u64, BusError>> {
    let mut in_flight = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let outbox = outbox.clone();
        in_flight.spawn(async move { outbox.publish("c", Bytes::new(), WITHIN).await });
    }
    while outbox.0.publisher.in_flight() < IN_FLIGHT {
        tokio::task::yield_now().await;
    }
    in_flight
}

fn unknown() -> Result<u64, BusError> {
    Err(BusError::Unknown { location: "puppet".into(), reason: "test".into() })
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_stays_away_is_waited_for_no_longer_than_asked() {
    let outbox = outbox(&Puppet::new(BusState::Away));
    let started = Instant::now();
    let outcome = outbox.publish("c", Bytes::new(), WITHIN).await;
    assert!(matches!(outcome, Err(BusError::Away { .. })), "{outcome:?}");
    assert!(started.elapsed() >= WITHIN && started.elapsed() < WITHIN * 2);
}

#[tokio::test(start_paused = true)]
async fn only_the_first_publish_of_an_outage_waits() {
    let bus = Puppet::new(BusState::Away);
    let outbox = outbox(&bus);
    for _ in 0..2 {
        assert!(outbox.publish("c", Bytes::new(), OUTAGE).await.is_err());
        let started = Instant::now();
        for _ in 0..100 {
            let outcome = outbox.publish("c", Bytes::new(), OUTAGE).await;
            assert!(matches!(outcome, Err(BusError::Away { .. })), "{outcome:?}");
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        // Another outage is bridged as the first one was.
        bus.state.send_replace(BusState::Ready);
        bus.state.send_replace(BusState::Away);
        let publishing = outbox.clone();
        let publishing = tokio::spawn(async move { publishing.publish("c", Bytes::new(), OUTAGE).await });
        tokio::time::sleep(OUTAGE / 2).await;
        bus.state.send_replace(BusState::Ready);
        publishing.await.unwrap().unwrap();
        assert_eq!(outbox.publish("c", Bytes::new(), OUTAGE).await.unwrap(), 1);
        bus.state.send_replace(BusState::Away);
    }
}

#[tokio::test(start_paused = true)]
async fn a_publish_with_a_short_limit_does_not_end_the_wait_of_others() {
    let bus = Puppet::new(BusState::Away);
    let outbox = outbox(&bus);
    for within in [Duration::ZERO, OUTAGE / 2] {
        assert!(outbox.publish("c", Bytes::new(), within).await.is_err());
        let started = Instant::now();
        assert!(outbox.publish("c", Bytes::new(), WITHIN).await.is_err());
        assert_eq!(started.elapsed().as_secs(), WITHIN.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn a_publish_at_the_end_of_an_outage_waits_for_those_in_flight() {
    let bus = Puppet::stuck();
    let outbox = outbox(&bus);
    let _in_flight = fill(&outbox).await;
    bus.state.send_replace(BusState::Away);
    assert!(outbox.publish("c", Bytes::new(), OUTAGE).await.is_err());
    bus.turns_ready.store(true, Ordering::Relaxed);
    let publishing = outbox.clone();
    let publishing = tokio::spawn(async move { publishing.publish("c", Bytes::new(), OUTAGE).await });
    tokio::time::sleep(OUTAGE / 2).await;
    let go = bus.go.as_ref().unwrap();
    go.notify_waiters();
    while outbox.0.publisher.in_flight() != 1 && !publishing.is_finished() {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    assert_eq!(publishing.await.unwrap().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_comes_back_gets_the_message() {
    let bus = Puppet::new(BusState::Away);
    let outbox = outbox(&bus);
    let publishing = tokio::spawn(async move { outbox.publish("c", Bytes::from("x"), WITHIN).await });
    tokio::time::sleep(WITHIN / 2).await;
    bus.state.send_replace(BusState::Ready);
    assert_eq!(publishing.await.unwrap().unwrap(), 1);
    assert_eq!(bus.on("c"), ["x"]);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_goes_away_after_it_was_found_ready_is_waited_for() {
    let bus = Puppet::stuck();
    let outbox = outbox(&bus);
    let mut in_flight = fill(&outbox).await;
    let publishing = tokio::spawn(async move { outbox.publish("c", Bytes::from("x"), WITHIN).await });
    tokio::task::yield_now().await;
    bus.state.send_replace(BusState::Away);
    in_flight.shutdown().await;
    tokio::time::sleep(WITHIN / 2).await;
    assert!(!publishing.is_finished(), "nothing was sent, so it is published again");
    bus.state.send_replace(BusState::Ready);
    bus.go.as_ref().unwrap().notify_one();
    assert_eq!(publishing.await.unwrap().unwrap(), 1);
    assert_eq!(bus.on("c"), ["x"]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_bus_fails_at_once() {
    let outbox = outbox(&Puppet::new(BusState::Closed));
    let started = Instant::now();
    assert!(matches!(outbox.publish("c", Bytes::new(), WITHIN).await, Err(BusError::Closed)));
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_in_flight_than_the_bound() {
    let bus = Puppet::stuck();
    let outbox = outbox(&bus);
    let _in_flight = fill(&outbox).await;
    let outcome = outbox.publish("c", Bytes::new(), WITHIN).await;
    assert!(matches!(outcome, Err(BusError::Full { .. })), "{outcome:?}");
    assert!(bus.published.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_a_place_hold_none_while_the_bus_is_away() {
    let bus = Puppet::new(BusState::Ready);
    let outbox = outbox(&bus);
    let deadline = Instant::now() + WITHIN;
    let mut held = Vec::new();
    for _ in 0..IN_FLIGHT {
        held.push(outbox.place(deadline).await.unwrap());
    }
    let waiting = outbox.clone();
    let waiting = tokio::spawn(async move { waiting.place(deadline).await.map(drop) });
    tokio::task::yield_now().await;
    bus.state.send_replace(BusState::Away);
    held.clear();
    tokio::task::yield_now().await;
    assert_eq!(outbox.0.publisher.in_flight(), 0);
    let outcome = waiting.await.unwrap();
    assert!(matches!(outcome, Err(BusError::Away { .. })), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn only_the_first_undelivered_reply_of_an_inbox_is_the_probe() {
    for outcome in [Ok(0), unknown()] {
        let bus = Puppet::new(BusState::Ready);
        let outbox = outbox(&bus);
        bus.has_receivers(INBOX, outcome);
        for n in 0..100 {
            reply(&outbox, &n.to_string()).await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        let probes = bus.on(INBOX);
        assert!(probes.iter().all(|message| message == "0"), "{probes:?}");
        assert!((5..20).contains(&probes.len()), "with backoff: {}", probes.len());
        bus.published.lock().clear();
        bus.has_receivers(INBOX, Ok(1));
        outbox.settled().await;
        assert_eq!(bus.on(INBOX), (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_not_repeated_past_its_deadline() {
    let bus = Puppet::new(BusState::Ready);
    let outbox = outbox(&bus);
    bus.has_receivers(INBOX, Ok(0));
    reply_by(&outbox, "late", Instant::now()).await;
    assert_eq!(bus.on(INBOX).len(), 1);
    let started = Instant::now();
    reply(&outbox, "soon").await;
    outbox.settled().await;
    assert_eq!(started.elapsed().as_secs(), 20);
    assert_eq!(outbox.lost_replies(), 1);
    bus.has_receivers(INBOX, Ok(1));
    reply(&outbox, "next").await;
    assert_eq!(bus.on(INBOX).last().unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_withdrawn_is_not_repeated() {
    let bus = Puppet::new(BusState::Ready);
    let outbox = outbox(&bus);
    bus.has_receivers(INBOX, Ok(0));
    for name in ["one", "two"] {
        reply(&outbox, name).await;
    }
    bus.published.lock().clear();
    assert!(outbox.withdraw(INBOX, r#""one""#));
    assert!(!outbox.withdraw(INBOX, r#""one""#) && !outbox.withdraw("caller:b", r#""two""#));
    bus.has_receivers(INBOX, Ok(1));
    outbox.settled().await;
    assert_eq!(bus.on(INBOX), ["two"]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_withdrawn_while_it_is_published_is_not_repeated() {
    let bus = Puppet::stuck();
    let outbox = outbox(&bus);
    bus.has_receivers(INBOX, Ok(0));
    let publishing = outbox.clone();
    let publishing = tokio::spawn(async move { reply(&publishing, "one").await });
    tokio::time::sleep(WITHIN).await;
    assert!(outbox.withdraw(INBOX, r#""one""#));
    bus.go.as_ref().unwrap().notify_one();
    publishing.await.unwrap();
    tokio::time::timeout(WITHIN, outbox.settled()).await.unwrap();
    assert_eq!(bus.on(INBOX), ["one"]);
    // The withdrawal ends with the reply, also with one whose sender is dropped.
    assert!(!outbox.withdraw(INBOX, r#""one""#));
    let outcome = tokio::time::timeout(WITHIN, reply(&outbox, "two")).await;
    assert!(outcome.is_err() && !outbox.withdraw(INBOX, r#""two""#));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_withdrawn_while_it_waits_for_room_is_not_sent() {
    let bus = Puppet::new(BusState::Away);
    let outbox = outbox(&bus);
    assert_eq!(dropped_of(&outbox, inbox_queue::REPLIES).await, 0);
    let started = Instant::now();
    let waiting = outbox.clone();
    let waiting = tokio::spawn(async move { reply(&waiting, "one").await });
    tokio::time::sleep(WITHIN).await;
    assert!(outbox.withdraw(INBOX, r#""one""#));
    waiting.await.unwrap();
    assert_eq!(started.elapsed().as_secs(), WITHIN.as_secs());
    bus.state.send_replace(BusState::Ready);
    outbox.settled().await;
    assert!(!bus.on(INBOX).contains(&"one".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_reply_waits_for_a_bus_that_is_away_without_holding_up_its_handler() {
    let bus = Puppet::new(BusState::Away);
    let outbox = outbox(&bus);
    let started = Instant::now();
    reply(&outbox, "x").await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(bus.on(INBOX).is_empty());
    bus.state.send_replace(BusState::Ready);
    outbox.settled().await;
    assert_eq!(bus.on(INBOX), ["x"]);
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_inbox_is_confirmed_by_its_subscribers_after_a_reconnect() {
    let bus = Puppet::new(BusState::Ready);
    let outbox = outbox(&bus);
    *bus.reconnected.lock() = Some(Instant::now());
    // A monitor receives everything, so every message has a receiver.
    for n in 0..50 {
        reply(&outbox, &n.to_string()).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(bus.on(INBOX).is_empty());
    bus.subscribers.lock().insert(INBOX.to_owned(), 1);
    outbox.settled().await;
    assert_eq!(bus.on(INBOX).len(), 50);
    // Confirmed, so the next replies need no query.
    let asked = *bus.asked.lock();
    for n in 0..50 {
        reply(&outbox, &n.to_string()).await;
    }
    assert_eq!((bus.on(INBOX).len(), *bus.asked.lock()), (100, asked));
}

#[tokio::test(start_paused = true)]
async fn replies_past_the_limit_of_an_inbox_without_a_receiver_fail_at_once() {
    for is_reconnected in [false, true] {
        let (bus, started) = (Puppet::new(BusState::Ready), Instant::now());
        let outbox = outbox(&bus);
        *bus.reconnected.lock() = is_reconnected.then_some(started);
        bus.has_receivers(INBOX, Ok(0));
        assert_eq!(dropped_of(&outbox, 2000).await, 2000 - inbox_queue::REPLIES);
        assert_eq!(started.elapsed(), Duration::ZERO);
        bus.published.lock().clear();
        bus.has_receivers(INBOX, Ok(1));
        bus.subscribers.lock().insert(INBOX.to_owned(), 1);
        outbox.settled().await;
        assert_eq!(bus.on(INBOX).len(), inbox_queue::REPLIES);
        assert_eq!(outbox.lost_replies(), 2000 - inbox_queue::REPLIES as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_to_a_subscribed_inbox_is_delivered_after_a_reconnect() {
    let bus = Puppet::new(BusState::Ready);
    let outbox = outbox(&bus);
    *bus.reconnected.lock() = Some(Instant::now());
    bus.subscribers.lock().insert(INBOX.to_owned(), 1);
    assert_eq!(dropped_of(&outbox, 5000).await, 0);
    outbox.settled().await;
    assert_eq!(bus.on(INBOX).len(), 5000);
}

#[tokio::test(start_paused = true)]
async fn a_reply_waits_for_room_until_its_deadline_while_the_bus_is_away() {
    let bus = Puppet::new(BusState::Away);
    let outbox = outbox(&bus);
    assert_eq!(dropped_of(&outbox, inbox_queue::REPLIES).await, 0);
    let started = Instant::now();
    let outcome = outbox.reply(INBOX, Bytes::from("late"), None, started + WITHIN, Batching::Alone).await;
    assert!(matches!(outcome, Err(BusError::ReplyDropped { .. })), "{outcome:?}");
    assert_eq!(started.elapsed().as_secs(), WITHIN.as_secs());
    let waiting = outbox.clone();
    let waiting = tokio::spawn(async move { dropped_of(&waiting, 1).await });
    tokio::time::sleep(WITHIN).await;
    bus.state.send_replace(BusState::Ready);
    assert_eq!(waiting.await.unwrap(), 0);
    outbox.settled().await;
    assert_eq!(bus.on(INBOX).len(), inbox_queue::REPLIES + 1);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_no_queue_has_room_for_is_published_once_after_a_reconnect() {
    let bus = Puppet::new(BusState::Ready);
    let outbox = outbox(&bus);
    *bus.reconnected.lock() = Some(Instant::now());
    let large = Bytes::from(vec![b'x'; inbox_queue::BYTES]);
    let deadline = Instant::now() + WITHIN;
    outbox.reply(INBOX, large.clone(), None, deadline, Batching::Alone).await.unwrap();
    assert_eq!(bus.on(INBOX).len(), 1);
    bus.has_receivers(INBOX, Ok(0));
    let outcome = outbox.reply(INBOX, large, None, deadline, Batching::Alone).await;
    assert!(matches!(outcome, Err(BusError::ReplyDropped { .. })), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_another_channel_is_published_once() {
    let bus = Puppet::new(BusState::Ready);
    let outbox = outbox(&bus);
    bus.has_receivers("svc.responses", Ok(0));
    let deadline = Instant::now() + WITHIN;
    outbox.reply("svc.responses", Bytes::from("x"), None, deadline, Batching::Alone).await.unwrap();
    outbox.settled().await;
    assert_eq!(bus.on("svc.responses"), ["x"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_outbox_ends_its_repeats() {
    let bus = Puppet::new(BusState::Away);
    let outbox = outbox(&bus);
    reply(&outbox, "x").await;
    drop(outbox);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(Arc::strong_count(&bus), 1);
}
