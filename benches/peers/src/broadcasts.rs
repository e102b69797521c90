//! Broadcasts to listeners, each with connections of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use daebus::{Blueprint, Caller, Daebus, Payload, State};
use fred::interfaces::{EventInterface, PubsubInterface};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::by_hand;
use crate::calls::{Peer, stop};
use crate::work::{Result, Time, measure};

/// Messages that not all listeners have yet; less than any contender's buffers hold.
const OUTSTANDING: usize = 64;

/// Tasks that publish.
const PUBLISHERS: usize = 16;

#[derive(Debug, Args)]
pub struct Broadcasts {
    peer: Peer,
    url: String,
    #[arg(long)]
    listeners: usize,
    /// The length of one message
    #[arg(long)]
    bytes: usize,
    #[command(flatten)]
    time: Time,
}

#[derive(Clone, Serialize, Deserialize)]
struct Note {
    i: u8,
    text: String,
}

/// Counts deliveries, and permits one more message for each that all listeners have.
struct Deliveries {
    count: AtomicU64,
    listeners: u64,
    permits: Semaphore,
}

impl Deliveries {
    fn add(&self, note: &Note) {
        assert_eq!(note.i, 7, "a listener received something else");
        if (self.count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(self.listeners) {
            self.permits.add_permits(1);
        }
    }
}

type Publish = Arc<dyn Fn(Note) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Prints the messages per second, each delivered to all listeners.
pub async fn run(Broadcasts { peer, url, listeners, bytes, time }: Broadcasts) -> Result<()> {
    let overhead = serde_json::to_vec(&Note { i: 7, text: String::new() })?.len();
    let note = Note { i: 7, text: "x".repeat(bytes.saturating_sub(overhead)) };
    let deliveries = Arc::new(Deliveries {
        count: AtomicU64::new(0),
        listeners: listeners as u64,
        permits: Semaphore::new(OUTSTANDING),
    });
    let mut services = Vec::new();
    let publish = match peer {
        Peer::Daebus => daebus(&url, listeners, &deliveries, &mut services).await?,
        Peer::ByHand => on_fred(&url, listeners, &deliveries).await?,
        Peer::Nats => on_nats(&url, listeners, &deliveries).await?,
    };
    let mut publishers = JoinSet::<Result<()>>::new();
    for _ in 0..PUBLISHERS {
        let (publish, note, deliveries) = (Arc::clone(&publish), note.clone(), Arc::clone(&deliveries));
        publishers.spawn(async move {
            loop {
                deliveries.permits.acquire().await?.forget();
                publish(note.clone()).await?;
            }
        });
    }
    let measured = tokio::select! {
        measured = measure(&deliveries.count, time) => measured?,
        Some(ended) = publishers.join_next() => return ended?,
    };
    println!("rate {}", measured.rate / listeners as f64);
    publishers.shutdown().await;
    stop(services).await
}

async fn daebus(
    url: &str,
    listeners: usize,
    deliveries: &Arc<Deliveries>,
    services: &mut Vec<daebus::Service>,
) -> Result<Publish> {
    async fn on_note(Payload(note): Payload<Note>, State(deliveries): State<Arc<Deliveries>>) {
        deliveries.add(&note);
    }
    for k in 0..listeners {
        let service = Daebus::new(format!("listener_{k}"))
            .bus(url)
            .state(Arc::clone(deliveries))
            .register(Blueprint::new("notes").listen("notes", on_note));
        services.push(service.start().await?);
    }
    let caller = Caller::connect(url, "listener_0").await?;
    Ok(Arc::new(move |note| {
        let caller = caller.clone();
        Box::pin(async move { Ok(caller.send_message("notes", &note).await.map(drop)?) })
    }))
}

async fn on_fred(url: &str, listeners: usize, deliveries: &Arc<Deliveries>) -> Result<Publish> {
    for _ in 0..listeners {
        let (client, deliveries) = (by_hand::connect(url).await?, Arc::clone(deliveries));
        let mut notes = client.message_rx();
        client.subscribe("notes").await?;
        tokio::spawn(async move {
            let _subscribed = client;
            while let Ok(note) = notes.recv().await {
                if let Ok(note) = serde_json::from_slice(note.value.as_bytes().unwrap_or_default()) {
                    deliveries.add(&note);
                }
            }
        });
    }
    let client = by_hand::connect(url).await?;
    Ok(Arc::new(move |note| {
        let client = client.clone();
        Box::pin(async move {
            let note = serde_json::to_vec(&note)?;
            client.publish::<i64, _, _>("notes", note.as_slice()).await?;
            Ok(())
        })
    }))
}

async fn on_nats(url: &str, listeners: usize, deliveries: &Arc<Deliveries>) -> Result<Publish> {
    for _ in 0..listeners {
        let (client, deliveries) = (async_nats::connect(url).await?, Arc::clone(deliveries));
        let mut notes = client.subscribe("notes").await?;
        client.flush().await?;
        tokio::spawn(async move {
            let _connected = client;
            while let Some(note) = notes.next().await {
                if let Ok(note) = serde_json::from_slice(&note.payload) {
                    deliveries.add(&note);
                }
            }
        });
    }
    let client = async_nats::connect(url).await?;
    Ok(Arc::new(move |note| {
        let client = client.clone();
        Box::pin(async move { Ok(client.publish("notes", serde_json::to_vec(&note)?.into()).await?) })
    }))
}
