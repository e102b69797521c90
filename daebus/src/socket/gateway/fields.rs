//! Reads single fields of a JSON object, undecoded.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Returns the fields of these names, undecoded; of duplicate keys the last. A key that can't be decoded, because of a lone
/// surrogate, has none of these names, and hides no other key: services read requests in the same way.
///
/// # Errors
///
/// Returns an error if the text is not a JSON object.
pub(super) fn fields<'a, const N: usize>(
    json: &'a str,
    names: [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let found = Named(names).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(found)
}

struct Named<const N: usize>([&'static str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Named<N> {
    type Value = [Option<&'de RawValue>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Named<N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            let key = serde_json::from_str::<Cow<'_, str>>(key.get()).ok();
            match self.0.iter().position(|name| key.as_deref() == Some(*name)) {
                Some(at) => found[at] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_duplicate_keys_is_read_also_if_it_is_escaped() {
        let [a, b] = fields(r#"{"a": 1, "c": {"b": 2}, "\u0061": [3]}"#, ["a", "b"]).unwrap();
        assert_eq!((a.map(RawValue::get), b.map(RawValue::get)), (Some("[3]"), None));
        let [action] = fields(r#"{"\ud800": 0, "action": 1}"#, ["action"]).unwrap();
        assert_eq!(action.map(RawValue::get), Some("1"));
        for text in ["[1]", "5", "\"a\"", "null", "{", r#"{"a": 1} x"#] {
            assert!(fields(text, ["a"]).is_err(), "{text}");
        }
    }
}
