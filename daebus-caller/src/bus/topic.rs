//! What a subscription selects: a channel or a pattern.

use std::fmt;
use std::sync::Arc;

use super::glob;

/// What a subscription selects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One channel.
    Channel(Arc<str>),
    /// Every channel that a Redis pattern matches: `*`, `?`, `[a-c]`, `[^x]`, and `\` to escape the next character.
    Pattern(Arc<str>),
}

impl Topic {
    /// Returns a pattern if `name` contains `*`, `?`, `[` or `\`, else a channel.
    pub fn parse(name: &str) -> Self {
        if name.contains(['*', '?', '[', '\\']) {
            Self::Pattern(name.into())
        } else {
            Self::Channel(name.into())
        }
    }

    /// Returns whether messages on `channel` are selected, as Redis decides it.
    ///
    /// ```
    /// use daebus_caller::bus::Topic;
    ///
    /// assert!(Topic::parse("sensor.*").matches("sensor.kitchen"));
    /// assert!(!Topic::parse("sensor").matches("sensor.kitchen"));
    /// ```
    pub fn matches(&self, channel: &str) -> bool {
        match self {
            Self::Channel(name) => **name == *channel,
            Self::Pattern(pattern) => glob::matches(pattern.as_bytes(), channel.as_bytes()),
        }
    }

    /// Returns the channel's name or the pattern.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Channel(name) | Self::Pattern(name) => name,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
