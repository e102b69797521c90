//! Logging, ready-made, for those who want it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Writes the log to standard error: `RUST_LOG` says what (`info,fred=error` when it is unset, `debug`, `my_app=trace,info`, …),
/// `DAEBUS_LOG_FORMAT=json` asks for one JSON object a line instead of text.
///
/// Calling it twice, or after another subscriber was set up, does nothing.
pub fn init() {
    let (filter, problem) = filter();
    let json = std::env::var("DAEBUS_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json"));
    // Colours are for people: journald and files get none.
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let result = if json { registry.with(lines.json()).try_init() } else { registry.with(lines).try_init() };
    if let (Ok(()), Some(problem)) = (result, problem) {
        tracing::warn!("RUST_LOG can't be read, so `info,fred=error` is used instead: {problem}");
    }
}

fn filter() -> (EnvFilter, Option<String>) {
    let directives = std::env::var("RUST_LOG").unwrap_or_default();
    // The driver warns of every lost connection in its own words; the bus says it once, in ours.
    let default = || EnvFilter::new("info,fred=error");
    if directives.trim().is_empty() {
        return (default(), None);
    }
    match EnvFilter::try_new(directives) {
        Ok(filter) => (filter, None),
        Err(error) => (default(), Some(error.to_string())),
    }
}
