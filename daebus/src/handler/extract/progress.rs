use std::borrow::Borrow;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Serialize;

use daebus_caller::BusError;
use daebus_caller::wire::encode;

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Action;
use crate::handler::reply::Replier;

/// Sends progress updates to the caller before the reply. An argument of actions.
///
/// Updates arrive in order and before the reply. After the reply, and for requests without a reply, they are dropped silently.
///
/// ```
/// use daebus::prelude::*;
///
/// #[action("import")]
/// async fn import(
///     Payload(files): Payload<Vec<String>>,
///     progress: Progress<usize>,
/// ) -> Result<usize, BoxError> {
///     for done in 0..files.len() {
///         progress.send(done).await?;
///         // import `files[done]`
///     }
///     Ok(files.len())
/// }
/// # let _ = blueprint_of!["files"; import];
/// ```
#[derive(Debug)]
pub struct Progress<T> {
    replier: Option<Arc<Replier>>,
    of: PhantomData<fn(T)>,
}

impl<T> Clone for Progress<T> {
    fn clone(&self) -> Self {
        Self { replier: self.replier.clone(), of: PhantomData }
    }
}

impl<T: Serialize> Progress<T> {
    /// Sends an update, passed by value or by reference.
    ///
    /// # Errors
    ///
    /// Returns an error if the update can't be serialized as JSON, or if the bus is away until the caller stops waiting, for at
    /// most 30 s.
    pub fn send(&self, update: impl Borrow<T>) -> BoxFuture<'static, Result<(), BusError>> {
        // Serialized before the future, so that the update doesn't have to be `Send` or `'static`.
        let payload = encode(update.borrow());
        let replier = self.replier.clone();
        Box::pin(async move {
            let Some(replier) = replier else { return Ok(()) };
            let payload = payload.map_err(|error| BusError::encode(replier.channel(), &error))?;
            replier.progress(&payload).await
        })
    }
}

impl<T> Extract<Action> for Progress<T> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(Self { replier: cx.replier.clone(), of: PhantomData })
    }
}
