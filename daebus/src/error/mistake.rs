//! Mistakes in the configuration of an application.

use std::fmt;

/// A mistake in the configuration of an application, which prevents its start.
///
/// Displayed as `<source>: <message>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    source: Option<String>,
    message: String,
}

impl Mistake {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { source: None, message: message.into() }
    }

    /// Sets where the mistake was made.
    pub(crate) fn at(mut self, source: impl fmt::Display) -> Self {
        self.source = Some(source.to_string());
        self
    }

    /// Returns where the mistake was made: a handler and its position, a flag, an environment variable, a line of a file or a
    /// builder method. `None` if the message contains it.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Returns the description of the mistake, and of how to correct it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{source}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
