//! Listening to broadcasts without being a service.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::stream::{BoxStream, Stream, StreamExt, unfold};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::link::Link;
use crate::bus::{Message, Queue, QueueLimits, QueueReceiver, Subscription, Topic};
use crate::error::BusError;
use crate::wire::{PayloadError, beginning, decode_message};

/// The messages of a channel, or of all channels that a pattern matches: a stream.
///
/// It ends when the caller is closed. Messages that don't read as `T` are logged, counted and left out. At most 8,192
/// messages (64 MiB) wait unread; beyond that the oldest are dropped and counted.
#[must_use = "a stream does nothing unless it is read"]
pub struct Listening<T> {
    messages: BoxStream<'static, T>,
    queue: Arc<Queue>,
    unreadable: Arc<AtomicU64>,
    topic: Topic,
}

/// What the stream owns while it runs.
struct Reading<T> {
    receiver: QueueReceiver,
    closing: Arc<CancellationToken>,
    unreadable: Arc<AtomicU64>,
    _subscription: Subscription,
    // Holds the connection while anybody listens.
    link: Link,
    types: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Send + 'static> Listening<T> {
    pub(super) async fn start(
        link: Link,
        closing: Arc<CancellationToken>,
        topic: Topic,
    ) -> Result<Self, BusError> {
        let (queue, receiver) = Queue::drop_oldest(QueueLimits::default());
        let subscription = link.bus().subscribe(topic.clone(), queue.clone()).await?;
        let unreadable = Arc::new(AtomicU64::new(0));
        let reading = Reading {
            receiver,
            closing,
            unreadable: unreadable.clone(),
            _subscription: subscription,
            link,
            types: PhantomData,
        };
        let messages =
            unfold(reading, |mut reading| async { Some((reading.next().await?, reading)) }).boxed();
        Ok(Self { messages, queue, unreadable, topic })
    }
}

impl<T> Listening<T> {
    /// The next message; `None` when the caller was closed and all that had arrived is read.
    pub async fn next(&mut self) -> Option<T> {
        self.messages.next().await
    }

    /// How many messages were dropped because they weren't read in time.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// How many messages couldn't be read as `T`.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }
}

impl<T: DeserializeOwned> Reading<T> {
    async fn next(&mut self) -> Option<T> {
        loop {
            let message = tokio::select! {
                biased;
                message = self.receiver.recv() => message?,
                () = self.closing.cancelled() => self.receiver.try_recv()?,
                () = self.link.closed() => self.receiver.try_recv()?,
            };
            match read(&message) {
                Ok(value) => return Some(value),
                Err(error) => {
                    self.unreadable.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        channel = %message.channel,
                        begins = %beginning(&message.payload),
                        %error,
                        "unreadable message skipped"
                    );
                }
            }
        }
    }
}

fn read<T: DeserializeOwned>(message: &Message) -> Result<T, UnreadableMessage> {
    Ok(decode_message(std::str::from_utf8(&message.payload)?)?)
}

/// Why a message can't be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum UnreadableMessage {
    NotUtf8(#[from] std::str::Utf8Error),
    Payload(#[from] PayloadError),
}

impl<T> Stream for Listening<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.messages.poll_next_unpin(context)
    }
}

impl<T> fmt::Debug for Listening<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening")
            .field("topic", &self.topic)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
