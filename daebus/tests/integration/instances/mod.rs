//! Several instances of a service on the in-process bus, with a paused clock.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

mod claims;
mod presence;
mod singletons;

use std::sync::Arc;

use daebus::Service;
use daebus::caller::bus::{self, Bus, BusUrl, MemoryBus, Message, SetOptions, Subscription, Topic};
use daebus::prelude::*;
use tokio::sync::{Semaphore, mpsc};

#[derive(Clone)]
struct Runs(mpsc::UnboundedSender<(String, u64)>);

/// The name of an instance in its test.
#[derive(Clone)]
struct Name(String);

/// A handler that ends when the test releases it.
#[derive(Clone)]
struct Gate(Arc<Semaphore>);

#[action("work")]
async fn work(Payload(n): Payload<u64>, State(Name(name)): State<Name>, State(runs): State<Runs>) -> String {
    runs.0.send((name.clone(), n)).unwrap();
    name
}

#[action("hold")]
async fn hold(State(gate): State<Gate>, State(Name(name)): State<Name>, State(runs): State<Runs>) {
    runs.0.send((name, 0)).unwrap();
    gate.0.acquire().await.unwrap().forget();
}

/// A bus with a Python-like caller, on which instances of one service start.
struct Cluster {
    url: String,
    bus: Arc<dyn Bus>,
    runs: mpsc::UnboundedReceiver<(String, u64)>,
    ran: mpsc::UnboundedSender<(String, u64)>,
    replies: mpsc::UnboundedReceiver<Value>,
    gate: Gate,
    _inbox: Subscription,
}

impl Cluster {
    async fn new(name: &str) -> Self {
        let url = format!("memory://instances-{name}");
        let bus = bus::connect(&BusUrl::parse(&url).unwrap()).await.unwrap();
        let (ran, runs) = mpsc::unbounded_channel();
        let (received, replies) = mpsc::unbounded_channel();
        let take =
            move |message: Message| received.send(serde_json::from_slice(&message.payload).unwrap()).unwrap();
        let inbox = bus.subscribe(Topic::Channel("caller:x".into()), Arc::new(take)).await.unwrap();
        let gate = Gate(Arc::new(Semaphore::new(0)));
        Self { url, bus, runs, ran, replies, gate, _inbox: inbox }
    }

    fn app(&self, name: &str) -> Daebus {
        Daebus::new("svc")
            .bus(&self.url)
            .instance_id(name)
            .state(Runs(self.ran.clone()))
            .state(Name(name.to_owned()))
            .state(self.gate.clone())
            .register(blueprint_of!["work"; work, hold])
    }

    async fn start(&self, name: &str) -> Service {
        self.app(name).start().await.unwrap()
    }

    /// Publishes a request as a Python caller does.
    async fn request(&self, channel: &str, action: &str, id: u64) {
        let request = json!({"action": action, "payload": id, "request_id": id, "reply_to": "caller:x"});
        self.bus.publish(channel, request.to_string().into()).await.unwrap();
    }

    async fn info(&self, id: &str) -> Option<Value> {
        let info = self.bus.get(&format!("daebus:info:{id}")).await.unwrap();
        info.map(|info| serde_json::from_slice(&info).unwrap())
    }

    async fn lose_info(&self, id: &str) {
        assert!(self.bus.delete(&format!("daebus:info:{id}")).await.unwrap());
    }

    /// Makes the bus refuse to write keys, as Redis does when it is out of memory.
    fn refuse_writes(&self) {
        MemoryBus::refuse_writes(self.url.strip_prefix("memory://").unwrap(), true);
    }

    /// Stores the info of another process under the id.
    async fn take_id(&self, id: &str) {
        let mut info = self.info(id).await.unwrap();
        info["run"] = json!("00000000-0000-0000-0000-000000000007");
        info["host"] = json!("other-host");
        let key = format!("daebus:info:{id}");
        self.bus.set(&key, info.to_string().into(), SetOptions::default()).await.unwrap();
    }

    /// Returns the replies that arrive within a second.
    async fn all_replies(&mut self) -> Vec<Value> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        std::iter::from_fn(|| self.replies.try_recv().ok()).collect()
    }

    fn all_runs(&mut self) -> Vec<(String, u64)> {
        std::iter::from_fn(|| self.runs.try_recv().ok()).collect()
    }
}
