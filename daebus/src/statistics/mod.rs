//! Counters of handlers: updated with relaxed atomics, read as a snapshot, written in Prometheus's text format.

mod exposition;
mod handler;
mod histogram;

pub(crate) use exposition::{Exposition, MetricType};
pub(crate) use handler::{Ending, HandlerSnapshot, HandlerStatistics, LastError};
