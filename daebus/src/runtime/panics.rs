//! Contains panics, and records those of handlers for tests.

use std::any::Any;
use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use parking_lot::Mutex;

/// The panics of handlers. They are recorded in tests only; in production they are logged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Panics(Option<Arc<Mutex<Vec<String>>>>);

impl Panics {
    /// Records panics until they are taken.
    #[cfg(feature = "testing")]
    pub(crate) fn recorded() -> Self {
        Self(Some(Arc::default()))
    }

    /// Runs a future. If it panics, records the panic under `subject` and returns the panic.
    pub(crate) fn contain<T>(
        &self,
        subject: impl Display,
        future: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, Panic>> {
        // Not an `async fn`, which would store the future twice.
        let contained = AssertUnwindSafe(future).catch_unwind();
        contained.map(move |outcome| outcome.map_err(|panic| self.record(&subject, &*panic)))
    }

    /// Runs a function as [`contain`](Self::contain) runs a future.
    pub(crate) fn contain_sync<T>(
        &self,
        subject: impl Display,
        function: impl FnOnce() -> T,
    ) -> Result<T, Panic> {
        catch_unwind(AssertUnwindSafe(function)).map_err(|panic| self.record(&subject, &*panic))
    }

    fn record(&self, subject: &dyn Display, panic: &(dyn Any + Send)) -> Panic {
        let message = panic_message(panic);
        if let Some(recorded) = &self.0 {
            recorded.lock().push(format!("{subject}: {message}"));
        }
        Panic(message.to_owned())
    }

    /// Returns the panics since the last call.
    #[cfg(feature = "testing")]
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.as_ref().map(|recorded| std::mem::take(&mut *recorded.lock())).unwrap_or_default()
    }
}

/// A contained panic. Displayed as its message.
#[derive(Debug)]
pub(crate) struct Panic(String);

impl Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}
