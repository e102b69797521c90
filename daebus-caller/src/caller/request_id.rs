//! The ids of requests.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// The length of a prefix, in hexadecimal digits.
const PREFIX: usize = 16;

/// The length of the longest id: a prefix, a separator, and a number in hexadecimal digits.
const LONGEST: usize = PREFIX + 1 + 16;

/// Makes the ids of the requests of one inbox: a random prefix, which no other inbox has, and a number.
#[derive(Debug)]
pub(super) struct RequestIds {
    prefix: [u8; PREFIX],
    next: AtomicU64,
}

/// The id of a request as text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId {
    text: [u8; LONGEST],
    length: u8,
}

impl RequestIds {
    /// Returns the number of the next id.
    pub(super) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the id that has the number.
    pub(super) fn id(&self, number: u64) -> RequestId {
        let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
        let mut text = [b'-'; LONGEST];
        text[..PREFIX].copy_from_slice(&self.prefix);
        let mut length = PREFIX + 1;
        for digit in (0..digits).rev() {
            text[length] = HEXADECIMAL[(number >> (4 * digit) & 0xf) as usize];
            length += 1;
        }
        RequestId { text, length: length.try_into().unwrap_or(u8::MAX) }
    }

    /// Returns the number of one of these ids; `None` if the text is the id of another inbox, or no id.
    pub(super) fn number(&self, text: &str) -> Option<u64> {
        let number = text.as_bytes().strip_prefix(&self.prefix)?.strip_prefix(b"-")?;
        u64::from_str_radix(std::str::from_utf8(number).ok()?, 16).ok()
    }
}

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

impl Default for RequestIds {
    fn default() -> Self {
        let mut buffer = [0; 32];
        let random = Uuid::new_v4().simple().encode_lower(&mut buffer).as_bytes();
        let mut prefix = [b'0'; PREFIX];
        prefix.copy_from_slice(&random[..PREFIX]);
        Self { prefix, next: AtomicU64::new(0) }
    }
}

impl RequestId {
    pub(super) fn as_str(&self) -> &str {
        let text = self.text.get(..self.length.into()).unwrap_or_default();
        // Digits and one separator.
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_id_is_read_by_the_inbox_that_made_it() {
        let (ids, others) = (RequestIds::default(), RequestIds::default());
        for first in [0, 15, 16, 0xabc, u64::MAX - 1] {
            ids.next.store(first, Ordering::Relaxed);
            assert_eq!(ids.next(), first);
            let id = ids.id(first);
            assert_eq!(ids.number(id.as_str()), Some(first), "{id}");
            assert!(id.as_str().ends_with(&format!("-{first:x}")));
            assert_eq!(others.number(id.as_str()), None);
        }
        for text in ["", "0", "caller", &format!("{}-", Uuid::new_v4())] {
            assert_eq!(ids.number(text), None, "{text}");
        }
    }
}
