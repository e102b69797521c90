//! The protocol's rules for names, as far as a macro can check them.
//!
//! The rules live in `daebus_caller::wire`; this crate can't depend on that one, so they are written down a second
//! time here, and a test in `tests/` compares the two by what they accept and refuse.

/// The codes that the framework itself answers with.
pub(crate) const RESERVED_CODES: [&str; 7] = [
    "unknown_action",
    "invalid_payload",
    "internal",
    "overloaded",
    "shutting_down",
    "deadline_exceeded",
    "cancelled",
];

/// The longest name the protocol allows, in bytes.
const MAX_BYTES: usize = 255;

/// An action: any non-empty text, but `$` begins the framework's own.
pub(crate) fn check_action(name: &str) -> Result<(), String> {
    check_text(name)?;
    if name.starts_with('$') {
        return Err("`$` begins the framework's own actions".to_owned());
    }
    Ok(())
}

/// A channel, or a pattern of channels.
pub(crate) fn check_channel(name: &str) -> Result<(), String> {
    check_text(name)?;
    if name.starts_with("daebus:") {
        return Err("`daebus:` begins the framework's own channels and keys".to_owned());
    }
    if name.starts_with("__keyspace@") || name.starts_with("__keyevent@") {
        return Err("`__keyspace@` and `__keyevent@` are Redis's own".to_owned());
    }
    Ok(())
}

/// A service, which is also the channel that its requests arrive on.
pub(crate) fn check_service(name: &str) -> Result<(), String> {
    check_channel(name)?;
    let rule = if name.starts_with("caller:") {
        "`caller:` begins the inbox of a caller"
    } else if name.ends_with(".responses") {
        "`.responses` ends the channel for replies without an address"
    } else if name.ends_with(".workflows") {
        "`.workflows` ends a channel of the Python package"
    } else {
        return Ok(());
    };
    Err(rule.to_owned())
}

/// What holds for every name.
pub(crate) fn check_text(name: &str) -> Result<(), String> {
    if name.is_empty() {
        Err("a name can't be empty".to_owned())
    } else if name.len() > MAX_BYTES {
        Err(format!("it has {} bytes, and {MAX_BYTES} is the most", name.len()))
    } else if name.chars().any(char::is_control) {
        Err("it contains a control character".to_owned())
    } else {
        Ok(())
    }
}

/// FNV-1a: by this number a contract's types are found under a name on the bus.
pub(crate) fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
