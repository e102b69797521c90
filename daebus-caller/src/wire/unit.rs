//! Recognizing unit structs, which JSON writes as it writes `None`.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{Error, Impossible, Serializer};

/// Returns whether a value is a unit struct, also behind references and newtypes.
pub(super) fn is_unit_struct<T: Serialize + ?Sized>(value: &T) -> bool {
    value.serialize(UnitProbe).is_ok()
}

/// Succeeds for a unit struct. `()` is refused: `serde_json::Value::Null` serializes as one.
struct UnitProbe;

#[derive(Debug, thiserror::Error)]
#[error("not a unit struct")]
struct NotAUnit;

impl Error for NotAUnit {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

type Never = Impossible<(), NotAUnit>;

macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $result:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$result, NotAUnit> {
            Err(NotAUnit)
        })*
    };
}

macro_rules! refuse_generic {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method<T: Serialize + ?Sized>(self, $(_: $argument,)* _: &T) -> Result<(), NotAUnit> {
            Err(NotAUnit)
        })*
    };
}

impl Serializer for UnitProbe {
    type Ok = ();
    type Error = NotAUnit;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotAUnit> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotAUnit> {
        value.serialize(self)
    }

    refuse! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    refuse_generic! {
        serialize_some();
        serialize_newtype_variant(&'static str, u32, &'static str);
    }
}
