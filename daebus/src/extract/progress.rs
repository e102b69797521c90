use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use daebus_caller::BusError;
use daebus_caller::wire::encode;

use super::Extract;
use crate::context::kind::Action;
use crate::context::{Context, Failure};
use crate::reply::Replier;

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
    /// Sends one update.
    ///
    /// # Errors
    ///
    /// When the update can't be written as JSON, or the bus stays away for 5 s.
    pub async fn send(&self, update: T) -> Result<(), BusError>
    where
        T: Send + Sync,
    {
        let Some(replier) = &self.replier else { return Ok(()) };
        let payload = encode(&update).map_err(|error| BusError::Encode {
            channel: replier.channel().to_owned(),
            reason: error.to_string(),
        })?;
        replier.progress(&payload).await
    }
}

impl<T> Extract<Action> for Progress<T> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(Self { replier: cx.replier.clone(), of: PhantomData })
    }
}
