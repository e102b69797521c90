//! The lease while this instance holds it.

use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::extract::Lease;
use crate::handler::{Context, Failure};

/// Permission for one run. The lease is released after the last run has ended.
#[derive(Debug)]
pub(crate) struct LeaseHold {
    pub(super) lease: Lease,
    pub(super) lost: CancellationToken,
    pub(super) _run: TaskTrackerToken,
}

impl LeaseHold {
    pub(crate) fn provide(&self, cx: &mut Context) {
        cx.extensions_mut().insert(self.lease);
    }

    /// Runs a handler until the lease is lost.
    pub(crate) async fn run<T>(
        self,
        handler: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        match self.lost.run_until_cancelled(handler).await {
            Some(outcome) => outcome,
            None => Err(Failure::internal("the run was cancelled: this instance has lost the lease")),
        }
    }
}
