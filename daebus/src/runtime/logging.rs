//! A ready-made log subscriber.
//!
//! A filter is a list of directives, of which the more specific ones take precedence: `info`, `warn,my_app=debug`,
//! `info,my_app::sensors=trace,daebus=warn`. A name without a level enables `trace` for that module.

use std::borrow::Cow;
use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::log_fields::LogFields;

pub(crate) const DEFAULT_FILTER: &str = "info";

/// The environment variables with the filter. The first that is set takes precedence.
pub(crate) const FILTER_VARIABLES: [&str; 2] = ["DAEBUS_LOG", "RUST_LOG"];

/// The environment variable with the format.
pub(crate) const FORMAT_VARIABLE: &str = "DAEBUS_LOG_FORMAT";

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Human-readable text. The default.
    #[default]
    Text,
    /// One JSON object per line.
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

/// Errors of configuring the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter is invalid.
    #[error("{filter:?} is not a log filter ({reason}); write info, or info,my_app=debug")]
    Filter {
        /// The filter.
        filter: String,
        /// Why the filter is invalid.
        reason: String,
    },
    /// No format has this name.
    #[error("{name:?} is not a log format; write text or json")]
    Format {
        /// The name.
        name: String,
    },
}

/// Installs a subscriber that writes the log to standard error, configured by the environment.
///
/// `DAEBUS_LOG` is the filter, or `RUST_LOG` if `DAEBUS_LOG` is unset. The filter defaults to `info`. `DAEBUS_LOG_FORMAT` is
/// `text` (the default) or `json`. An invalid value is ignored with a warning.
///
/// Does nothing if a global subscriber is installed already.
pub fn init() {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let found = FILTER_VARIABLES.iter().find_map(|name| Some((*name, variable(name)?)));
    let mut problems = Vec::new();
    let filter = found.and_then(|(name, filter)| {
        read(&filter).inspect_err(|error| problems.push(format!("{name}: {error}"))).ok()
    });
    let format = variable(FORMAT_VARIABLE).and_then(|format| {
        format.parse().inspect_err(|error| problems.push(format!("{FORMAT_VARIABLE}: {error}"))).ok()
    });
    let filter = filter.unwrap_or_else(|| EnvFilter::new(without_driver(DEFAULT_FILTER)));
    if set_up(filter, format.unwrap_or_default()) {
        for problem in problems {
            tracing::warn!("{problem}; the value is ignored");
        }
    }
}

/// Installs a subscriber that writes the log to standard error, configured by the arguments. The environment is ignored.
///
/// Does nothing if a global subscriber is installed already.
///
/// # Errors
///
/// Returns [`LogError::Filter`] if the filter is invalid. No subscriber is installed in this case.
pub fn init_with(filter: &str, format: Format) -> Result<(), LogError> {
    set_up(read(filter)?, format);
    Ok(())
}

/// Validates a filter.
#[cfg(any(test, feature = "args"))]
pub(crate) fn check(filter: &str) -> Result<(), LogError> {
    read(filter).map(drop)
}

fn read(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(without_driver(filter))
        .map_err(|error| LogError::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

/// Disables the log of the Redis driver, unless the filter contains `fred`: it repeats errors that the bus reports, in `Debug`
/// format.
fn without_driver(filter: &str) -> Cow<'_, str> {
    if filter.contains("fred") || filter.trim().is_empty() {
        return Cow::Borrowed(filter);
    }
    Cow::Owned(format!("{filter},fred=off"))
}

/// Returns `false` if another subscriber is installed already.
fn set_up(filter: EnvFilter, format: Format) -> bool {
    // No colours in journald and files.
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        Format::Json => registry.with(lines.json()).try_init().is_ok(),
        Format::Text => registry.with(lines.fmt_fields(LogFields::default())).try_init().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_invalid_filters_and_formats_with_an_example() {
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
