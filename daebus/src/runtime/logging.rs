//! Logging, ready-made, for those who want it.
//!
//! A filter is a list of directives, the more specific ones winning: `info`, `warn,my_app=debug`,
//! `info,my_app::sensors=trace,daebus=warn`. A name alone is a module at `trace`.

use std::borrow::Cow;
use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged when nobody says.
pub(crate) const DEFAULT_FILTER: &str = "info";

/// The variables that say what is logged, the first that is set counting.
pub(crate) const FILTER_VARIABLES: [&str; 2] = ["DAEBUS_LOG", "RUST_LOG"];

/// The variable that says how.
pub(crate) const FORMAT_VARIABLE: &str = "DAEBUS_LOG_FORMAT";

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl FromStr for Format {
    type Err = LogError;

    fn from_str(name: &str) -> Result<Self, LogError> {
        match name.trim().to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(LogError::Format { name: name.to_owned() }),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Why the log isn't written as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter can't be read.
    #[error("{filter:?} is no log filter ({reason}); write info, or info,my_app=debug")]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such format.
    #[error("{name:?} is no log format; write text or json")]
    Format {
        /// What was asked for.
        name: String,
    },
}

/// Writes the log to standard error: `DAEBUS_LOG`, else `RUST_LOG`, says what (`info` when both are unset, `debug`,
/// `my_app=trace,info`, …), `DAEBUS_LOG_FORMAT=json` asks for one JSON object a line instead of text.
///
/// Calling it twice, or after another subscriber was set up, does nothing.
pub fn init() {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let said = FILTER_VARIABLES.iter().find_map(|name| Some((*name, variable(name)?)));
    let mut problems = Vec::new();
    let filter = said.and_then(|(name, said)| {
        read(&said).inspect_err(|error| problems.push(format!("{name}: {error}"))).ok()
    });
    let format = variable(FORMAT_VARIABLE).and_then(|said| {
        said.parse().inspect_err(|error| problems.push(format!("{FORMAT_VARIABLE}: {error}"))).ok()
    });
    let filter = filter.unwrap_or_else(|| EnvFilter::new(without_driver(DEFAULT_FILTER)));
    if set_up(filter, format.unwrap_or_default()) {
        for problem in problems {
            tracing::warn!("{problem}; it is left out");
        }
    }
}

/// Writes the log to standard error, as the arguments say and not the environment.
///
/// Calling it twice, or after another subscriber was set up, does nothing.
///
/// # Errors
///
/// When the filter can't be read; nothing is set up then.
pub fn init_with(filter: &str, format: Format) -> Result<(), LogError> {
    set_up(read(filter)?, format);
    Ok(())
}

/// Whether a filter can be read.
#[cfg(any(test, feature = "args"))]
pub(crate) fn check(filter: &str) -> Result<(), LogError> {
    read(filter).map(drop)
}

fn read(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(without_driver(filter))
        .map_err(|error| LogError::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

/// The Redis driver logs the `Debug` output of errors that the bus reports itself; a filter that names `fred` shows it.
fn without_driver(filter: &str) -> Cow<'_, str> {
    if filter.contains("fred") || filter.trim().is_empty() {
        return Cow::Borrowed(filter);
    }
    Cow::Owned(format!("{filter},fred=off"))
}

/// Returns whether this was the first.
fn set_up(filter: EnvFilter, format: Format) -> bool {
    // Colours are for people: journald and files get none.
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        Format::Json => registry.with(lines.json()).try_init().is_ok(),
        Format::Text => registry.with(lines).try_init().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_formats_are_read_or_refused_in_words() {
        for filter in ["info", "warn,my_app=debug", "info,my_app::sensors=trace", "off"] {
            check(filter).unwrap();
        }
        assert_eq!(without_driver("info"), "info,fred=off");
        assert_eq!(without_driver("info,fred=debug"), "info,fred=debug");
        let error = check("my_app=loud").unwrap_err().to_string();
        assert!(error.contains("my_app=loud") && error.contains("info,my_app=debug"), "{error}");
        assert_eq!("JSON".parse(), Ok(Format::Json));
        assert!("xml".parse::<Format>().unwrap_err().to_string().contains("write text or json"));
    }
}
