//! Calls a second, through the whole of Daebus, beside the same request and reply written by hand on the driver.
//!
//! `cargo bench -p daebus-benches` prints a table. The figures of one run compare with each other only: the machine
//! is noisy, so each is the best of several rounds, and what counts is the ratio.

#![allow(clippy::unwrap_used)] // a benchmark that can't run has nothing to say

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use daebus::prelude::{Blueprint, Caller, Daebus, Json, Payload};
use daebus_tests::RedisServer;
use fred::clients::Client;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Builder;
use fred::types::config::Config;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);

async fn echo(Payload(value): Payload<u64>) -> Json<u64> {
    Json(value)
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let server = RedisServer::start();
    println!("{:<28}{:>12}{:>14}{:>10}", "calls a second", "in flight", "calls/s", "ratio");
    let by_hand = ByHand::new(&server.url()).await;
    for in_flight in [1, 256] {
        let peer = best(in_flight, || {
            let by_hand = by_hand.clone();
            async move { by_hand.call(7).await }
        })
        .await;
        row("fred, by hand", in_flight, peer, peer);
        let on_redis = daebus(&server.url(), in_flight).await;
        row("daebus on Redis", in_flight, on_redis, peer);
        let in_process = daebus("memory://bench", in_flight).await;
        row("daebus in one process", in_flight, in_process, peer);
    }
}

fn row(what: &str, in_flight: usize, rate: f64, peer: f64) {
    println!("{what:<28}{in_flight:>12}{rate:>14.0}{:>10.2}", rate / peer);
}

/// The service and its caller over connections of their own, as two processes have them.
async fn daebus(url: &str, in_flight: usize) -> f64 {
    let service = Daebus::new("bench").bus(url).register(Blueprint::new("bench").action("echo", echo));
    let service = service.start().await.unwrap();
    let caller = Caller::connect(url, "bench").await.unwrap();
    let rate = best(in_flight, || {
        let call = caller.send_request::<u64>("echo", 7_u64);
        async move { assert_eq!(call.await.unwrap(), 7) }
    })
    .await;
    caller.close().await;
    service.stop().await.unwrap();
    rate
}

/// The best round: calls a second with so many in flight.
async fn best<F: Future<Output = ()> + Send + 'static>(in_flight: usize, call: impl Fn() -> F) -> f64 {
    let mut best = 0_f64;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut done = 0_u32;
        let mut calls: FuturesUnordered<_> = (0..in_flight).map(|_| tokio::spawn(call())).collect();
        while let Some(call_done) = calls.next().await {
            call_done.unwrap();
            done += 1;
            if began.elapsed() < ROUND {
                calls.push(tokio::spawn(call()));
            }
        }
        best = best.max(f64::from(done) / began.elapsed().as_secs_f64());
    }
    best
}

/// The least that a request and its reply take on this driver: two PUBLISH, and a map from ids to waiters.
#[derive(Clone)]
struct ByHand {
    commands: Client,
    next: Arc<AtomicU64>,
    waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<u64>>>>,
}

impl ByHand {
    async fn new(url: &str) -> Self {
        let client = async |capacity| {
            let client = Builder::from_config(Config::from_url(url).unwrap())
                .with_performance_config(|config| config.broadcast_channel_capacity = capacity)
                .build()
                .unwrap();
            client.init().await.unwrap();
            client
        };
        let this = Self { commands: client(32).await, next: Arc::default(), waiting: Arc::default() };
        let (answering, service, inbox) = (client(32).await, client(8192).await, client(8192).await);
        service.subscribe("by-hand").await.unwrap();
        inbox.subscribe("by-hand.inbox").await.unwrap();
        let mut requests = service.message_rx();
        tokio::spawn(async move {
            let _subscribed = service;
            while let Ok(request) = requests.recv().await {
                let answering = answering.clone();
                tokio::spawn(async move {
                    answering.publish::<i64, _, _>("by-hand.inbox", request.value).await.unwrap();
                });
            }
        });
        let (mut replies, waiting) = (inbox.message_rx(), this.waiting.clone());
        tokio::spawn(async move {
            let _subscribed = inbox;
            while let Ok(reply) = replies.recv().await {
                let text = reply.value.as_string().unwrap();
                let (id, value) = text.split_once(' ').unwrap();
                let waiter = waiting.lock().unwrap().remove(&id.parse().unwrap());
                let _ = waiter.unwrap().send(value.parse().unwrap());
            }
        });
        this
    }

    async fn call(&self, value: u64) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, waiter) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, answer);
        self.commands.publish::<i64, _, _>("by-hand", format!("{id} {value}")).await.unwrap();
        assert_eq!(waiter.await.unwrap(), value);
    }
}
