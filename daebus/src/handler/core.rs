//! What every handler of one running service shares.

use std::sync::Arc;

use daebus_caller::Link;
use daebus_caller::bus::{Bus, Outbox};
use daebus_caller::wire::ServiceName;

use super::about::About;
use super::admission::Admission;
use super::extensions::Extensions;
use super::identity::Identity;
use super::state::States;
use crate::runtime::{Clock, Panics, Readiness, Shutdown};

/// What every handler of one running service shares.
pub(crate) struct Core {
    pub(crate) service: ServiceName,
    pub(crate) about: About,
    pub(crate) identity: Identity,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) outbox: Outbox,
    pub(crate) link: Link,
    pub(crate) states: States,
    pub(crate) shutdown: Shutdown,
    pub(crate) readiness: Readiness,
    pub(crate) clock: Clock,
    pub(crate) panics: Panics,
    pub(crate) admission: Admission,
    /// What modules above this one provide for their extractors, such as `Tasks`.
    pub(crate) provided: Extensions,
}
