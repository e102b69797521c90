use std::sync::Arc;
use std::time::Duration;

use daebus::prelude::*;
use daebus::{FeatureContext, Repeater};

use crate::Store;

/// Publishes the sensors without recent readings.
#[derive(Debug)]
pub struct Watch {
    silence: Duration,
    store: Option<Arc<Store>>,
}

impl Watch {
    /// Creates a repeater that reports sensors without a reading for `silence`.
    pub fn new(silence: Duration) -> Self {
        Self { silence, store: None }
    }
}

impl Repeater for Watch {
    async fn prepare(&mut self, cx: &FeatureContext) -> Result<(), BoxError> {
        self.store = Some(cx.feature::<Store>().ok_or("the feature `Store` is missing")?);
        Ok(())
    }

    async fn run(&mut self, cx: &FeatureContext) -> Result<(), BoxError> {
        tokio::time::sleep(self.silence).await;
        let silent = self.store.as_ref().map(|store| store.silent_for(self.silence)).unwrap_or_default();
        if !silent.is_empty() {
            cx.broadcast().send("my_service.silent", json!({"sensors": silent})).await?;
        }
        Ok(())
    }
}
