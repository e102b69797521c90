//! The way out: everything we publish goes through here, with a bound on the wait and on what is in flight. Batching
//! of messages to one channel will be done here, behind the same call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::interface::{Bus, BusState};
use crate::error::BusError;

/// How many publishes may be under way at once. Enough to keep one connection busy over any round trip (at 100,000
/// messages a second it covers 10 ms), and few enough that what a dead connection leaves in doubt stays small.
const IN_FLIGHT: usize = 1024;

/// How soon to look again when a bus that says it is ready had nothing to publish on: it is about to say so.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Publishes on a [`Bus`], waiting a bounded time for it to be there. Clones share the bound on what is in flight.
#[derive(Debug, Clone)]
pub struct Outbox {
    bus: Arc<dyn Bus>,
    permits: Arc<Semaphore>,
}

impl Outbox {
    /// The way out to `bus`.
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus, permits: Arc::new(Semaphore::new(IN_FLIGHT)) }
    }

    /// The bus itself.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }

    /// Publishes a message and returns how many connections received it. Messages of one task stay in order.
    ///
    /// # Errors
    ///
    /// [`BusError::Away`] when the bus isn't there `within` that time, [`BusError::Full`] when too many publishes are
    /// under way all that time, [`BusError::Closed`] at once when it is closed, and whatever [`Bus::publish`] says.
    pub async fn publish(&self, channel: &str, message: Bytes, within: Duration) -> Result<u64, BusError> {
        let now = Instant::now();
        // Too far for the clock means in effect for ever.
        let deadline = now.checked_add(within).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365));
        loop {
            self.ready(deadline).await?;
            let permit = match timeout_at(deadline, self.permits.acquire()).await {
                Ok(permit) => permit.map_err(|_| BusError::Closed)?,
                Err(_) => return Err(BusError::Full { location: self.bus.location() }),
            };
            match self.bus.publish(channel, message.clone()).await {
                // It went away between our look and the publish; nothing was sent, so waiting on is safe.
                Err(BusError::Away { .. }) if Instant::now() < deadline => {
                    drop(permit);
                    sleep_until((Instant::now() + LOOK_AGAIN).min(deadline)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn ready(&self, deadline: Instant) -> Result<(), BusError> {
        let mut states = self.bus.state();
        let state = match timeout_at(deadline, states.wait_for(|state| *state != BusState::Away)).await {
            Ok(Ok(state)) => *state,
            // The bus is gone with its state.
            Ok(Err(_)) => BusState::Closed,
            Err(_) => BusState::Away,
        };
        match state {
            BusState::Ready => Ok(()),
            BusState::Away => Err(BusError::Away { location: self.bus.location() }),
            BusState::Closed => Err(BusError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use parking_lot::Mutex;
    use tokio::sync::{Notify, watch};

    use super::*;
    use crate::bus::interface::SetOptions;
    use crate::bus::message::Deliver;
    use crate::bus::subscription::Subscription;
    use crate::bus::topic::Topic;

    /// A bus whose state and pace the test decides.
    #[derive(Debug)]
    struct Puppet {
        state: watch::Sender<BusState>,
        /// Publishes wait for this.
        go: Option<Notify>,
        published: Mutex<Vec<Bytes>>,
    }

    impl Puppet {
        fn new(state: BusState, go: Option<Notify>) -> Arc<Self> {
            Arc::new(Self { state: watch::Sender::new(state), go, published: Mutex::default() })
        }
    }

    impl Bus for Puppet {
        fn publish<'a>(&'a self, _: &'a str, message: Bytes) -> BoxFuture<'a, Result<u64, BusError>> {
            Box::pin(async move {
                if let Some(go) = &self.go {
                    go.notified().await;
                }
                self.published.lock().push(message);
                Ok(1)
            })
        }
        fn subscribe(&self, _: Topic, _: Arc<dyn Deliver>) -> BoxFuture<'_, Result<Subscription, BusError>> {
            unimplemented!()
        }
        fn subscribers<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<u64, BusError>> {
            unimplemented!()
        }
        fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BusError>> {
            unimplemented!()
        }
        fn set<'a>(&'a self, _: &'a str, _: Bytes, _: SetOptions) -> BoxFuture<'a, Result<bool, BusError>> {
            unimplemented!()
        }
        fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
            unimplemented!()
        }
        fn increment<'a>(&'a self, _: &'a str, _: i64) -> BoxFuture<'a, Result<i64, BusError>> {
            unimplemented!()
        }
        fn expire<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<bool, BusError>> {
            unimplemented!()
        }
        fn set_add<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
            unimplemented!()
        }
        fn set_remove<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
            unimplemented!()
        }
        fn set_members<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, BusError>> {
            unimplemented!()
        }
        fn state(&self) -> watch::Receiver<BusState> {
            self.state.subscribe()
        }
        fn location(&self) -> String {
            "puppet".into()
        }
        fn close(&self) -> BoxFuture<'_, ()> {
            unimplemented!()
        }
    }

    const WITHIN: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_stays_away_is_waited_for_no_longer_than_asked() {
        let outbox = Outbox::new(Puppet::new(BusState::Away, None));
        let started = Instant::now();
        let outcome = outbox.publish("c", Bytes::new(), WITHIN).await;
        assert!(matches!(outcome, Err(BusError::Away { .. })), "{outcome:?}");
        assert!(started.elapsed() >= WITHIN && started.elapsed() < WITHIN * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_comes_back_gets_the_message() {
        let bus = Puppet::new(BusState::Away, None);
        let outbox = Outbox::new(Arc::clone(&bus) as Arc<dyn Bus>);
        let publishing = tokio::spawn(async move { outbox.publish("c", Bytes::from("x"), WITHIN).await });
        tokio::time::sleep(WITHIN / 2).await;
        bus.state.send_replace(BusState::Ready);
        assert_eq!(publishing.await.unwrap().unwrap(), 1);
        assert_eq!(*bus.published.lock(), ["x"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_bus_fails_at_once() {
        let outbox = Outbox::new(Puppet::new(BusState::Closed, None));
        let started = Instant::now();
        assert!(matches!(outbox.publish("c", Bytes::new(), WITHIN).await, Err(BusError::Closed)));
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_in_flight_than_the_bound() {
        let bus = Puppet::new(BusState::Ready, Some(Notify::new()));
        let outbox = Outbox::new(Arc::clone(&bus) as Arc<dyn Bus>);
        let mut stuck = tokio::task::JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let outbox = outbox.clone();
            stuck.spawn(async move { outbox.publish("c", Bytes::new(), WITHIN).await });
        }
        while outbox.permits.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let outcome = outbox.publish("c", Bytes::new(), WITHIN).await;
        assert!(matches!(outcome, Err(BusError::Full { .. })), "{outcome:?}");
        assert!(bus.published.lock().is_empty());
    }
}
