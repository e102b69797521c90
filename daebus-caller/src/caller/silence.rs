//! The silence after a request is published: when it is time to ask whether a service received the request.

use parking_lot::Mutex;
use tokio::time::Instant;

use super::audience::SILENCE;

/// The silence of one attempt. One timer serves it and the deadline, so it is looked at when that timer ends.
#[derive(Debug)]
pub(super) struct Silence(Mutex<Phase>);

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Not published yet. Most requests are by then.
    Sending {
        look: Instant,
    },
    /// Not published by then either: the timer is set again when the request is published.
    Waiting,
    Published {
        at: Instant,
    },
    Over {
        published: Instant,
    },
    /// The bus was asked, or needn't be.
    Settled,
}

impl Silence {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Phase::Sending { look: now + SILENCE }))
    }

    /// Begins the silence of a request that is published now.
    pub(super) fn begin(&self) {
        *self.0.lock() = Phase::Published { at: Instant::now() };
    }

    /// Ends the silence: there is nothing to ask.
    pub(super) fn settle(&self) {
        *self.0.lock() = Phase::Settled;
    }

    /// Returns when to look at it, and no later than `deadline`.
    pub(super) fn due(&self, deadline: Instant) -> Instant {
        match *self.0.lock() {
            Phase::Sending { look } => deadline.min(look),
            Phase::Published { at } => deadline.min(at + SILENCE),
            Phase::Waiting | Phase::Over { .. } | Phase::Settled => deadline,
        }
    }

    /// Looks at it: the silence of a request may be over.
    pub(super) fn look(&self, now: Instant) {
        let mut phase = self.0.lock();
        *phase = match *phase {
            Phase::Sending { look } if look <= now => Phase::Waiting,
            Phase::Published { at } if at + SILENCE <= now => Phase::Over { published: at },
            phase => phase,
        };
    }

    /// Returns when the request was published, once, when its silence is over.
    pub(super) fn take_over(&self) -> Option<Instant> {
        let mut phase = self.0.lock();
        let Phase::Over { published } = *phase else { return None };
        *phase = Phase::Settled;
        Some(published)
    }
}
