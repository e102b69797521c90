//! Names of channels and services, checked once at the edge.

use std::fmt;
use std::sync::Arc;

/// The longest name the protocol allows, in bytes.
pub(super) const MAX_BYTES: usize = 255;

/// A name that can't be used on the bus, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is the empty string.
    #[error("an empty {kind} name can't be used")]
    Empty {
        /// "channel", "service" or "instance".
        kind: &'static str,
    },
    /// The name has more than 255 bytes.
    #[error("the {kind} name {name:?}… has {bytes} bytes; 255 is the most")]
    TooLong {
        /// "channel", "service" or "instance".
        kind: &'static str,
        /// How the name begins.
        name: String,
        /// Its length.
        bytes: usize,
    },
    /// The name contains a control character.
    #[error("the {kind} name {name:?} contains a control character")]
    Control {
        /// "channel", "service" or "instance".
        kind: &'static str,
        /// The name as given.
        name: String,
    },
    /// The name is one the protocol keeps for itself.
    #[error("the {kind} name {name:?} is reserved: {rule}")]
    Reserved {
        /// "channel", "service" or "instance".
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
}

/// The name of a service, which is also the channel its requests arrive on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// Checks a service's name.
    ///
    /// # Errors
    ///
    /// When it is empty, longer than 255 bytes, has control characters, or is reserved.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        let name = name.as_ref();
        check("service", name)?;
        let rule = if name.starts_with("caller:") {
            "`caller:` begins the inbox of a caller"
        } else if name.ends_with(".responses") {
            "`.responses` ends the channel for replies without an address"
        } else if name.ends_with(".workflows") {
            "`.workflows` ends a channel of the Python package"
        } else {
            return Ok(Self(name.into()));
        };
        Err(NameError::Reserved { kind: "service", name: name.to_owned(), rule })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The name of a channel that an application publishes to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(Arc<str>);

impl Channel {
    /// Checks a channel's name.
    ///
    /// # Errors
    ///
    /// When it is empty, longer than 255 bytes, has control characters, or is reserved.
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        Self::check(name.as_ref())?;
        Ok(Self(name.as_ref().into()))
    }

    /// Checks a channel's name without keeping it.
    ///
    /// # Errors
    ///
    /// As [`Channel::new`].
    pub fn check(name: &str) -> Result<(), NameError> {
        check("channel", name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Whether a name may have control characters: all bytes of a short name are compared at once.
fn may_have_control(name: &str) -> bool {
    // 0xc2 begins U+0080 to U+00BF, of which the first half is control characters.
    let counts = |byte| u8::from(byte < 0x20) | u8::from(byte == 0x7f) | u8::from(byte == 0xc2);
    name.bytes().fold(0, |found, byte| found | counts(byte)) > 0
}

/// The rules that hold for channels, services and instances alike.
pub(super) fn check(kind: &'static str, name: &str) -> Result<(), NameError> {
    let reserved = |rule| Err(NameError::Reserved { kind, name: name.to_owned(), rule });
    if name.is_empty() {
        Err(NameError::Empty { kind })
    } else if name.len() > MAX_BYTES {
        Err(NameError::TooLong { kind, name: name.chars().take(40).collect(), bytes: name.len() })
    } else if may_have_control(name) && name.chars().any(char::is_control) {
        Err(NameError::Control { kind, name: name.to_owned() })
    } else if name.starts_with("daebus:") {
        reserved("`daebus:` begins the framework's own channels and keys")
    } else if name.starts_with("__keyspace@") || name.starts_with("__keyevent@") {
        reserved("`__keyspace@` and `__keyevent@` are Redis's own")
    } else {
        Ok(())
    }
}
