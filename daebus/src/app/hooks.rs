//! What runs before anything reaches the service, and after everything has left it.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::deadline::Deadline;

use crate::blueprint::Registry;
use crate::error::{Error, Result};
use crate::handler::{Context, Core, Endpoint, Failure, Invocation, Report};

/// Runs the `on_start` handlers one after the other; the first that fails ends it.
pub(super) async fn start(core: &Arc<Core>, registry: &Registry, timeout: Duration) -> Result<()> {
    for hook in &registry.on_start {
        run(core, "on_start", hook, timeout, Report::Invoker).await.map_err(|failure| Error::OnStart {
            service: core.service.to_string(),
            handler: hook.definition.source.to_string(),
            reason: failure.to_string(),
        })?;
    }
    Ok(())
}

/// Runs the `on_stop` handlers, last registered first; one that fails doesn't keep the others from running.
pub(super) async fn stop(core: &Arc<Core>, registry: &Registry, timeout: Duration) {
    for hook in registry.on_stop.iter().rev() {
        // A failure is in the log; the other hooks still run.
        let _ = run(core, "on_stop", hook, timeout, Report::Log).await;
    }
}

async fn run(
    core: &Arc<Core>,
    trigger: &'static str,
    hook: &Endpoint,
    timeout: Duration,
    report: Report,
) -> Result<(), Failure> {
    let mut cx = Context::new(Arc::clone(core), hook.definition.name);
    cx.deadline = Some(Deadline::after(hook.definition.timeout.unwrap_or(timeout)));
    Invocation::new(core, trigger, &hook.definition, report).call(hook, cx).await.map(drop)
}
