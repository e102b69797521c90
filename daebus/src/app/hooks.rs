//! Runs the `on_start` and `on_stop` handlers.

use std::sync::Arc;
use std::time::Duration;

use crate::blueprint::Registry;
use crate::error::{Error, Result};
use crate::handler::{Core, Report, run_hook};

/// Runs the `on_start` handlers one after the other, up to the first that fails.
pub(super) async fn start(core: &Arc<Core>, registry: &Registry, timeout: Duration) -> Result<()> {
    for hook in &registry.on_start {
        run_hook(core, "on_start", hook, timeout, Report::Invoker, None).await.map_err(|failure| {
            Error::OnStart {
                service: core.service.to_string(),
                handler: hook.definition.source.to_string(),
                reason: failure.to_string(),
            }
        })?;
    }
    Ok(())
}

/// Runs the `on_stop` handlers in reverse order of their registration. If one fails, the others still run.
pub(super) async fn stop(core: &Arc<Core>, registry: &Registry, timeout: Duration) {
    for hook in registry.on_stop.iter().rev() {
        // A failure has been logged.
        let _ = run_hook(core, "on_stop", hook, timeout, Report::Log, None).await;
    }
}
