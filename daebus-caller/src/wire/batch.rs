//! Batches: several requests, or several replies, in one message.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::json::{ReadError, read_message};

/// The word by which a request says that its inbox accepts batches.
pub const BATCH: &str = "batch";

/// The maximum number of messages in a batch.
pub const BATCH_MESSAGES: usize = 64;

/// The maximum size of a batch in bytes. A larger message is published alone.
pub const BATCH_BYTES: usize = 256 * 1024;

/// Returns whether a message is a JSON array.
pub fn is_batch(message: &[u8]) -> bool {
    message.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// Writes messages as one: a JSON array of them, or the only message as it is.
pub fn write_batch(messages: &[Bytes]) -> Bytes {
    if let [message] = messages {
        return message.clone();
    }
    let mut batch = Vec::with_capacity(size_of_batch(messages));
    for message in messages {
        batch.push(if batch.is_empty() { b'[' } else { b',' });
        batch.extend_from_slice(message);
    }
    batch.push(b']');
    batch.into()
}

/// The messages of a batch as it was received.
#[derive(Debug)]
pub struct Batch {
    /// The messages, which are slices of the batch.
    pub messages: Vec<Bytes>,
    /// How many elements were dropped: those after the 64th.
    pub dropped: usize,
}

impl Batch {
    /// Reads a batch. What its elements contain is checked where each is read.
    ///
    /// # Errors
    ///
    /// Returns an error if `message` isn't a JSON array.
    pub fn read(message: &Bytes) -> Result<Self, ReadError> {
        read_message(message, |message, text| {
            let elements: Vec<&RawValue> = serde_json::from_str(text)?;
            let slice = |element: &&RawValue| message.slice_ref(element.get().as_bytes());
            let messages: Vec<Bytes> = elements.iter().take(BATCH_MESSAGES).map(slice).collect();
            Ok(Self { dropped: elements.len() - messages.len(), messages })
        })
    }
}

fn size_of_batch(messages: &[Bytes]) -> usize {
    messages.iter().map(|message| message.len() + 1).sum::<usize>() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Batch {
        Batch::read(&Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn a_batch_is_an_array_and_a_single_message_is_not() {
        let (a, b) = (Bytes::from(r#"{"n":1}"#), Bytes::from(r#"{"n":2}"#));
        assert_eq!(write_batch(std::slice::from_ref(&a)), a);
        let batch = write_batch(&[a.clone(), b.clone()]);
        assert_eq!(batch, r#"[{"n":1},{"n":2}]"#);
        assert!(is_batch(&batch) && !is_batch(&a) && is_batch(b" \n[]"));
        assert_eq!(Batch::read(&batch).unwrap().messages, [a, b]);
    }

    #[test]
    fn elements_past_the_limit_are_dropped() {
        let batch = read(r#"[{"n":1},[{"n":2}],7]"#);
        assert_eq!(batch.messages, [r#"{"n":1}"#, r#"[{"n":2}]"#, "7"], "what they are is checked later");
        assert_eq!(batch.dropped, 0);
        let long = format!("[{}1]", "1,".repeat(BATCH_MESSAGES));
        let batch = Batch::read(&long.into()).unwrap();
        assert_eq!((batch.messages.len(), batch.dropped), (BATCH_MESSAGES, 1));
    }

    #[test]
    fn a_number_that_only_python_writes_reads_as_null() {
        assert_eq!(read(r#"[{"n":NaN},{"n":1}]"#).messages, [r#"{"n":null}"#, r#"{"n":1}"#]);
        assert!(Batch::read(&Bytes::from_static(b"[{]")).is_err());
    }
}
