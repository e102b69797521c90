//! The arguments of `#[action]`, progress, and the end of handlers with their service.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use daebus::caller::bus::{self, Bus, BusUrl, Message, Topic};
use daebus::prelude::*;
use daebus_tests_support::{PATIENCE, eventually, next, within};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

fn app(bus: &str) -> Daebus {
    Daebus::new("svc").bus(format!("memory://{bus}"))
}

async fn connect(bus: &str) -> Arc<dyn Bus> {
    bus::connect(&BusUrl::parse(&format!("memory://{bus}")).unwrap()).await.unwrap()
}

/// Blocks handlers until it is opened, and reports each arrival.
#[derive(Clone)]
struct Gate {
    open: Arc<Semaphore>,
    arrived: mpsc::UnboundedSender<()>,
}

impl Gate {
    fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        (Self { open: Arc::new(Semaphore::new(0)), arrived }, arrivals)
    }

    async fn pass(&self) {
        self.arrived.send(()).unwrap();
        self.open.acquire().await.unwrap().forget();
    }
}

/// Reports that it was dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_an_action_limits_its_handler() -> Result<(), BoxError> {
    #[action("short", timeout = "2s")]
    async fn short() {
        std::future::pending::<()>().await;
    }
    let app = app("action-timeout").timeout(Duration::from_secs(60)).register(blueprint_of!["b"; short]);
    let service = app.start().await?;
    let caller = service.callers().to("svc").timeout(Duration::from_secs(60));
    let started = Instant::now();
    let error = caller.send_request::<Value>("short", ()).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Fault(fault) if fault.code() == Some("deadline_exceeded")),
        "{error:?}"
    );
    assert_eq!(started.elapsed().as_secs(), 2);
    Ok(service.stop().await?)
}

#[tokio::test]
async fn the_concurrency_of_an_action_limits_its_concurrent_handlers() -> Result<(), BoxError> {
    #[action("one_by_one", concurrency = 1)]
    async fn one_by_one(State(gate): State<Gate>) {
        gate.pass().await;
    }
    #[action("ping")]
    async fn ping() {}
    let (gate, mut arrivals) = Gate::new();
    let service = app("action-concurrency")
        .state(gate.clone())
        .register(blueprint_of!["b"; one_by_one, ping])
        .start()
        .await?;
    let caller = service.callers().to("svc");
    let calls: Vec<_> = (0..4).map(|_| caller.send_request::<()>("one_by_one", ()).spawn()).collect();
    for _ in &calls {
        next(&mut arrivals).await;
        // The answer comes after every handler that could start has started.
        caller.send_request::<()>("ping", ()).await?;
        assert_eq!(arrivals.try_recv(), Err(TryRecvError::Empty), "a second handler runs");
        gate.open.add_permits(1);
    }
    for call in calls {
        within(call).await?;
    }
    Ok(service.stop().await?)
}

#[tokio::test]
async fn progress_after_the_final_reply_is_not_sent() -> Result<(), BoxError> {
    #[action("import")]
    async fn import(
        progress: Progress<u32>,
        State(gate): State<Gate>,
        State(sent): State<mpsc::UnboundedSender<u32>>,
    ) -> Result<&'static str, BoxError> {
        progress.send(1).await?;
        let late = progress.clone();
        tokio::spawn(async move {
            gate.pass().await;
            late.send(2).await.unwrap();
            sent.send(2).unwrap();
        });
        Ok("done")
    }
    let (gate, _arrivals) = Gate::new();
    let (sent, mut late) = mpsc::unbounded_channel::<u32>();
    let service = app("late-progress")
        .state(gate.clone())
        .state(sent)
        .register(blueprint_of!["b"; import])
        .start()
        .await?;
    let bus = connect("late-progress").await;
    let (replies, mut inbox) = mpsc::unbounded_channel::<Value>();
    let take =
        move |message: Message| replies.send(serde_json::from_slice(&message.payload).unwrap()).unwrap();
    let _inbox = bus.subscribe(Topic::Channel("caller:x".into()), Arc::new(take)).await?;
    let request = br#"{"action": "import", "request_id": "1", "reply_to": "caller:x"}"#;
    bus.publish("svc", Bytes::from_static(request)).await?;
    assert_eq!(next(&mut inbox).await["payload"], 1);
    assert_eq!(next(&mut inbox).await["payload"], "done");
    gate.open.add_permits(1);
    next(&mut late).await;
    // The in-process bus delivers within `publish`, so a late update would have arrived.
    assert_eq!(inbox.try_recv(), Err(TryRecvError::Empty));
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_dropped_service_ends_its_handlers_and_leaves_the_bus() -> Result<(), BoxError> {
    #[action("waits")]
    async fn waits(State(gate): State<Gate>, State(dropped): State<mpsc::UnboundedSender<()>>) {
        let _dropped = Dropped(dropped);
        gate.pass().await;
    }
    #[listen("channel")]
    async fn listens() {}
    #[thread("async")]
    async fn runs(State(gate): State<Gate>, State(dropped): State<mpsc::UnboundedSender<()>>) {
        let _dropped = Dropped(dropped);
        gate.pass().await;
    }
    #[thread("blocking")]
    fn blocks(running: Running, State(gate): State<Gate>, State(dropped): State<mpsc::UnboundedSender<()>>) {
        let _dropped = Dropped(dropped);
        gate.arrived.send(()).unwrap();
        while running.wait(PATIENCE) {}
    }
    #[background("soon", every = "10ms")]
    async fn ticks(State(gate): State<Gate>, State(dropped): State<mpsc::UnboundedSender<()>>) {
        let _dropped = Dropped(dropped);
        gate.pass().await;
    }
    let (gate, mut arrivals) = Gate::new();
    let (dropped, mut ended) = mpsc::unbounded_channel::<()>();
    let service = app("dropped")
        .state(gate.clone())
        .state(dropped)
        .register(blueprint_of!["b"; waits, listens, runs, blocks, ticks])
        .start()
        .await?;
    let caller = Caller::connect("memory://dropped", "svc").await?;
    let _call = caller.send_request::<()>("waits", ()).spawn();
    for _ in ["waits", "runs", "blocks", "ticks"] {
        next(&mut arrivals).await;
    }
    let shutdown = service.shutdown();
    drop(service);
    assert!(shutdown.is_requested());
    for _ in ["waits", "runs", "blocks", "ticks"] {
        next(&mut ended).await;
    }
    let bus = connect("dropped").await;
    eventually("no subscription is left", async || {
        bus.subscribers("svc").await.unwrap() + bus.subscribers("channel").await.unwrap() == 0
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn on_start_runs_in_order_and_on_stop_in_reverse() -> Result<(), BoxError> {
    type Log = Arc<Mutex<Vec<String>>>;
    #[on_start]
    async fn first_start(State(log): State<Log>) {
        log.lock().unwrap().push("start 1".into());
    }
    #[on_start]
    async fn second_start(State(log): State<Log>) {
        log.lock().unwrap().push("start 2".into());
    }
    #[on_stop]
    async fn first_stop(State(log): State<Log>) {
        log.lock().unwrap().push("stop 1".into());
    }
    #[on_stop]
    async fn second_stop(State(log): State<Log>) -> Result<(), BoxError> {
        log.lock().unwrap().push("stop 2".into());
        Err("one that fails does not keep the others from running".into())
    }
    let log = Log::default();
    let service = app("hooks")
        .state(Arc::clone(&log))
        .register(blueprint_of!["a"; first_start, first_stop])
        .register(blueprint_of!["b"; second_start, second_stop])
        .start()
        .await?;
    service.stop().await?;
    assert_eq!(*log.lock().unwrap(), ["start 1", "start 2", "stop 2", "stop 1"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn on_stop_runs_after_handlers_were_cut_off_and_each_has_ten_seconds() -> Result<(), BoxError> {
    type Log = Arc<Mutex<Vec<&'static str>>>;
    #[action("hangs")]
    async fn hangs(State(gate): State<Gate>) {
        gate.pass().await;
    }
    #[on_stop]
    async fn last(State(log): State<Log>) {
        log.lock().unwrap().push("last");
    }
    #[on_stop]
    async fn stuck(State(log): State<Log>) {
        log.lock().unwrap().push("stuck");
        std::future::pending::<()>().await;
    }
    let (gate, mut arrivals) = Gate::new();
    let log = Log::default();
    let app = app("cut-hooks").drain(Duration::from_secs(3)).state(gate).state(Arc::clone(&log));
    let service = app.register(blueprint_of!["b"; hangs, last, stuck]).start().await?;
    let caller = Caller::connect("memory://cut-hooks", "svc").await?;
    let _call = caller.send_request::<()>("hangs", ()).timeout(Duration::from_secs(60)).spawn();
    next(&mut arrivals).await;
    let began = Instant::now();
    within(service.stop()).await.unwrap_err();
    assert_eq!(*log.lock().unwrap(), ["stuck", "last"]);
    // 3 s for the handler, 10 s for the hook.
    assert!((13..=15).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_plain_fn_handler_end_with_its_deadline() -> Result<(), BoxError> {
    #[action("left")]
    async fn left(request: Request) -> u64 {
        u64::try_from(request.remaining().unwrap().as_millis()).unwrap()
    }
    #[action("nested")]
    fn nested(callers: Callers) -> Result<u64, BoxError> {
        let call = callers.to("svc").send_request("left", ()).timeout(Duration::from_secs(3600));
        Ok(daebus::block_on(call.into_future())?)
    }
    let service = app("plain-deadline")
        .timeout(Duration::from_secs(7200))
        .register(blueprint_of!["b"; left, nested])
        .start()
        .await?;
    let caller = service.callers().to("svc").timeout(Duration::from_secs(20));
    let left: u64 = caller.send_request("nested", ()).await?;
    assert!((1..=20_000).contains(&left), "{left} ms left of 20 s");
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_stopped_service_has_closed_its_bus() -> Result<(), BoxError> {
    let service = app("closed-bus").start().await?;
    // Keeps a handle of the bus.
    let broadcast = service.broadcast();
    service.stop().await?;
    let sent = broadcast.send("channel", ()).await;
    assert!(matches!(sent, Err(BusError::Closed)), "{sent:?}");
    Ok(())
}
