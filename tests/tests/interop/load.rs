//! Fifty threads of Python callers at once: each gets its own answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus::prelude::*;
use daebus_tests::{Process, RedisServer, python};

const THREADS: usize = 50;
const REQUESTS: usize = 20;

/// What a thread asks; it wants the same back.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    thread: usize,
    n: usize,
    text: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct At {
    thread: usize,
    n: usize,
}

/// How many handlers run, and how many did at most.
#[derive(Debug, Default)]
struct Busy {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[blueprint("mirror")]
mod mirror {
    use super::*;

    #[action("mirror")]
    pub(super) async fn mirror(
        Payload(question): Payload<Question>,
        progress: Progress<At>,
        State(busy): State<Arc<Busy>>,
    ) -> Result<Question, BoxError> {
        let running = busy.now.fetch_add(1, Ordering::SeqCst) + 1;
        busy.most.fetch_max(running, Ordering::SeqCst);
        progress.send(At { thread: question.thread, n: question.n }).await?;
        // Answers overtake one another, so that only their ids can bring them home.
        let rest = Duration::from_millis(u64::try_from((question.thread * 7 + question.n * 3) % 20)?);
        tokio::time::sleep(rest).await;
        busy.now.fetch_sub(1, Ordering::SeqCst);
        Ok(question)
    }

    #[action("refuse")]
    pub(super) async fn refuse(Payload(Question { thread, n, .. }): Payload<Question>) -> Result<(), Fault> {
        Err(Fault::new("refused", format!("{thread} may not ask {n}")))
    }
}

/// Lets them all ask, and looks at what came of it.
async fn check(callers: &str) {
    let redis = RedisServer::start();
    let busy = Arc::new(Busy::default());
    let service = Daebus::new("mirror_service")
        .bus(redis.url())
        .state(Arc::clone(&busy))
        .register(mirror::blueprint())
        .start()
        .await
        .unwrap();
    let port = redis.port().to_string();
    let python = Process::start(python().args([
        "load.py",
        "mirror_service",
        &port,
        &THREADS.to_string(),
        &REQUESTS.to_string(),
        callers,
    ]));
    // The process is waited for on a thread, since our service answers on this runtime.
    let line = tokio::task::spawn_blocking(move || python.line("said ")).await.unwrap();
    let said: Value = serde_json::from_str(line.trim_start_matches("said ")).unwrap();
    let raised = THREADS * (REQUESTS / 5);
    let right = THREADS * REQUESTS - raised;
    assert_eq!(
        said,
        json!({"right": right, "raised": raised, "progress": right, "wrong": [], "pending": 0}),
        "{callers}"
    );
    assert!(busy.most.load(Ordering::SeqCst) > 10, "{callers}: they came one after the other: {busy:?}");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_python_threads_with_a_caller_each_get_their_own_answers() {
    check("each").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_python_threads_that_share_a_caller_get_their_own_answers() {
    check("shared").await;
}
