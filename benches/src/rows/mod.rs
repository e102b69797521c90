//! The rows of the table.

mod broadcasts;
mod build;
mod calls;
mod idle;
mod in_process;
mod rest;
mod servers;

use clap::ValueEnum;

use crate::bench::Bench;
use crate::report::Line;

/// Names of contenders in the table.
const DAEBUS: &str = "Daebus";
const BY_HAND: &str = "by hand";
const NATS: &str = "NATS";
const PYTHON: &str = "Python";
const AXUM: &str = "axum";

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Row {
    /// Calls over Redis, caller and service in one process
    Calls,
    /// Calls over Redis, caller and service in two processes
    Processes,
    /// Calls within one process: instructions, allocations, bytes
    InProcess,
    /// Broadcasts to 1, 10 and 100 listeners
    Broadcasts,
    /// CPU time of a JSON route
    Http,
    /// Echoes on a WebSocket
    Websocket,
    /// Memory at rest, and time from start to ready
    Rest,
    /// Memory of idle connections
    Idle,
    /// Build times of `quickstart`, and numbers of crates
    Build,
}

impl Row {
    /// The rows to measure: those asked for, or all but the one that takes minutes.
    pub(crate) fn selected(only: &[Self], build: bool) -> Vec<Self> {
        let wanted = |row: &Self| match row {
            Self::Build if build => true,
            Self::Build => only.contains(row),
            _ => only.is_empty() || only.contains(row),
        };
        Self::value_variants().iter().copied().filter(wanted).collect()
    }

    pub(crate) fn measure(self, bench: &Bench) -> Vec<Line> {
        match self {
            Self::Calls => calls::one_process(bench),
            Self::Processes => calls::two_processes(bench),
            Self::InProcess => in_process::lines(bench),
            Self::Broadcasts => broadcasts::lines(bench),
            Self::Http => servers::http(bench),
            Self::Websocket => servers::websocket(bench),
            Self::Rest => rest::lines(bench),
            Self::Idle => idle::lines(bench),
            Self::Build => build::lines(bench),
        }
    }

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(crate) fn summary(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_is_measured_only_on_request() {
        let all = Row::value_variants();
        assert_eq!(Row::selected(&[], false).len(), all.len() - 1);
        assert_eq!(Row::selected(&[], true), all);
        assert_eq!(Row::selected(&[Row::Idle, Row::Calls], false), [Row::Calls, Row::Idle]);
        assert_eq!(Row::selected(&[Row::Build], false), [Row::Build]);
    }
}
