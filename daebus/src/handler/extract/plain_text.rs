//! Deserializes a stored value by the requested type: a string from the plain text, any other type from JSON.

use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, Visitor};
use serde_json::{Error, Value};

/// A stored value, as a deserializer.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlainText<'a>(pub(super) &'a str);

impl<'a> PlainText<'a> {
    fn text(self) -> StrDeserializer<'a, Error> {
        StrDeserializer::new(self.0)
    }

    /// Deserializes JSON with `read`, up to the end of the text.
    fn json<T>(
        self,
        read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::StrRead<'a>>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut json = serde_json::Deserializer::from_str(self.0);
        let value = read(&mut json)?;
        json.end().map(|()| value)
    }
}

macro_rules! as_text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.text().$method(visitor)
        })*
    };
}

macro_rules! as_json {
    ($($method:ident($($name:ident: $ty:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $ty,)* visitor: V) -> Result<V::Value, Error> {
            self.json(|json| json.$method($($name,)* visitor))
        })*
    };
}

impl<'de> Deserializer<'de> for PlainText<'de> {
    type Error = Error;

    as_text! { deserialize_str deserialize_string deserialize_char deserialize_identifier }

    as_json! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_byte_buf()
        deserialize_seq() deserialize_map() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }

    /// A value that isn't JSON is a string.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match serde_json::from_str::<Value>(self.0) {
            Ok(_) => self.json(|json| json.deserialize_any(visitor)),
            Err(_) => self.text().deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0 == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    /// Accepts any value: `()` is stored as `{}`, and Python stores `None` differently.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// A variant without fields is stored as a string, one with fields as an object.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.0.trim_start().starts_with('{') {
            self.json(|json| json.deserialize_enum(name, variants, visitor))
        } else {
            self.text().deserialize_enum(name, variants, visitor)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    fn check<T: DeserializeOwned + PartialEq + Debug>(stored: &str, expected: &T) {
        assert_eq!(&T::deserialize(PlainText(stored)).unwrap(), expected, "{stored}");
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Dot,
        Circle { radius: u8 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Name(String);

    #[test]
    fn the_requested_type_determines_how_a_value_is_read() {
        check("hello", &"hello".to_owned());
        check("\"hello\"", &"\"hello\"".to_owned());
        check("5", &"5".to_owned());
        check("5", &5_u8);
        check("-2.5", &-2.5);
        check("true", &true);
        check("[1, 2]", &vec![1, 2]);
        check("[1, 2]", &(1, 2));
        check("hello", &Some("hello".to_owned()));
        check("null", &None::<String>);
        check("hello", &Name("hello".to_owned()));
        check("hello", &json!("hello"));
        check("{\"a\": [null]}", &json!({"a": [null]}));
        check("Dot", &Shape::Dot);
        check("{\"Circle\": {\"radius\": 1}}", &Shape::Circle { radius: 1 });
        check("{}", &());
    }

    #[test]
    fn a_value_of_another_type_is_an_error() {
        assert!(u8::deserialize(PlainText("256")).is_err());
        assert!(u8::deserialize(PlainText("1 2")).is_err());
        assert!(Vec::<u8>::deserialize(PlainText("hello")).is_err());
    }
}
