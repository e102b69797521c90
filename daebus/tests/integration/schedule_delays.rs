//! Scheduled runs that begin later than they are due, or not at all: jitter, overlap and pauses.

use std::collections::BTreeSet;

use daebus::prelude::*;
use daebus::testing::TestApp;
use daebus::{Overlap, Schedule};
use daebus_tests_support::next;
use tokio::sync::mpsc;
use tokio::time::Instant;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn jitter_delays_each_run_by_another_time() {
    async fn run(State(runs): State<mpsc::UnboundedSender<Instant>>) {
        runs.send(Instant::now()).unwrap();
    }
    let (sender, mut runs) = mpsc::unbounded_channel::<Instant>();
    let job = Schedule::every(seconds(10)).jitter(seconds(5));
    // Not a `TestApp`: its simulated clock has no jitter.
    let app = Daebus::new("svc").bus("memory://jitter").state(sender);
    let service = app.register(Blueprint::new("b").background("job", job, run)).start().await.unwrap();
    let start = Instant::now();
    let mut delays = BTreeSet::new();
    for n in 1..=20 {
        let late = (next(&mut runs).await - start).saturating_sub(seconds(10 * n));
        assert!(late <= seconds(5) + Duration::from_millis(10), "run {n}: {late:?}");
        delays.insert(late.as_millis());
    }
    assert!(delays.len() > 10, "{delays:?}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_pause_leaves_out_the_queued_run_unless_it_was_requested() {
    async fn slow(State(start): State<Instant>, broadcast: Broadcast) {
        broadcast.send("began", start.elapsed().as_secs()).await.unwrap();
        tokio::time::sleep(seconds(25)).await;
    }
    tokio::time::pause();
    let schedule = Schedule::every(seconds(10)).overlap(Overlap::Queue);
    let app = Daebus::new("svc").state(Instant::now());
    let app = TestApp::new(app.register(Blueprint::new("b").background("job", schedule, slow))).await;
    let tasks = app.service().tasks();
    // One run since 10 s; that of 20 s is queued.
    app.advance(seconds(21)).await;
    tasks.pause("job").unwrap();
    app.advance(seconds(60)).await;
    assert_eq!(app.published("began").await.decode::<u64>(), [10]);
    tasks.resume("job").unwrap();
    app.advance(seconds(10)).await;
    // 91 s: one run since 90 s.
    let requested = tokio::spawn({
        let tasks = tasks.clone();
        async move { tasks.run_now("job").await }
    });
    app.settle().await;
    tasks.pause("job").unwrap();
    app.advance(seconds(60)).await;
    assert_eq!(app.published("began").await.decode::<u64>(), [10, 90, 115]);
    requested.await.unwrap().unwrap();
    app.finish().await;
}
