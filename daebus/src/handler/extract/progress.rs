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

/// Tells the caller how far the work is, before the answer.
///
/// Updates arrive in order and before the answer; after the answer they are dropped. A one-way request has nobody to
/// tell, and sending is then a quick nothing.
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
    /// Sends one update, given by value or by reference.
    ///
    /// # Errors
    ///
    /// Returns an error if the update can't be written as JSON, or if the bus stays away until the caller stops waiting,
    /// but for at most 30 s.
    pub fn send(&self, update: impl Borrow<T>) -> BoxFuture<'static, Result<(), BusError>> {
        // Written at once, so that the update need not be one that can wait in a task.
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
