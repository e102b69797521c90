//! Request and reply written by hand on the Redis driver that Daebus uses.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fred::clients::Client;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Builder;
use fred::types::config::Config;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::work::{Echo, Result};

#[derive(Serialize, Deserialize)]
struct Request {
    action: String,
    request_id: u64,
    reply_to: String,
    payload: Echo,
}

#[derive(Serialize, Deserialize)]
struct Reply {
    status: String,
    request_id: u64,
    payload: Echo,
}

/// Connects. A subscriber's buffer must hold a burst, since the driver drops what exceeds it.
pub async fn connect(url: &str) -> Result<Client> {
    let client = Builder::from_config(Config::from_url(url)?)
        .with_performance_config(|config| config.broadcast_channel_capacity = 8192)
        .build()?;
    client.init().await?;
    Ok(client)
}

/// Answers requests, each in a task of its own, over two connections.
pub async fn serve(url: &str) -> Result<()> {
    let (subscriber, publisher) = (connect(url).await?, connect(url).await?);
    let mut requests = subscriber.message_rx();
    subscriber.subscribe("by-hand").await?;
    tokio::spawn(async move {
        let _subscribed = subscriber;
        while let Ok(request) = requests.recv().await {
            let publisher = publisher.clone();
            tokio::spawn(
                async move { answer(&publisher, request.value.as_bytes().unwrap_or_default()).await },
            );
        }
    });
    Ok(())
}

async fn answer(publisher: &Client, request: &[u8]) -> Result<()> {
    let Request { action, request_id, reply_to, payload } = serde_json::from_slice(request)?;
    if action == "echo" {
        let reply = serde_json::to_vec(&Reply { status: "success".into(), request_id, payload })?;
        publisher.publish::<i64, _, _>(reply_to, reply.as_slice()).await?;
    }
    Ok(())
}

/// A caller with an inbox, over two connections.
pub struct Caller {
    publisher: Client,
    inbox: String,
    next: AtomicU64,
    waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<Echo>>>>,
}

impl Caller {
    pub async fn connect(url: &str) -> Result<Self> {
        let (subscriber, publisher) = (connect(url).await?, connect(url).await?);
        let inbox = format!("by-hand.inbox.{}", std::process::id());
        let waiting = Arc::<Mutex<HashMap<u64, oneshot::Sender<Echo>>>>::default();
        let (mut replies, waiters) = (subscriber.message_rx(), Arc::clone(&waiting));
        subscriber.subscribe(&inbox).await?;
        tokio::spawn(async move {
            let _subscribed = subscriber;
            while let Ok(reply) = replies.recv().await {
                let reply = serde_json::from_slice::<Reply>(reply.value.as_bytes().unwrap_or_default());
                let waiter = reply.map(|reply| (waiters.lock().unwrap().remove(&reply.request_id), reply));
                if let Ok((Some(waiter), reply)) = waiter {
                    let _ = waiter.send(reply.payload);
                }
            }
        });
        Ok(Self { publisher, inbox, next: AtomicU64::new(0), waiting })
    }

    pub async fn call(&self, i: u64) -> Result<()> {
        let request_id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, waiter) = oneshot::channel();
        self.waiting.lock().unwrap().insert(request_id, answer);
        let (action, reply_to) = ("echo".to_owned(), self.inbox.clone());
        let request = serde_json::to_vec(&Request { action, request_id, reply_to, payload: Echo { i } })?;
        self.publisher.publish::<i64, _, _>("by-hand", request.as_slice()).await?;
        waiter.await?.check(i)
    }
}
