//! A runtime on a thread of its own, for programs that have none.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::BusError;

/// How long a name that is being looked up may hold up the thread's end.
const LOOK_UP: Duration = Duration::from_millis(100);

/// A runtime on a thread of its own. The thread ends with the last handle.
#[derive(Clone)]
pub(super) struct Runtime {
    handle: Handle,
    _end: Arc<DropGuard>,
}

impl Runtime {
    /// Starts the thread.
    pub(super) fn start() -> Result<Self, BusError> {
        forbid_within_a_runtime()?;
        let failed =
            |error: std::io::Error| BusError::Blocking { reason: format!("it got no thread: {error}") };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let ended = CancellationToken::new();
        let end = Arc::new(ended.clone().drop_guard());
        let thread = move || {
            runtime.block_on(ended.cancelled());
            // Drops every task, and with them the connections.
            runtime.shutdown_timeout(LOOK_UP);
        };
        std::thread::Builder::new().name("daebus-caller".into()).spawn(thread).map_err(failed)?;
        Ok(Self { handle, _end: end })
    }

    /// Runs a future there and waits for it here.
    pub(super) fn run<F>(&self, future: F) -> Result<F::Output, BusError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        forbid_within_a_runtime()?;
        let (tell, told) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            // Whoever waited holds the receiver until this has come.
            let _ = tell.send(future.await);
        });
        // Without a word: it panicked, as only what the application put in can.
        told.recv().map_err(|_| BusError::Closed)
    }

    /// Runs a future there and waits for nothing.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(future);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runtime")
    }
}

/// Blocking a runtime's thread would hold up everything that runs on it, perhaps what is waited for.
pub(super) fn forbid_within_a_runtime() -> Result<(), BusError> {
    if Handle::try_current().is_err() {
        return Ok(());
    }
    Err(BusError::Blocking {
        reason:
            "this thread belongs to a tokio runtime, which it would hold up; use daebus_caller::Caller here"
                .into(),
    })
}
