//! The protocol's rules for names, as far as a macro can check them.
//!
//! The rules live in `daebus_caller::wire`; this crate can't depend on that one, so they are written down a second
//! time here, and a test in `tests/` compares the two by what they accept and refuse.

use std::fmt;

/// The codes that the framework itself answers with.
pub(crate) const RESERVED_CODES: [&str; 8] = [
    "unknown_action",
    "invalid_payload",
    "internal",
    "overloaded",
    "shutting_down",
    "interrupted",
    "deadline_exceeded",
    "cancelled",
];

/// The longest name the protocol allows, in bytes.
const MAX_BYTES: usize = 255;

/// Why a text is not a valid name.
#[derive(Debug)]
pub(crate) enum NameError {
    Empty,
    TooLong {
        bytes: usize,
    },
    ControlCharacter,
    /// A rule that keeps the name for another purpose.
    Reserved(&'static str),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name can't be empty"),
            Self::TooLong { bytes } => write!(f, "it has {bytes} bytes, the maximum is {MAX_BYTES}"),
            Self::ControlCharacter => f.write_str("it contains a control character"),
            Self::Reserved(rule) => f.write_str(rule),
        }
    }
}

/// Checks the name of an action: any non-empty text that doesn't begin with `$`.
pub(crate) fn check_action(name: &str) -> Result<(), NameError> {
    check_text(name)?;
    if name.starts_with('$') {
        return Err(NameError::Reserved(
            "names that begin with `$` are reserved for the framework's actions",
        ));
    }
    Ok(())
}

/// Checks the name of a channel, or a pattern of channels.
pub(crate) fn check_channel(name: &str) -> Result<(), NameError> {
    check_text(name)?;
    if name.starts_with("daebus:") {
        return Err(NameError::Reserved(
            "names that begin with `daebus:` are reserved for the framework's channels and keys",
        ));
    }
    if name.starts_with("__keyspace@") || name.starts_with("__keyevent@") {
        return Err(NameError::Reserved(
            "names that begin with `__keyspace@` or `__keyevent@` are reserved by Redis",
        ));
    }
    Ok(())
}

/// Checks the name of a service, which is also the channel of its requests.
pub(crate) fn check_service(name: &str) -> Result<(), NameError> {
    check_channel(name)?;
    let rule = if name.starts_with("caller:") {
        "names that begin with `caller:` are reserved for the inboxes of callers"
    } else if name.ends_with(".responses") {
        "names that end with `.responses` are reserved for replies without an address"
    } else if name.ends_with(".workflows") {
        "names that end with `.workflows` are reserved for the Python package"
    } else {
        return Ok(());
    };
    Err(NameError::Reserved(rule))
}

/// Checks the rules that hold for every name.
pub(crate) fn check_text(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        Err(NameError::Empty)
    } else if name.len() > MAX_BYTES {
        Err(NameError::TooLong { bytes: name.len() })
    } else if name.chars().any(char::is_control) {
        Err(NameError::ControlCharacter)
    } else {
        Ok(())
    }
}

/// FNV-1a: by this number a contract's types are found under a name on the bus.
pub(crate) fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
