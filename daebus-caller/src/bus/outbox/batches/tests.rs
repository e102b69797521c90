use std::sync::Arc;

use bytes::Bytes;
use tokio::task::{JoinSet, yield_now};

use super::super::puppet::Puppet;
use super::Batches;
use crate::bus::interface::{Bus, BusState};
use crate::error::BusError;
use crate::wire::{BATCH_BYTES, BATCH_MESSAGES};

const CHANNEL: &str = "daebus:to:a";

fn batches(bus: &Arc<Puppet>) -> Arc<Batches> {
    Batches::new(Arc::clone(bus) as Arc<dyn Bus>)
}

/// Sends each message from a task of its own, in order.
async fn send(
    batches: &Arc<Batches>,
    messages: impl IntoIterator<Item = Bytes>,
) -> JoinSet<Result<u64, BusError>> {
    let mut sending = JoinSet::new();
    for message in messages {
        let batches = Arc::clone(batches);
        sending.spawn(async move { batches.publish(CHANNEL, message).await });
        settle().await;
    }
    sending
}

/// Lets all tasks run until each of them waits.
async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

/// Lets the oldest publishes end, one by one, until `sending` has ended.
async fn let_go(bus: &Puppet, mut sending: JoinSet<Result<u64, BusError>>) {
    let go = bus.go.as_ref().unwrap();
    while !sending.is_empty() {
        go.notify_one();
        settle().await;
        while let Some(outcome) = sending.try_join_next() {
            assert_eq!(outcome.unwrap().unwrap(), 1);
        }
    }
}

fn numbered(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Bytes> {
    numbers.map(|number| Bytes::from(number.to_string()))
}

#[tokio::test(start_paused = true)]
async fn messages_that_arrive_during_a_publish_go_out_together() {
    let bus = Puppet::stuck();
    let batches = batches(&bus);
    let sending = send(&batches, numbered(0..5)).await;
    let_go(&bus, sending).await;
    assert_eq!(bus.on(CHANNEL), ["0", "[1,2,3,4]"]);
    // The lane is idle again.
    let sending = send(&batches, numbered(5..6)).await;
    let_go(&bus, sending).await;
    assert_eq!(bus.on(CHANNEL).last().unwrap(), "5");
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_and_the_order_is_kept() {
    let bus = Puppet::stuck();
    let batches = batches(&bus);
    let sending = send(&batches, numbered(0..3 * BATCH_MESSAGES)).await;
    let_go(&bus, sending).await;
    let published = bus.on(CHANNEL);
    let sizes: Vec<_> = published.iter().map(|batch| batch.split(',').count()).collect();
    assert_eq!(sizes, [1, BATCH_MESSAGES, BATCH_MESSAGES, BATCH_MESSAGES - 1]);
    let joined = published.join(",").replace(['[', ']'], "");
    let expected: Vec<_> = (0..3 * BATCH_MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(joined, expected.join(","));
}

#[tokio::test(start_paused = true)]
async fn at_most_sixteen_publishes_to_one_channel_are_in_flight() {
    let bus = Puppet::stuck();
    let batches = batches(&bus);
    let sending = send(&batches, numbered(0..20 * BATCH_MESSAGES)).await;
    assert_eq!(bus.waiting(), 16);
    let_go(&bus, sending).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_bounded_in_bytes_and_a_larger_message_goes_out_alone() {
    let bus = Puppet::stuck();
    let batches = batches(&bus);
    let large = |size| Bytes::from(format!("\"{}\"", "x".repeat(size)));
    let half = BATCH_BYTES / 2 - 10;
    let messages = [Bytes::from("0"), large(half), large(half), large(half), large(2 * BATCH_BYTES)];
    let sending = send(&batches, messages.into_iter().chain(numbered(1..3))).await;
    let_go(&bus, sending).await;
    let sizes: Vec<_> = bus.on(CHANNEL).iter().map(String::len).collect();
    assert_eq!(sizes, [1, 2 * (half + 2) + 3, half + 2, 2 * BATCH_BYTES + 2, 5]);
}

#[tokio::test(start_paused = true)]
async fn each_channel_has_a_lane_of_its_own() {
    let bus = Puppet::stuck();
    let batches = batches(&bus);
    let _first = send(&batches, numbered(0..1)).await;
    let other = Arc::clone(&batches);
    let _second = tokio::spawn(async move { other.publish("daebus:to:b", Bytes::from("1")).await });
    settle().await;
    assert_eq!(bus.waiting(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_sender_is_dropped_is_not_published() {
    let bus = Puppet::stuck();
    let batches = batches(&bus);
    let mut first = send(&batches, numbered(0..1)).await;
    let dropped = send(&batches, numbered(1..2)).await;
    let last = send(&batches, numbered(2..3)).await;
    drop(dropped);
    settle().await;
    // So is the sender of a publish in flight: the next one starts all the same.
    first.abort_all();
    settle().await;
    let_go(&bus, last).await;
    assert_eq!(bus.on(CHANNEL), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn all_messages_of_a_batch_have_its_outcome() {
    let bus = Puppet::stuck();
    let batches = batches(&bus);
    let mut sending = send(&batches, numbered(0..4)).await;
    bus.state.send_replace(BusState::Away);
    bus.go.as_ref().unwrap().notify_one();
    assert_eq!(sending.join_next().await.unwrap().unwrap().unwrap(), 1);
    for _ in 0..3 {
        let outcome = sending.join_next().await.unwrap().unwrap();
        assert!(matches!(outcome, Err(BusError::Away { .. })), "{outcome:?}");
    }
}
