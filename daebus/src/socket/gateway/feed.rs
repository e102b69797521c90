//! One subscription on the bus, and the clients that receive its messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Message as SocketMessage;
use daebus_caller::bus::{Deliver, Message, Queue, QueueLimits, Topic};
use daebus_caller::wire::{RawJson, beginning, read_message};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::super::outgoing::Outgoing;
use super::super::waiting_frames::size;
use super::answer;
use super::reserved::is_reserved;
use crate::handler::Core;
use crate::presence::{Join, when_available};

/// How long to wait for the bus to confirm the end of a subscription.
const LEAVE: Duration = Duration::from_secs(2);

/// The queues of the clients that receive a topic's messages.
pub(super) type FeedQueues = Mutex<HashMap<usize, Arc<Outgoing>>>;

/// The state of a subscription on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Joining,
    /// The bus has confirmed the subscription.
    Confirmed,
    Ended,
}

/// The task of one subscription.
pub(super) struct Subscriber {
    pub(super) core: Arc<Core>,
    pub(super) topic: Topic,
    pub(super) members: Arc<FeedQueues>,
    pub(super) cut: CancellationToken,
    pub(super) report: watch::Sender<Stage>,
    pub(super) queue_bytes: usize,
}

impl Subscriber {
    /// Subscribes as soon as the bus is available, and forwards messages until the last client has left.
    pub(super) async fn serve(self) {
        let cut = self.cut.clone();
        let limits = QueueLimits { bytes: self.queue_bytes, ..QueueLimits::default() };
        // The bus's reader must not wait for a thousand clients.
        let (queue, mut receiver) = Queue::drop_oldest_of(format!("the gateway's {}", self.topic), limits);
        let subscribing = when_available(&*self.core.bus, Join::WhenAvailable, &self.topic, || {
            self.core.bus.subscribe(self.topic.clone(), Arc::clone(&queue) as Arc<dyn Deliver>)
        });
        let Some(Ok(subscription)) = cut.run_until_cancelled(subscribing).await else {
            self.report.send_replace(Stage::Ended);
            return;
        };
        self.report.send_replace(Stage::Confirmed);
        let mut dropped = 0_u64;
        while let Some(Some(message)) = cut.run_until_cancelled(receiver.recv()).await {
            let Err(reason) = self.forward(&message) else { continue };
            dropped += 1;
            if dropped == 1 {
                let (channel, begins) = (&message.channel, beginning(&message.payload));
                warn!(%channel, reason, begins, "a message is not forwarded to WebSocket clients; further ones are counted");
            }
        }
        if dropped > 0 {
            info!(topic = %self.topic, dropped, "messages were not forwarded to WebSocket clients");
        }
        // A bus that is away drops the subscription.
        let _ = timeout(LEAVE, subscription.leave()).await;
        self.report.send_replace(Stage::Ended);
    }

    /// Puts a message into the queues of all clients.
    ///
    /// # Errors
    ///
    /// Returns the reason if the message can't be forwarded.
    fn forward(&self, message: &Message) -> Result<(), &'static str> {
        if is_reserved(&message.channel) {
            return Ok(());
        }
        let frame = self.frame(message).ok_or("it is not JSON")?;
        if size(&frame) > self.queue_bytes {
            return Err("it is larger than WebSocket::queue_bytes");
        }
        // A slow client's queue drops its oldest frames; a client that has gone is removed by its session.
        for outgoing in self.members.lock().values() {
            let _ = outgoing.push(frame.clone());
        }
        Ok(())
    }

    fn frame(&self, message: &Message) -> Option<SocketMessage> {
        let read = |text: &bytes::Bytes, json: &str| {
            serde_json::from_str::<&RawValue>(json).map(|json| RawJson::slice_of(text, json))
        };
        let data = read_message(&message.payload, read).ok()?;
        let pattern = match &self.topic {
            Topic::Pattern(pattern) => Some(&**pattern),
            Topic::Channel(_) => None,
        };
        Some(answer::channel_message(&message.channel, pattern, data.as_str()))
    }
}
