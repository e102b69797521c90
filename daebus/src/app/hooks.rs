//! What runs before anything reaches the service, and after everything has left it.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::deadline::Deadline;
use tracing::{Instrument, error, info_span};

use crate::blueprint::Registry;
use crate::error::{Error, Result};
use crate::handler::{Context, Core, Endpoint, Failure, Turn, run_guarded};

/// Runs the `on_start` handlers one after the other; the first that fails ends it.
pub(super) async fn start(core: &Arc<Core>, registry: &Registry, timeout: Duration) -> Result<()> {
    for hook in &registry.on_start {
        run(core, hook, timeout).await.map_err(|failure| Error::OnStart {
            service: core.service.to_string(),
            handler: hook.source.to_string(),
            reason: failure.to_string(),
        })?;
    }
    Ok(())
}

/// Runs the `on_stop` handlers, last registered first; one that fails doesn't keep the others from running.
pub(super) async fn stop(core: &Arc<Core>, registry: &Registry, timeout: Duration) {
    for hook in registry.on_stop.iter().rev() {
        if let Err(failure) = run(core, hook, timeout).await {
            error!(handler = %hook.source, error = %failure, "on_stop failed");
        }
    }
}

async fn run(core: &Arc<Core>, hook: &Endpoint, timeout: Duration) -> Result<(), Failure> {
    let cx = Context::new(Arc::clone(core), hook.source.function());
    let deadline = Deadline::after(hook.timeout.unwrap_or(timeout));
    let span = info_span!("hook", service = core.service.as_str(), handler = hook.source.function());
    let run = hook.run.clone().run(cx);
    run_guarded(core, hook.source, Some(deadline), Turn::default(), run).instrument(span).await.map(drop)
}
