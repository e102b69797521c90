//! The counters of one handler.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use daebus_caller::bus::QueueMeter;
use daebus_caller::wire::Fault;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::histogram::{Histogram, HistogramSnapshot};

/// The maximum number of bytes of an error message that are kept.
const MESSAGE: usize = 512;

/// Timeouts that follow each other within this time are one episode, of which the log has the first.
const EPISODE: Duration = Duration::from_secs(60);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    /// The handler returned an error, or an argument could not be extracted.
    Error,
    Panic,
    /// The deadline passed while the handler ran.
    Timeout,
    /// The run was cut off by its caller or by the stop of the service.
    Cancelled,
}

/// The counters of one handler.
#[derive(Debug, Default)]
pub(crate) struct HandlerStatistics {
    durations: Histogram,
    errors: AtomicU64,
    panics: AtomicU64,
    timeouts: AtomicU64,
    cancelled: AtomicU64,
    expired: AtomicU64,
    last_error: Mutex<Option<LastError>>,
    last_timeout: Mutex<Option<Instant>>,
    /// The queue of a listener, once the listener is subscribed.
    queue: OnceLock<QueueMeter>,
}

/// The last error of a handler, as its caller received it: the reason of an internal error is in the log only.
#[derive(Debug, Clone)]
pub(crate) struct LastError {
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    pub(crate) at: Timestamp,
}

impl HandlerStatistics {
    /// Counts a run from now on.
    pub(crate) fn begin(self: Arc<Self>, at: Instant) -> RunningHandler {
        RunningHandler { statistics: self, began: at, ending: Ending::Cancelled }
    }

    /// Counts a request whose deadline passed before the handler could run.
    pub(crate) fn expired(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps an error, unless another one is being kept or read at this moment.
    fn failed(&self, fault: &Fault, at: Timestamp) {
        let Some(mut last_error) = self.last_error.try_lock() else { return };
        let message = fault.error();
        let ends = (0..=message.len().min(MESSAGE)).rev();
        let end = ends.into_iter().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
        let message = message[..end].to_owned();
        *last_error = Some(LastError { message, code: fault.code().map(str::to_owned), at });
    }

    /// Notes a run that ended at its deadline. Returns whether it begins an episode.
    fn begins_timeouts(&self) -> bool {
        let last = self.last_timeout.lock().replace(Instant::now());
        last.is_none_or(|last| last.elapsed() > EPISODE)
    }

    /// Reports the length and the drops of a listener's queue from now on.
    pub(crate) fn meter(&self, queue: QueueMeter) {
        // A listener keeps its queue as long as the service runs.
        let _ = self.queue.set(queue);
    }

    pub(crate) fn snapshot(&self) -> HandlerSnapshot {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HandlerSnapshot {
            errors: count(&self.errors),
            panics: count(&self.panics),
            timeouts: count(&self.timeouts),
            cancelled: count(&self.cancelled),
            expired: count(&self.expired),
            last_error: self.last_error.lock().clone(),
            queue: self.queue.get().map(|queue| (queue.waiting(), queue.dropped())),
            // Last, so that no outcome is counted whose run is not.
            durations: self.durations.snapshot(),
        }
    }
}

/// A run that is being counted. One that is dropped before its end was cancelled.
#[derive(Debug)]
pub(crate) struct RunningHandler {
    statistics: Arc<HandlerStatistics>,
    began: Instant,
    ending: Ending,
}

impl RunningHandler {
    /// Keeps the error of the run.
    pub(crate) fn failed(&self, fault: &Fault, at: Timestamp) {
        self.statistics.failed(fault, at);
    }

    /// Counts the run. Returns whether it begins an episode of timeouts.
    pub(crate) fn end(mut self, ending: Ending) -> bool {
        self.ending = ending;
        ending == Ending::Timeout && self.statistics.begins_timeouts()
    }
}

impl Drop for RunningHandler {
    fn drop(&mut self) {
        let statistics = &self.statistics;
        statistics.durations.record(self.began.elapsed());
        let counter = match self.ending {
            Ending::Success => return,
            Ending::Error => &statistics.errors,
            Ending::Panic => &statistics.panics,
            Ending::Timeout => &statistics.timeouts,
            Ending::Cancelled => &statistics.cancelled,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The counters of one handler at one time.
#[derive(Debug, Clone)]
pub(crate) struct HandlerSnapshot {
    pub(crate) errors: u64,
    pub(crate) panics: u64,
    pub(crate) timeouts: u64,
    pub(crate) cancelled: u64,
    /// Requests that were not run, and are in no other count.
    pub(crate) expired: u64,
    pub(crate) last_error: Option<LastError>,
    /// The length of a listener's queue, and how many messages it dropped.
    pub(crate) queue: Option<(usize, u64)>,
    pub(crate) durations: HistogramSnapshot,
}

impl HandlerSnapshot {
    /// Returns how many runs have ended.
    pub(crate) fn runs(&self) -> u64 {
        self.durations.count()
    }

    /// Returns how many runs ended with an error, a panic or at their deadline.
    pub(crate) fn failures(&self) -> u64 {
        self.errors + self.panics + self.timeouts
    }

    /// Returns how many runs succeeded.
    pub(crate) fn successes(&self) -> u64 {
        self.runs().saturating_sub(self.failures() + self.cancelled)
    }

    /// Adds the counters of another handler of the same name, such as a second listener of a channel.
    pub(crate) fn add(&mut self, other: &Self) {
        self.errors += other.errors;
        self.panics += other.panics;
        self.timeouts += other.timeouts;
        self.cancelled += other.cancelled;
        self.expired += other.expired;
        self.durations.add(&other.durations);
        if let (Some((length, dropped)), Some(more)) = (&mut self.queue, other.queue) {
            (*length, *dropped) = (*length + more.0, *dropped + more.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_ending_has_its_count() {
        let statistics = Arc::new(HandlerStatistics::default());
        for ending in [Ending::Success, Ending::Success, Ending::Error, Ending::Panic, Ending::Timeout] {
            let run = Arc::clone(&statistics).begin(Instant::now());
            tokio::time::advance(Duration::from_millis(10)).await;
            run.end(ending);
        }
        drop(Arc::clone(&statistics).begin(Instant::now()));
        statistics.expired();
        let snapshot = statistics.snapshot();
        assert_eq!((snapshot.runs(), snapshot.successes(), snapshot.failures()), (6, 2, 3));
        assert_eq!((snapshot.errors, snapshot.panics, snapshot.timeouts), (1, 1, 1));
        assert_eq!((snapshot.cancelled, snapshot.expired), (1, 1));
        assert_eq!(snapshot.durations.sum(), Duration::from_millis(50));
    }

    #[tokio::test(start_paused = true)]
    async fn timeouts_within_a_minute_are_one_episode() {
        let statistics = Arc::new(HandlerStatistics::default());
        for (pause, begins) in [(0, true), (1, false), (59, false), (61, true), (60, false)] {
            tokio::time::advance(Duration::from_secs(pause)).await;
            let run = Arc::clone(&statistics).begin(Instant::now());
            assert_eq!(run.end(Ending::Timeout), begins, "after {pause} s");
        }
        assert!(!Arc::clone(&statistics).begin(Instant::now()).end(Ending::Success));
    }

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let statistics = HandlerStatistics::default();
        statistics.failed(&Fault::new("first", "first"), Timestamp::UNIX_EPOCH);
        statistics.failed(&Fault::new("long", "ä€".repeat(MESSAGE)), Timestamp::UNIX_EPOCH);
        let last = statistics.snapshot().last_error.expect("an error");
        assert!(last.message.len() <= MESSAGE && last.message.len() > MESSAGE - 4);
        assert_eq!(last.code.as_deref(), Some("long"));
    }
}
