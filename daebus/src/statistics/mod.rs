//! Counters of what handlers do: kept with relaxed atomics, read as a snapshot, written as Prometheus text.

mod exposition;
mod handler;
mod histogram;

pub(crate) use exposition::{Exposition, MetricType};
pub(crate) use handler::{Ending, HandlerSnapshot, HandlerStatistics, LastError};
