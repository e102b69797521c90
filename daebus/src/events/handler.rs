use std::future::Future;

use crate::handler::{IntoOutcome, Outcome};

/// A handler for [`Events::listen`](crate::Events::listen): an async function that takes the payload of an event and returns
/// `()` or a `Result`. An error is logged.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't handle events of type `{T}`",
    note = "write an async function, or a closure that returns an `async move` block, that takes one `{T}` and returns \
            `()` or a `Result<(), E>` whose error derives `Fault` or is a `BoxError`"
)]
pub trait EventHandler<T>: Send + Sync + 'static {
    /// Handles an event.
    fn handle(&self, event: T) -> impl Future<Output = Outcome> + Send + 'static;
}

impl<T, F, Fut> EventHandler<T> for F
where
    F: Fn(T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome> + Send + 'static,
{
    fn handle(&self, event: T) -> impl Future<Output = Outcome> + Send + 'static {
        let handled = self(event);
        async move { handled.await.into_outcome() }
    }
}
