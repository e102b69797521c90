//! One run of an instance, shared by the calls to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::wire::presence::instance_channel;
use crate::wire::{Instance, InstanceId};

/// One run of an instance, shared by the calls to it.
#[derive(Debug)]
pub(in crate::caller) struct Member {
    pub(in crate::caller) id: InstanceId,
    /// The channel for requests.
    pub(in crate::caller) channel: Arc<str>,
    in_flight: AtomicUsize,
    gone: AtomicBool,
}

impl Member {
    pub(super) fn new(instance: &Instance) -> Arc<Self> {
        Arc::new(Self {
            id: instance.id.clone(),
            channel: instance_channel(&instance.id).into(),
            in_flight: AtomicUsize::new(0),
            gone: AtomicBool::new(false),
        })
    }

    /// Counts a call in; [`Self::leave`] counts it out.
    pub(in crate::caller) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
    }

    pub(in crate::caller) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }

    /// Returns how many calls of this process to it are in flight.
    pub(in crate::caller) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Marks the run as ended. Its calls in flight are ended afterwards, so a call that is registered later sees the mark.
    pub(super) fn end(&self) {
        self.gone.store(true, Ordering::SeqCst);
    }

    /// Returns whether the run has ended.
    pub(in crate::caller) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }
}
