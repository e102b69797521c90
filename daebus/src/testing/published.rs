use std::fmt::Write;
use std::ops::Deref;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The messages that were published on a channel, in order. Dereferences to a slice of JSON values.
///
/// Returned by [`TestApp::published`](super::TestApp::published).
#[derive(Debug, Clone, PartialEq)]
#[must_use = "inspect the messages, or assert something about them"]
pub struct Published {
    channel: String,
    messages: Vec<Value>,
}

impl Published {
    /// Messages that aren't JSON are kept as strings.
    pub(super) fn new(channel: &str, messages: Vec<Bytes>) -> Self {
        let read = |message: Bytes| {
            serde_json::from_slice(&message)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&message).into_owned()))
        };
        Self { channel: channel.to_owned(), messages: messages.into_iter().map(read).collect() }
    }

    /// Returns the messages.
    pub fn all(&self) -> &[Value] {
        &self.messages
    }

    /// Deserializes each message as `T`.
    ///
    /// # Panics
    ///
    /// Panics if a message can't be deserialized as `T`.
    #[track_caller]
    pub fn decode<T: DeserializeOwned>(&self) -> Vec<T> {
        let decode = |message: &Value| {
            T::deserialize(message)
                .unwrap_or_else(|error| panic!("can't deserialize {message} on {:?}: {error}", self.channel))
        };
        self.messages.iter().map(decode).collect()
    }

    /// Asserts that exactly this message was published, once. Messages are compared as JSON.
    ///
    /// # Panics
    ///
    /// Panics if the assertion fails, or if `expected` can't be serialized as JSON.
    #[track_caller]
    pub fn assert_one(&self, expected: impl Serialize) -> &Self {
        self.assert_all([json(expected)])
    }

    /// Asserts that exactly these messages were published, in this order.
    ///
    /// # Panics
    ///
    /// Panics if the assertion fails.
    #[track_caller]
    pub fn assert_all(&self, expected: impl IntoIterator<Item = Value>) -> &Self {
        let expected: Vec<Value> = expected.into_iter().collect();
        assert!(
            self.messages == expected,
            "on {:?}\nexpected{}\nbut published was{}",
            self.channel,
            lines(&expected),
            lines(&self.messages)
        );
        self
    }

    /// Asserts that this message was published, possibly among others. Messages are compared as JSON.
    ///
    /// # Panics
    ///
    /// Panics if the assertion fails, or if `expected` can't be serialized as JSON.
    #[track_caller]
    pub fn assert_any(&self, expected: impl Serialize) -> &Self {
        let expected = json(expected);
        assert!(
            self.messages.contains(&expected),
            "on {:?}\nexpected among others {expected}\nbut published was{}",
            self.channel,
            lines(&self.messages)
        );
        self
    }

    /// Asserts that no message was published.
    ///
    /// # Panics
    ///
    /// Panics if the assertion fails.
    #[track_caller]
    pub fn assert_none(&self) -> &Self {
        self.assert_all([])
    }
}

impl Deref for Published {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.messages
    }
}

#[track_caller]
fn json(expected: impl Serialize) -> Value {
    serde_json::to_value(expected)
        .unwrap_or_else(|error| panic!("the expected message can't be serialized as JSON: {error}"))
}

fn lines(messages: &[Value]) -> String {
    if messages.is_empty() {
        return " nothing".to_owned();
    }
    messages.iter().fold(String::new(), |mut lines, message| {
        // Writing to a string can't fail.
        let _ = write!(lines, "\n  {message}");
        lines
    })
}
