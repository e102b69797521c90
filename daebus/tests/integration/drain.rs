//! Replies of a service that is stopping, on the in-process bus.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::Arc;

use daebus::caller::bus::{self, Bus, BusUrl, Message, Subscription, Topic};
use daebus::prelude::*;
use daebus_tests_support::{eventually, next, within};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Blocks the handler, and reports that it is running.
#[derive(Clone)]
struct Door {
    open: Arc<Semaphore>,
    came: mpsc::UnboundedSender<()>,
}

async fn wait(State(door): State<Door>) {
    door.came.send(()).unwrap();
    door.open.acquire().await.unwrap().forget();
}

/// A service that is stopping while a handler runs, and a peer on its bus.
struct Stopping {
    bus: Arc<dyn Bus>,
    replies: mpsc::UnboundedReceiver<Value>,
    _inbox: Subscription,
    open: Arc<Semaphore>,
    stopped: JoinHandle<Result<(), daebus::Error>>,
}

impl Stopping {
    async fn on(bus: Arc<dyn Bus>, name: &str) -> Self {
        Self::on_after(bus, name, async || ()).await.0
    }

    /// Like [`on`](Self::on); `before` runs before the service begins to stop.
    async fn on_after<T>(bus: Arc<dyn Bus>, name: &str, before: impl AsyncFnOnce() -> T) -> (Self, T) {
        let (came, mut arrivals) = mpsc::unbounded_channel();
        let open = Arc::new(Semaphore::new(0));
        let app = Daebus::new("svc").bus(format!("memory://{name}"));
        let app = app.state(Door { open: Arc::clone(&open), came });
        let service = app.register(Blueprint::new("b").action("wait", wait)).start().await.unwrap();
        let (received, replies) = mpsc::unbounded_channel();
        let take =
            move |message: Message| received.send(serde_json::from_slice(&message.payload).unwrap()).unwrap();
        let inbox = bus.subscribe(Topic::Channel("caller:x".into()), Arc::new(take)).await.unwrap();
        request(&*bus, 1).await;
        next(&mut arrivals).await;
        let done = before().await;
        let shutdown = service.shutdown();
        let stopped = tokio::spawn(service.stop());
        within(shutdown.requested()).await;
        (Self { bus, replies, _inbox: inbox, open, stopped }, done)
    }

    /// Ends the handler and thereby the service.
    async fn end(mut self) {
        self.open.add_permits(1);
        assert_eq!(next(&mut self.replies).await["request_id"], 1);
        within(self.stopped).await.unwrap().unwrap();
        assert_eq!(self.bus.subscribers("svc").await.unwrap(), 0, "the service has left its channel");
    }
}

async fn connect(name: &str) -> Arc<dyn Bus> {
    bus::connect(&BusUrl::parse(&format!("memory://{name}")).unwrap()).await.unwrap()
}

/// Publishes a request as a Python caller does, and returns how many subscribers received it.
async fn request(bus: &dyn Bus, id: u32) -> u64 {
    let request = json!({"action": "wait", "payload": {}, "request_id": id, "reply_to": "caller:x"});
    bus.publish("svc", request.to_string().into()).await.unwrap()
}

/// Another instance of the service.
async fn another_instance(name: &str) -> daebus::Service {
    let open = Arc::new(Semaphore::new(0));
    let door = Door { open, came: mpsc::unbounded_channel().0 };
    let app = Daebus::new("svc").bus(format!("memory://{name}")).state(door);
    app.register(Blueprint::new("b").action("wait", wait)).start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_alone_refuses_requests_until_its_drain_ends() {
    let mut service = Stopping::on(connect("alone").await, "alone").await;
    for id in 2..20 {
        assert_eq!(request(&*service.bus, id).await, 1, "the service stays subscribed");
        let reply = next(&mut service.replies).await;
        assert_eq!(
            (&reply["payload"]["code"], &reply["refused"], &reply["request_id"]),
            (&json!("shutting_down"), &json!(true), &json!(id)),
            "{reply}"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    service.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_alone_leaves_its_channel_at_once() {
    let bus = connect("two").await;
    let (service, other) = Stopping::on_after(bus, "two", async || another_instance("two").await).await;
    eventually("the service has left", async || service.bus.subscribers("svc").await.unwrap() == 1).await;
    other.stop().await.unwrap();
    service.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopping_service_leaves_its_channel_when_another_joins() {
    let mut service = Stopping::on(connect("successor").await, "successor").await;
    assert_eq!(request(&*service.bus, 2).await, 1);
    assert_eq!(next(&mut service.replies).await["payload"]["code"], "shutting_down");
    let other = another_instance("successor").await;
    eventually("the service has left", async || service.bus.subscribers("svc").await.unwrap() == 1).await;
    other.stop().await.unwrap();
    service.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_its_turn_at_the_end_of_the_drain_is_refused() -> Result<(), BoxError> {
    let (came, mut arrivals) = mpsc::unbounded_channel();
    let door = Door { open: Arc::new(Semaphore::new(0)), came };
    let app = Daebus::new("svc").bus("memory://not-begun").concurrency(1).drain(Duration::from_secs(1));
    let service = app.state(door).register(Blueprint::new("b").action("wait", wait)).start().await?;
    let bus = connect("not-begun").await;
    let (received, mut replies) = mpsc::unbounded_channel::<Value>();
    let take =
        move |message: Message| received.send(serde_json::from_slice(&message.payload).unwrap()).unwrap();
    let _inbox = bus.subscribe(Topic::Channel("caller:x".into()), Arc::new(take)).await?;
    for id in [1, 2] {
        request(&*bus, id).await;
    }
    next(&mut arrivals).await;
    within(service.stop()).await.unwrap_err();
    let mut outcomes = Vec::new();
    for _ in [1, 2] {
        let reply = next(&mut replies).await;
        outcomes.push(json!([reply["request_id"], reply["payload"]["code"], reply["refused"]]));
    }
    outcomes.sort_by_key(|outcome| outcome[0].as_u64());
    assert_eq!(outcomes, [json!([1, "interrupted", null]), json!([2, "shutting_down", true])]);
    assert!(arrivals.try_recv().is_err(), "the second request has not run");
    Ok(())
}
