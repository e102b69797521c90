//! JSON as it is found on the bus: UTF-8 or nearly, with Python's `NaN` at times.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Valid JSON text, as a slice of the message that contains it.
///
/// Nothing is decoded, so the sender's text (the digits of a number, lone surrogates, the order of keys) is preserved.
///
/// `()` is a special value: it equals `{}` on the bus, and is not sent to WebSocket clients at all. It is stored as the
/// empty text, which is not valid JSON and so stands for nothing else.
#[derive(Clone)]
pub struct RawJson(Bytes);

impl RawJson {
    /// Takes `part` out of `message` without copying it.
    ///
    /// # Panics
    ///
    /// When `part` isn't a piece of `message`.
    #[doc(hidden)]
    pub fn slice_of(message: &Bytes, part: &RawValue) -> Self {
        Self(message.slice_ref(part.get().as_bytes()))
    }

    /// Takes a whole message, which need not be JSON; reading it tells.
    #[doc(hidden)]
    pub fn whole(message: &Bytes) -> Self {
        Self(message.clone())
    }

    /// Returns a copy that doesn't keep the message.
    #[doc(hidden)]
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// Takes JSON that stands by itself.
    #[doc(hidden)]
    pub fn of_value(json: &RawValue) -> Self {
        Self(json.get().to_owned().into())
    }

    /// Serializes a value.
    ///
    /// # Errors
    ///
    /// Returns an error if the value's `Serialize` fails, or a map in it has keys that aren't strings.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        // serde_json starts with 128 bytes. A payload waits as long as its call, and most are shorter.
        serde_json::to_vec(value).map(|bytes| Self(bytes.into_boxed_slice().into()))
    }

    /// Returns `{}`, the value of an absent payload.
    pub fn empty_object() -> Self {
        Self(Bytes::from_static(b"{}"))
    }

    /// What `()` is written as: reads as `{}`, and [`is_nothing`](Self::is_nothing).
    #[doc(hidden)]
    pub fn nothing() -> Self {
        Self(Bytes::new())
    }

    /// Whether this was written from a value that says nothing, `()` for example.
    #[doc(hidden)]
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the JSON text.
    pub fn as_str(&self) -> &str {
        // Only made from text; a broken invariant reads as `null` and not as a panic in somebody's daemon.
        std::str::from_utf8(self.as_bytes()).unwrap_or("null")
    }

    /// Returns the bytes of the text.
    pub fn as_bytes(&self) -> &Bytes {
        static EMPTY_OBJECT: Bytes = Bytes::from_static(b"{}");
        if self.is_nothing() { &EMPTY_OBJECT } else { &self.0 }
    }

    /// Converts the text into a message.
    pub fn into_bytes(self) -> Bytes {
        self.as_bytes().clone()
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for RawJson {}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that can't be read, in words for the log or the sender.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Not UTF-8.
    #[error("not UTF-8 (byte {at} is where it stops being text)")]
    NotUtf8 {
        /// How many leading bytes are good.
        at: usize,
    },
    /// Not JSON, or not of the message's shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// The first bytes of a message, for the log.
pub fn beginning(message: &[u8]) -> String {
    const SHOWN: usize = 64;
    let shown = String::from_utf8_lossy(&message[..message.len().min(SHOWN)]).escape_debug().to_string();
    if message.len() > SHOWN { format!("{shown}…") } else { shown }
}

/// Runs `read` over a message as text; where that fails, once more with `NaN` and `Infinity` as null.
///
/// `read` is handed the text twice, as `Bytes` (to take slices of) and as `&str`.
///
/// # Errors
///
/// When the message isn't UTF-8, or `read` fails both times: the first failure is the one that is told.
pub fn read_message<T>(
    message: &Bytes,
    read: impl Fn(&Bytes, &str) -> Result<T, serde_json::Error>,
) -> Result<T, ReadError> {
    let text =
        std::str::from_utf8(message).map_err(|error| ReadError::NotUtf8 { at: error.valid_up_to() })?;
    let error = match read(message, text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let Cow::Owned(repaired) = without_nan(text) else { return Err(error.into()) };
    let repaired = Bytes::from(repaired);
    let Ok(text) = std::str::from_utf8(&repaired) else { return Err(error.into()) };
    read(&repaired, text).map_err(|_| error.into())
}

/// The text with the numbers that only Python writes replaced by `null`; borrowed when there are none.
///
/// `json.dumps` writes `NaN`, `Infinity` and `-Infinity`, which RFC 8259 doesn't know.
pub(crate) fn without_nan(text: &str) -> Cow<'_, str> {
    const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    let bytes = text.as_bytes();
    let mut repaired = String::new();
    let (mut copied, mut at, mut in_string) = (0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'-' | b'I' | b'N' if !in_string => {
                if let Some(word) = WORDS.iter().find(|word| bytes[at..].starts_with(word.as_bytes())) {
                    repaired.push_str(&text[copied..at]);
                    repaired.push_str("null");
                    at += word.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    repaired.push_str(&text[copied..]);
    Cow::Owned(repaired)
}

/// The fields of a JSON object, borrowed and undecoded, keys too: a key that is no text (lone surrogates) is one that
/// nobody asks for, and must not spoil the others. Of duplicate keys the last wins.
pub(super) struct Fields<'a>(Vec<(&'a RawValue, &'a RawValue)>);

/// Reads a JSON object.
pub(super) fn read_object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    // Checked here since serde reads a struct from an array as well, and would quote the whole of a string that comes instead,
    // however long it is.
    if !text.trim_start().starts_with('{') {
        return Err(serde::de::Error::custom("not a JSON object"));
    }
    serde_json::from_str(text)
}

impl<'a> Fields<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        read_object(text)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(key, _)| is_named(key, name)).map(|(_, value)| *value)
    }

    /// The field as text; `None` when it is absent or anything else.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(read_text)
    }

    /// Keys and values as they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a RawValue, &'a RawValue)> {
        self.0.iter().copied()
    }
}

/// Returns whether a key, as it was written, has that name.
pub(super) fn is_named(key: &RawValue, name: &str) -> bool {
    let key_text = key.get();
    match key_text.len().checked_sub(name.len() + 2) {
        None => false,
        Some(0) => key_text.get(1..key_text.len() - 1) == Some(name),
        // An escape is longer than the character that it stands for.
        Some(_) => key_text.contains('\\') && read_text(key).is_some_and(|key| key == name),
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // The envelope of the Python package has five fields.
                let mut fields = Vec::with_capacity(8);
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A JSON string, borrowed where it has no escapes; `None` for anything else, lone surrogates included.
pub(super) fn read_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let written = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if written.contains('\\') {
        serde_json::from_str(value.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(written))
    }
}

/// Reads a count. A JSON number that isn't a whole one reads as absent.
pub(super) fn number(fields: &Fields<'_>, name: &str) -> Option<u64> {
    fields.get(name).and_then(|value| serde_json::from_str(value.get()).ok())
}

/// Writes a JSON object field by field, taking fields that are JSON already as they are.
pub(super) struct ObjectWriter(Vec<u8>);

impl ObjectWriter {
    pub(super) fn new(capacity: usize) -> Self {
        let mut text = Vec::with_capacity(capacity);
        text.push(b'{');
        Self(text)
    }

    /// Adds a field of text, numbers or such lists and maps of them as can't fail to serialize.
    pub(super) fn field(mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Self {
        self.key(name);
        let start = self.0.len();
        if serde_json::to_writer(&mut self.0, value).is_err() {
            self.0.truncate(start);
            self.0.extend_from_slice(b"null");
        }
        self
    }

    /// Adds a field of text.
    pub(super) fn text(mut self, name: &'static str, value: &str) -> Self {
        // Without a branch, so that many bytes are compared at once.
        let escapes = |byte| u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
        let needs_escape = value.bytes().fold(0, |found, byte| found | escapes(byte)) > 0;
        if needs_escape {
            return self.field(name, value);
        }
        self.key(name);
        self.0.push(b'"');
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'"');
        self
    }

    /// Adds a field that is JSON text already. The name needs no escapes.
    pub(super) fn raw(mut self, name: &'static str, json: &str) -> Self {
        self.key(name);
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    /// Adds a field of another object, as it was written there.
    pub(super) fn copy(mut self, (key, value): (&RawValue, &RawValue)) -> Self {
        self.separate();
        self.0.extend_from_slice(key.get().as_bytes());
        self.0.push(b':');
        self.0.extend_from_slice(value.get().as_bytes());
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    pub(super) fn finish(mut self) -> RawJson {
        self.0.push(b'}');
        RawJson(self.0.into())
    }

    #[inline]
    fn key(&mut self, name: &'static str) {
        self.separate();
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn separate(&mut self) {
        if !self.is_empty() {
            self.0.push(b',');
        }
    }
}
