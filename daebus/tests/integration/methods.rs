//! A type whose methods are handlers of every kind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use daebus::prelude::*;
use daebus::testing::TestApp;
use parking_lot::Mutex;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    name: String,
    price: u32,
}

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize, daebus::Fault)]
pub(crate) enum StockError {
    #[error("there is no {0}")]
    #[fault(status = 404)]
    Missing(String),
}

#[contract("stock")]
pub(crate) trait Stocked {
    #[action("add")]
    async fn add(item: Item) -> Result<u32, StockError>;
    #[event("restocked")]
    fn restocked(item: Item);
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    items: usize,
    events: u32,
}

#[derive(Default)]
pub(crate) struct Stock {
    items: Mutex<BTreeMap<String, Item>>,
    events: AtomicU32,
    lifecycle: Mutex<Vec<&'static str>>,
}

/// Items by name.
#[blueprint("stock", contract = Stocked)]
impl Stock {
    const LIMIT: usize = 10;

    fn new() -> Self {
        Self::default()
    }

    /// Adds an item.
    #[action("add")]
    #[action("insert")]
    async fn add(&self, Payload(item): Payload<Item>) -> Result<u32, StockError> {
        if self.items.lock().len() == Self::LIMIT {
            return Err(StockError::Missing(item.name));
        }
        let price = item.price;
        self.items.lock().insert(item.name.clone(), item);
        Ok(price)
    }

    /// A plain `fn`, which runs on a blocking thread.
    #[action("price", idempotent)]
    fn price(&self, Payload(name): Payload<String>, State(factor): State<u32>) -> Result<u32, StockError> {
        self.items.lock().get(&name).map(|item| item.price * factor).ok_or(StockError::Missing(name))
    }

    #[action("nothing")]
    async fn nothing(&self) {}

    #[cfg(any())]
    #[action("never")]
    async fn never(&self) {}

    #[listen(event = StockedCaller::RESTOCKED)]
    async fn restocked(&self, Payload(item): Payload<Item>) {
        self.items.lock().insert(item.name.clone(), item);
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    #[route("/items/<name>")]
    async fn item(&self, name: String, State(_): State<u32>) -> Result<Json<Item>, StockError> {
        self.items.lock().get(&name).cloned().map(Json).ok_or(StockError::Missing(name))
    }

    #[route("/count")]
    fn count(&self) -> String {
        self.items.lock().len().to_string()
    }

    #[socket("summary")]
    async fn summary(&self) -> Summary {
        Summary { items: self.items.lock().len(), events: self.events.load(Ordering::Relaxed) }
    }

    #[background("audit", 60)]
    async fn audit(&self) {
        self.lifecycle.lock().push("audit");
    }

    #[thread("watch")]
    fn watch(&self, running: Running) {
        self.lifecycle.lock().push("watch");
        while running.wait(Duration::from_secs(3600)) {}
    }

    #[on_start]
    async fn open(&self) {
        self.lifecycle.lock().push("start");
    }

    #[on_stop]
    fn close(&self) {
        self.lifecycle.lock().push("stop");
    }
}

/// `Self` is the type in the typed caller as well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Counter {
    value: u32,
}

#[blueprint("counter")]
impl Counter {
    #[action("increased")]
    async fn increased(&self, Payload(by): Payload<Self>) -> Self {
        Self { value: self.value + by.value }
    }
}

#[tokio::test]
async fn handlers_are_methods_of_one_object() {
    let stock = Arc::new(Stock::new());
    let app = Daebus::new("stock")
        .register(Stock::blueprint(Arc::clone(&stock)))
        .state(2_u32)
        .attach(WebSocket::new());
    let app = TestApp::new(app).await;
    let caller = StockCaller::new(app.caller().clone());

    let tea = Item { name: "tea".into(), price: 4 };
    assert_eq!(caller.add(&tea).await.unwrap(), 4);
    assert_eq!(caller.price(&"tea".to_owned()).await.unwrap(), 8);
    let missing = caller.price(&"gold".to_owned()).await;
    assert!(matches!(missing, Err(CallError::Service(StockError::Missing(_)))), "{missing:?}");
    caller.nothing().await.unwrap();
    assert_eq!(StockedCaller::new(app.caller().clone()).add(&tea).await.unwrap(), 4);

    app.publish("restocked", json!({"name": "salt", "price": 1})).await;
    app.settle().await;
    assert_eq!(stock.items.lock().len(), 2);
    app.http().get("/items/tea").await.assert_json(json!({"name": "tea", "price": 4}));
    app.http().get("/items/gold").await.assert_status(404);
    assert_eq!(app.http().get("/count").await.text(), "2");
    let mut socket = app.socket().await;
    let summary: Summary = socket.ask("summary", json!({})).await.decode();
    assert_eq!(summary, Summary { items: 2, events: 1 });
    app.advance(Duration::from_secs(61)).await;
    app.finish().await;
    let lifecycle = stock.lifecycle.lock().clone();
    // The thread is mounted; `TestApp` starts threads on request only.
    assert_eq!(lifecycle, ["start", "audit", "stop"]);
}

#[tokio::test]
async fn an_object_without_an_arc_is_registered_and_may_name_its_own_type() {
    let app = Daebus::new("counter").bus("memory://object-counter");
    let service = app.register(Counter::blueprint(Counter { value: 3 })).start().await.unwrap();
    let counter = CounterCaller::connect("memory://object-counter", "counter").await.unwrap();
    assert_eq!(counter.increased(&Counter { value: 4 }).await.unwrap(), Counter { value: 7 });
    service.stop().await.unwrap();
}
