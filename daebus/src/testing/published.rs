use std::fmt::Write;
use std::ops::Deref;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What was published on a channel, in order.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "look at what was published, or assert something about it"]
pub struct Published {
    channel: String,
    messages: Vec<Value>,
}

impl Published {
    /// What is no JSON is kept as text.
    pub(super) fn new(channel: &str, messages: Vec<Bytes>) -> Self {
        let read = |message: Bytes| {
            serde_json::from_slice(&message)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&message).into_owned()))
        };
        Self { channel: channel.to_owned(), messages: messages.into_iter().map(read).collect() }
    }

    /// The messages.
    pub fn all(&self) -> &[Value] {
        &self.messages
    }

    /// The messages, each read as `T`.
    ///
    /// # Panics
    ///
    /// When one of them is no `T`.
    #[track_caller]
    pub fn decode<T: DeserializeOwned>(&self) -> Vec<T> {
        let decode = |message: &Value| {
            T::deserialize(message)
                .unwrap_or_else(|error| panic!("{message} on {:?} can't be read: {error}", self.channel))
        };
        self.messages.iter().map(decode).collect()
    }

    /// Exactly this was published, once. It is compared as JSON.
    ///
    /// # Panics
    ///
    /// When it wasn't, or can't be written as JSON.
    #[track_caller]
    pub fn assert_one(&self, expected: impl Serialize) -> &Self {
        self.assert_all([json(expected)])
    }

    /// Exactly these were published, in this order.
    ///
    /// # Panics
    ///
    /// When they weren't.
    #[track_caller]
    pub fn assert_all(&self, expected: impl IntoIterator<Item = Value>) -> &Self {
        let expected: Vec<Value> = expected.into_iter().collect();
        assert!(
            self.messages == expected,
            "on {:?}\nexpected{}\nand there was{}",
            self.channel,
            lines(&expected),
            lines(&self.messages)
        );
        self
    }

    /// This was published, among other things. It is compared as JSON.
    ///
    /// # Panics
    ///
    /// When it wasn't, or can't be written as JSON.
    #[track_caller]
    pub fn assert_any(&self, expected: impl Serialize) -> &Self {
        let expected = json(expected);
        assert!(
            self.messages.contains(&expected),
            "on {:?}\nexpected among others {expected}\nand there was{}",
            self.channel,
            lines(&self.messages)
        );
        self
    }

    /// Nothing was published.
    ///
    /// # Panics
    ///
    /// When something was.
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
        .unwrap_or_else(|error| panic!("what is expected can't be written as JSON: {error}"))
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
