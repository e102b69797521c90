//! Bursts of broadcasts to a listener, on the in-process bus.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::Arc;

use daebus::caller::bus::{self, Bus, BusUrl};
use daebus::prelude::*;
use daebus_tests_support::next;
use tokio::sync::mpsc;

use crate::thread_log::ThreadLog;

async fn receive(Payload(n): Payload<u32>, State(received): State<mpsc::UnboundedSender<u32>>) {
    received.send(n).unwrap();
}

async fn app(name: &str) -> (Daebus, Arc<dyn Bus>, mpsc::UnboundedReceiver<u32>) {
    let url = format!("memory://{name}");
    let (sender, received) = mpsc::unbounded_channel::<u32>();
    let app =
        Daebus::new("svc").bus(&url).state(sender).register(Blueprint::new("b").listen("news", receive));
    (app, bus::connect(&BusUrl::parse(&url).unwrap()).await.unwrap(), received)
}

/// Publishes these numbers before the listener runs: the in-process bus delivers within the call, and this task doesn't
/// yield meanwhile.
async fn publish_at_once(bus: &dyn Bus, numbers: std::ops::Range<u32>) {
    for n in numbers {
        tokio::task::unconstrained(bus.publish("news", n.to_string().into())).await.unwrap();
    }
}

#[tokio::test]
async fn a_listener_handles_every_message_of_a_burst() -> Result<(), BoxError> {
    let (app, bus, mut received) = app("burst").await;
    let service = app.start().await?;
    publish_at_once(&*bus, 0..30_000).await;
    for n in 0..30_000 {
        assert_eq!(next(&mut received).await, n);
    }
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_full_listener_queue_drops_the_oldest_messages_and_logs_each_episode_once() -> Result<(), BoxError>
{
    let (log, _guard) = ThreadLog::start();
    let (app, bus, mut received) = app("burst-bytes").await;
    let service = app.listener_queue(16 * 1024).start().await?;
    for _ in 0..2 {
        let (begun, ended) = (log.lines("queue full").len(), log.lines("messages were dropped").len());
        publish_at_once(&*bus, 0..1000).await;
        let first = next(&mut received).await;
        for n in first + 1..1000 {
            assert_eq!(next(&mut received).await, n, "the newest messages are kept, in order");
        }
        assert!((850..950).contains(&first), "{first} of 1000 messages were dropped");
        assert_eq!(log.lines("queue full").len(), begun + 1);
        let totals = log.lines("messages were dropped");
        assert_eq!(totals.len(), ended + 1);
        assert!(totals[ended].contains(&format!("dropped={first}")), "{totals:?}");
    }
    Ok(service.stop().await?)
}
