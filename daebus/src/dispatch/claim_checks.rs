//! Checks whether requests are claimed, with one command for all requests that are due.

use std::collections::VecDeque;
use std::sync::Arc;

use daebus_caller::bus::Bus;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Checks whether requests are claimed. At most one command is in flight; the checks that arrive meanwhile share the next.
pub(super) struct ClaimChecks {
    bus: Arc<dyn Bus>,
    waiting: Arc<Mutex<WaitingChecks>>,
}

#[derive(Default)]
struct WaitingChecks {
    checks: VecDeque<(String, oneshot::Sender<CheckOutcome>)>,
    is_busy: bool,
}

/// What a check that waits receives.
enum CheckOutcome {
    IsClaimed(bool),
    /// It sends the next command.
    Turn(CheckTurn),
}

/// The turn of the check that sends the command. When it is dropped, also because the check was, the next check that waits has
/// its turn.
struct CheckTurn(Option<Arc<Mutex<WaitingChecks>>>);

impl ClaimChecks {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus, waiting: Arc::default() }
    }

    /// Returns whether the claim exists. A check that fails counts as one without a claim: claiming decides.
    pub(super) async fn is_claimed(&self, key: &str) -> bool {
        let read = async |keys: &[String]| {
            let values = self.bus.get_many(keys).await.unwrap_or_default();
            values.iter().map(Option::is_some).collect()
        };
        self.check(key, read).await
    }

    /// `read` returns which of the keys exist, in their order.
    async fn check(&self, key: &str, read: impl AsyncFnOnce(&[String]) -> Vec<bool>) -> bool {
        let receiver = {
            let mut waiting = self.waiting.lock();
            std::mem::replace(&mut waiting.is_busy, true).then(|| {
                let (sender, receiver) = oneshot::channel();
                waiting.checks.push_back((key.to_owned(), sender));
                receiver
            })
        };
        let _turn = match receiver {
            None => CheckTurn(Some(Arc::clone(&self.waiting))),
            Some(receiver) => match receiver.await {
                Ok(CheckOutcome::Turn(turn)) => turn,
                Ok(CheckOutcome::IsClaimed(is_claimed)) => return is_claimed,
                Err(_) => return false,
            },
        };
        let others = std::mem::take(&mut self.waiting.lock().checks);
        let (keys, senders): (Vec<_>, Vec<_>) = others.into_iter().unzip();
        let keys: Vec<String> = std::iter::once(key.to_owned()).chain(keys).collect();
        let mut claimed = read(&keys).await.into_iter().chain(std::iter::repeat(false));
        let own = claimed.next().unwrap_or_default();
        for (sender, is_claimed) in senders.into_iter().zip(claimed) {
            // The request may have been cancelled.
            let _ = sender.send(CheckOutcome::IsClaimed(is_claimed));
        }
        own
    }
}

impl Drop for CheckTurn {
    fn drop(&mut self) {
        let Some(state) = self.0.take() else { return };
        loop {
            let mut waiting = state.lock();
            let Some((_, sender)) = waiting.checks.pop_front() else {
                waiting.is_busy = false;
                return;
            };
            drop(waiting);
            match sender.send(CheckOutcome::Turn(Self(Some(Arc::clone(&state))))) {
                // The request was cancelled. Its turn ends here, so that it doesn't pass itself on.
                Err(CheckOutcome::Turn(mut turn)) => turn.0 = None,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use daebus_caller::bus::MemoryBus;
    use futures_util::future::join_all;
    use tokio::time::{Instant, sleep, timeout};

    use super::*;

    fn checks() -> Arc<ClaimChecks> {
        Arc::new(ClaimChecks::new(MemoryBus::new()))
    }

    /// Returns after 2 ms that keys which begin with "claimed" exist.
    async fn read(keys: &[String]) -> Vec<bool> {
        sleep(Duration::from_millis(2)).await;
        keys.iter().map(|key| key.starts_with("claimed")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_ends_although_further_ones_arrive() {
        let checks = checks();
        let feeder = tokio::spawn({
            let checks = Arc::clone(&checks);
            async move {
                loop {
                    let checks = Arc::clone(&checks);
                    tokio::spawn(async move { checks.check("other", read).await });
                    sleep(Duration::from_millis(1)).await;
                }
            }
        });
        for _ in 0..10 {
            let begun = Instant::now();
            let checked = timeout(Duration::from_secs(1), checks.check("claimed", read)).await;
            assert_eq!(checked, Ok(true));
            assert!(begun.elapsed() <= Duration::from_millis(10), "{:?}", begun.elapsed());
        }
        feeder.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn checks_that_arrive_together_share_a_command_and_receive_their_own_results() {
        let checks = checks();
        let begun = Instant::now();
        let keys: Vec<String> =
            (0..100).flat_map(|n| [format!("claimed-{n}"), format!("free-{n}")]).collect();
        let claimed = join_all(keys.iter().map(|key| checks.check(key, read))).await;
        assert!(claimed.iter().zip(&keys).all(|(claimed, key)| *claimed == key.starts_with("claimed")));
        assert!(begun.elapsed() <= Duration::from_millis(6), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_is_dropped_passes_its_turn_on() {
        let checks = checks();
        let within = |limit, key| timeout(Duration::from_millis(limit), checks.check(key, read));
        let (first, second, third) = tokio::join!(within(1, "a"), within(1, "b"), within(100, "claimed"));
        assert!(first.is_err() && second.is_err());
        assert_eq!(third, Ok(true));
        assert_eq!(within(100, "claimed").await, Ok(true), "the turn is free");
    }
}
