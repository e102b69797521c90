//! How a connection is closed.

use std::time::Duration;

/// How long the queue and the close frame may take together.
pub(super) const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// The same for a client that is closed because it doesn't keep up.
const HURRY: Duration = Duration::from_secs(1);
/// The maximum size of a close frame's reason (RFC 6455, 5.5).
const REASON_BYTES: usize = 123;

/// How a connection is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: String,
    hurry: bool,
}

impl Close {
    /// The reason is cut to what a close frame can carry.
    pub(super) fn new(code: u16, reason: &str) -> Self {
        Self { code: sendable(code), reason: cut(reason, REASON_BYTES).to_owned(), hurry: false }
    }

    /// For a client that most likely doesn't read any more.
    pub(super) fn hurried(code: u16, reason: &str) -> Self {
        Self { hurry: true, ..Self::new(code, reason) }
    }

    pub(super) fn within(&self) -> Duration {
        if self.hurry { HURRY } else { CLOSE_WITHIN }
    }
}

/// Returns the beginning of a text, of at most so many bytes.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A code that may stand in a close frame (RFC 6455, 7.4): any other would make the client drop the frame.
fn sendable(code: u16) -> u16 {
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => code,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_into_its_frame() {
        assert_eq!(Close::new(1008, &"ä".repeat(100)).reason, "ä".repeat(61));
        assert_eq!(Close::new(1008, "short").reason, "short");
        assert_eq!(Close::new(1005, "").code, 1000);
    }
}
