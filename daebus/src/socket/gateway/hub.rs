//! Subscriptions that many clients share.

use std::collections::HashMap;
use std::sync::Arc;

use daebus_caller::bus::Topic;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::outgoing::Outgoing;
use super::feed::{self, FeedQueues, Stage};
use crate::handler::Core;
use crate::runtime::Workers;

/// The subscriptions of all clients: one on the bus for each topic, as long as a client has it.
pub(super) struct Hub {
    core: Arc<Core>,
    workers: Workers,
    /// The bytes of messages that wait to be handed out, for each topic.
    queue_bytes: usize,
    feeds: Mutex<HashMap<Topic, Feed>>,
}

struct Feed {
    members: Arc<FeedQueues>,
    /// Cancelled when the last member has left.
    cut: CancellationToken,
    stage: watch::Receiver<Stage>,
}

impl Hub {
    pub(super) fn new(core: Arc<Core>, workers: Workers, queue_bytes: usize) -> Self {
        Self { core, workers, queue_bytes, feeds: Mutex::default() }
    }

    /// Adds a client. Returns the state of the subscription on the bus.
    pub(super) fn join(&self, topic: &Topic, key: usize, outgoing: &Arc<Outgoing>) -> watch::Receiver<Stage> {
        let mut feeds = self.feeds.lock();
        let feed = feeds.entry(topic.clone()).or_insert_with(|| self.open(topic));
        feed.members.lock().insert(key, Arc::clone(outgoing));
        feed.stage.clone()
    }

    /// Removes a client. If it was the last one of the topic, returns the state of the subscription, which ends.
    pub(super) fn leave(&self, topic: &Topic, key: usize) -> Option<watch::Receiver<Stage>> {
        let mut feeds = self.feeds.lock();
        let feed = feeds.get(topic)?;
        let is_empty = {
            let mut members = feed.members.lock();
            members.remove(&key);
            members.is_empty()
        };
        let feed = if is_empty { feeds.remove(topic) } else { None }?;
        feed.cut.cancel();
        Some(feed.stage)
    }

    /// Returns the state of a topic's subscription.
    pub(super) fn stage(&self, topic: &Topic) -> Option<watch::Receiver<Stage>> {
        self.feeds.lock().get(topic).map(|feed| feed.stage.clone())
    }

    fn open(&self, topic: &Topic) -> Feed {
        let (members, cut) = (Arc::<FeedQueues>::default(), CancellationToken::new());
        let (report, stage) = watch::channel(Stage::Joining);
        let subscription = feed::Subscriber {
            core: Arc::clone(&self.core),
            topic: topic.clone(),
            members: Arc::clone(&members),
            cut: cut.clone(),
            report,
            queue_bytes: self.queue_bytes,
        };
        self.workers.spawn(subscription.serve());
        Feed { members, cut, stage }
    }
}
