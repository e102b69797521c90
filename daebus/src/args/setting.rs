use std::fmt;

use crate::runtime::logging::{FILTER_VARIABLES, FORMAT_VARIABLE};

/// A setting of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Setting {
    Name,
    Bus,
    Http,
    Ws,
    Log,
    LogFormat,
    Drain,
}

impl Setting {
    pub(crate) const ALL: [Self; 7] =
        [Self::Name, Self::Bus, Self::Http, Self::Ws, Self::Log, Self::LogFormat, Self::Drain];

    /// Returns the key of the setting in a file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Bus => "bus",
            Self::Http => "http",
            Self::Ws => "ws",
            Self::Log => "log",
            Self::LogFormat => "log_format",
            Self::Drain => "drain",
        }
    }

    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Name => "--name",
            Self::Bus => "--bus",
            Self::Http => "--http",
            Self::Ws => "--ws",
            Self::Log => "--log",
            Self::LogFormat => "--log-format",
            Self::Drain => "--drain",
        }
    }

    /// Returns the environment variables of the setting. The first that is set takes precedence.
    pub(super) fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Name => &["DAEBUS_NAME"],
            Self::Bus => &["DAEBUS_URL"],
            Self::Http => &["DAEBUS_HTTP"],
            Self::Ws => &["DAEBUS_WS"],
            Self::Log => &FILTER_VARIABLES,
            Self::LogFormat => &[FORMAT_VARIABLE],
            Self::Drain => &["DAEBUS_DRAIN"],
        }
    }
}

/// The source of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SettingSource {
    Flag(&'static str),
    Variable(&'static str),
    /// The path of a file, and the line in it.
    File(String, usize),
    Code,
    Default,
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "the flag {flag}"),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::File(path, line) => write!(f, "{path}:{line}"),
            Self::Code => f.write_str("the code"),
            Self::Default => f.write_str("the default"),
        }
    }
}
