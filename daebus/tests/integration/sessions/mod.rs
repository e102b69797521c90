//! Streams and workflows in one process: on the in-process bus, most of them with the paused clock.

mod hostile;
mod http;
mod limits;
mod streams;
mod typed;
mod workflows;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus::prelude::*;
use daebus::testing::TestApp;
use daebus::{DialogError, IncomingError};
use futures_util::{StreamExt, stream};

/// What the handlers have done.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<SeenState>);

#[derive(Default)]
struct SeenState {
    /// Items that a handler's stream was asked for.
    yielded: AtomicUsize,
    /// Items that a handler has received.
    received: AtomicUsize,
    /// Handlers and streams that were dropped.
    dropped: AtomicUsize,
    errors: parking_lot::Mutex<Vec<String>>,
}

impl Seen {
    pub(crate) fn yielded(&self) -> usize {
        self.0.yielded.load(Ordering::SeqCst)
    }

    pub(crate) fn received(&self) -> usize {
        self.0.received.load(Ordering::SeqCst)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.0.dropped.load(Ordering::SeqCst)
    }

    pub(crate) fn errors(&self) -> Vec<String> {
        self.0.errors.lock().clone()
    }

    fn yields(&self) -> usize {
        self.0.yielded.fetch_add(1, Ordering::SeqCst)
    }

    fn receives(&self) {
        self.0.received.fetch_add(1, Ordering::SeqCst);
    }

    fn fails(&self, error: impl std::fmt::Display) {
        self.0.errors.lock().push(error.to_string());
    }
}

/// Counts its own end.
pub(crate) struct Dropped(Seen);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault, PartialEq)]
pub enum NumberError {
    #[error("{n} is not a number of this stream")]
    NoSuchNumber { n: u64 },
    #[error(transparent)]
    #[fault(internal)]
    #[serde(skip)]
    Incoming(#[from] Opaque),
}

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{0}")]
pub struct Opaque(String);

#[derive(Debug, Serialize, Deserialize, PartialEq, Clone)]
pub struct Range {
    pub from: u64,
    pub to: u64,
}

#[blueprint("numbers")]
pub mod numbers {
    use super::*;

    /// Counts.
    #[action("count")]
    pub async fn count(
        Payload(range): Payload<Range>,
        State(seen): State<Seen>,
    ) -> impl Stream<Item = Result<u64, NumberError>> {
        let guard = Dropped(seen.clone());
        stream::iter(range.from..=range.to).map(move |n| {
            let _ = &guard;
            seen.yields();
            if n == 13 { Err(NumberError::NoSuchNumber { n }) } else { Ok(n) }
        })
    }

    /// Fails before its stream.
    #[action("closed")]
    pub async fn closed(
        Payload(n): Payload<u64>,
    ) -> Result<impl Stream<Item = Result<u64, NumberError>>, NumberError> {
        if n == 0 {
            return Err(NumberError::NoSuchNumber { n });
        }
        Ok(stream::iter([Ok(n)]))
    }

    /// Never yields.
    #[action("silent")]
    pub async fn silent(State(seen): State<Seen>) -> impl Stream<Item = Result<u64, NumberError>> {
        let guard = Dropped(seen);
        stream::pending().map(move |item: u64| {
            let _ = &guard;
            Ok(item)
        })
    }

    /// Large items.
    #[action("large")]
    pub async fn large(
        Payload((items, bytes)): Payload<(usize, usize)>,
        State(seen): State<Seen>,
    ) -> impl Stream<Item = Result<String, NumberError>> {
        stream::iter(0..items).map(move |_| {
            seen.yields();
            Ok("x".repeat(bytes))
        })
    }

    /// Takes a stream.
    #[action("sum", timeout = "60s")]
    pub async fn sum(mut items: Incoming<i64>, State(seen): State<Seen>) -> Result<i64, IncomingError> {
        let _guard = Dropped(seen.clone());
        let mut sum = 0;
        while let Some(item) = items.next().await {
            seen.receives();
            sum += item.inspect_err(|error| seen.fails(error))?;
        }
        Ok(sum)
    }

    /// Takes a payload and a stream, and doesn't read the stream until it is woken.
    #[action("slow")]
    pub async fn slow(
        Payload(wait_ms): Payload<u64>,
        items: Incoming<String>,
        State(seen): State<Seen>,
    ) -> Result<usize, IncomingError> {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        let mut count = 0;
        let mut items = items;
        while let Some(item) = items.next().await {
            item?;
            seen.receives();
            count += 1;
        }
        Ok(count)
    }

    /// Takes a stream and returns one.
    #[action("double")]
    pub async fn double(items: Incoming<i64>) -> impl Stream<Item = Result<i64, IncomingError>> {
        items.map(|item| item.map(|item| item * 2))
    }

    /// Asks.
    #[workflow("greet")]
    pub async fn greet(
        Payload(greeting): Payload<String>,
        mut dialog: Dialog,
        State(seen): State<Seen>,
    ) -> Result<String, DialogError> {
        let _guard = Dropped(seen.clone());
        dialog.tell("started").await?;
        let name: String = dialog
            .ask_within(json!({"what": "name"}), Duration::from_secs(30))
            .await
            .inspect_err(|error| seen.fails(error))?;
        dialog.tell("named").await?;
        let times: usize = dialog.ask("times").await.inspect_err(|error| seen.fails(error))?;
        Ok(format!("{greeting} {name}").repeat(times))
    }

    /// An ordinary action.
    #[action("add")]
    pub async fn add(Payload(n): Payload<i64>, State(seen): State<Seen>) -> Result<i64, NumberError> {
        if n < 0 {
            return Err(NumberError::NoSuchNumber { n: 0 });
        }
        seen.receives();
        seen.fails(n);
        Ok(n)
    }
}

pub(crate) async fn app() -> (TestApp, Seen) {
    let seen = Seen::default();
    let app = Daebus::new("numbers").state(seen.clone()).register(numbers::blueprint());
    (TestApp::new(app).await, seen)
}

pub(crate) fn range(from: u64, to: u64) -> Range {
    Range { from, to }
}
