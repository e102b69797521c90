//! Checks whether requests are claimed, with one command for all requests that are due.

use std::sync::Arc;

use daebus_caller::bus::Bus;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Checks whether requests are claimed. At most one command is in flight; the checks that arrive meanwhile share the next.
pub(super) struct ClaimChecks {
    bus: Arc<dyn Bus>,
    waiting: Mutex<WaitingChecks>,
}

#[derive(Default)]
struct WaitingChecks {
    checks: Vec<(String, oneshot::Sender<bool>)>,
    is_busy: bool,
}

/// Ends the turn of the check that runs the commands, also if it is dropped: the checks that wait run their own.
struct CheckTurn<'a>(&'a ClaimChecks);

impl ClaimChecks {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus, waiting: Mutex::default() }
    }

    /// Returns whether the claim exists. A check that fails counts as one without a claim: claiming decides.
    pub(super) async fn is_claimed(&self, key: &str) -> bool {
        let (sender, receiver) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting.lock();
            waiting.checks.push((key.to_owned(), sender));
            !std::mem::replace(&mut waiting.is_busy, true)
        };
        if is_first {
            let _turn = CheckTurn(self);
            loop {
                let checks = std::mem::take(&mut self.waiting.lock().checks);
                if checks.is_empty() {
                    break;
                }
                let (keys, senders): (Vec<String>, Vec<_>) = checks.into_iter().unzip();
                let values = self.bus.get_many(&keys).await.unwrap_or_default();
                let claimed = values.into_iter().map(|value| value.is_some()).chain(std::iter::repeat(false));
                for (sender, is_claimed) in senders.into_iter().zip(claimed) {
                    // The request may have been cancelled.
                    let _ = sender.send(is_claimed);
                }
            }
        }
        receiver.await.unwrap_or(false)
    }
}

impl Drop for CheckTurn<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting.lock();
        waiting.is_busy = false;
        let left = std::mem::take(&mut waiting.checks);
        drop(waiting);
        drop(left);
    }
}
