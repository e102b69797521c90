//! How many messages a listener handles at a time.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use daebus::prelude::*;
use daebus_tests_support::{eventually, within};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// Counts the runs that have begun, and lets them end.
#[derive(Clone)]
struct Runs {
    begun: Arc<AtomicUsize>,
    /// A plain `fn` waits for this.
    open: Arc<Mutex<mpsc::Receiver<()>>>,
    /// An async function waits for this.
    permits: Arc<Semaphore>,
    /// Released by each async run that is cut off.
    cut: Arc<Semaphore>,
}

impl Runs {
    fn new() -> (Self, mpsc::Sender<()>) {
        let (sender, open) = mpsc::channel();
        let runs = Self {
            begun: Arc::default(),
            open: Arc::new(Mutex::new(open)),
            permits: Arc::new(Semaphore::new(0)),
            cut: Arc::new(Semaphore::new(0)),
        };
        (runs, sender)
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

/// Blocks its thread past its deadline.
#[listen("blocking")]
fn blocks(State(runs): State<Runs>) {
    runs.begun.fetch_add(1, Ordering::SeqCst);
    let _ = runs.open.lock().recv();
}

/// Releases a permit when it is dropped.
struct OnDrop(Arc<Semaphore>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// Is cut off at its deadline.
#[listen("cut_off")]
async fn is_cut_off(State(runs): State<Runs>) {
    let _cut = OnDrop(runs.cut.clone());
    std::future::pending::<()>().await;
}

/// Two at a time.
#[listen("pairs", concurrency = 2)]
async fn pairs(State(runs): State<Runs>) {
    runs.begun.fetch_add(1, Ordering::SeqCst);
    runs.permits.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn a_plain_fn_listener_past_its_deadline_still_handles_one_message_at_a_time() {
    let (runs, open) = Runs::new();
    let service = Daebus::new("past_deadline")
        .bus("memory://past-deadline")
        .timeout(Duration::from_millis(20))
        .state(runs.clone())
        .register(blueprint_of!["slow"; blocks, is_cut_off])
        .start()
        .await
        .unwrap();
    let broadcast = service.broadcast();
    for _ in 0..2 {
        broadcast.send("blocking", ()).await.unwrap();
    }
    eventually("the first message is handled", async || runs.begun() == 1).await;
    // Three deadlines of another listener pass, one after the other.
    for _ in 0..3 {
        broadcast.send("cut_off", ()).await.unwrap();
    }
    within(runs.cut.acquire_many(3)).await.unwrap().forget();
    assert_eq!(runs.begun(), 1, "the thread of the first message still runs");
    open.send(()).unwrap();
    eventually("the second message is handled", async || runs.begun() == 2).await;
    open.send(()).unwrap();
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_listener_handles_as_many_messages_at_a_time_as_its_concurrency() {
    let (runs, _open) = Runs::new();
    let service = Daebus::new("pairs")
        .bus("memory://pairs")
        .state(runs.clone())
        .register(blueprint_of!["pairs"; pairs, is_cut_off])
        .timeout(Duration::from_secs(60))
        .start()
        .await
        .unwrap();
    for _ in 0..5 {
        service.broadcast().send("pairs", ()).await.unwrap();
    }
    for handled in [2, 3, 4] {
        eventually("another pair is complete", async || runs.begun() == handled).await;
        // A third run would begin now, while two wait.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(runs.begun(), handled);
        runs.permits.add_permits(1);
    }
    runs.permits.add_permits(10);
    service.stop().await.unwrap();
    assert_eq!(runs.begun(), 5);
}
