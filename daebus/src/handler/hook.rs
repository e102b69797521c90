//! Runs the handler of a hook.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::Instance;
use daebus_caller::deadline::Deadline;

use super::context::Context;
use super::core::Core;
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::invoke::{Invocation, Report};

/// Runs the handler of a hook within its own timeout, else within `timeout`. `member` is the instance that a membership
/// hook reports.
pub(crate) async fn run_hook(
    core: &Arc<Core>,
    trigger: &'static str,
    hook: &Endpoint,
    timeout: Duration,
    report: Report,
    member: Option<Arc<Instance>>,
) -> Result<(), Failure> {
    let mut cx = Context::new(Arc::clone(core), hook.definition.name);
    cx.deadline = Some(Deadline::after(hook.definition.timeout.unwrap_or(timeout)));
    if let Some(member) = member {
        cx.extensions_mut().insert(member);
    }
    Invocation::new(core, trigger, &hook.definition, report).call(hook, cx).await.map(drop)
}
