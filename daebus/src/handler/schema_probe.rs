//! Finds out which of a handler's types derive `JsonSchema`, while the generated code is compiled.

use std::any::type_name;
use std::marker::PhantomData;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::extract::{Payload, Progress};
use super::schemas::{ArgumentSchema, MakeSchema};

/// The schemas of a type: an inherent constant, which a type without `JsonSchema` doesn't have, beats the trait's.
#[derive(Debug)]
pub struct SchemaProbe<T>(PhantomData<T>);

impl<T: JsonSchema> SchemaProbe<Payload<T>> {
    /// The schema of the payload.
    pub const ARGUMENT: ArgumentSchema = ArgumentSchema::Payload(received::<T>);
}

#[cfg(feature = "garde")]
impl<T: JsonSchema> SchemaProbe<super::extract::Valid<T>> {
    /// The schema of the payload.
    pub const ARGUMENT: ArgumentSchema = ArgumentSchema::Payload(received::<T>);
}

impl<T: JsonSchema> SchemaProbe<Progress<T>> {
    /// The schema of an update.
    pub const ARGUMENT: ArgumentSchema = ArgumentSchema::Progress(sent::<T>);
}

impl<T: JsonSchema, E> SchemaProbe<Result<T, E>> {
    /// The schema of the value.
    pub const OK: Option<MakeSchema> = Some(sent::<T>);
}

impl<T, E: JsonSchema> SchemaProbe<Result<T, E>> {
    /// The schema of the error.
    pub const ERR: Option<MakeSchema> = Some(sent::<E>);
}

impl<T: JsonSchema> SchemaProbe<T> {
    /// The schema of the type itself as it is received.
    pub const RECEIVED: Option<MakeSchema> = Some(received::<T>);
    /// The schema of the type itself as it is sent.
    pub const SENT: Option<MakeSchema> = Some(sent::<T>);
}

/// The constants of all other types.
pub trait SchemaProbeFallback {
    /// No schema.
    const ARGUMENT: ArgumentSchema = ArgumentSchema::None;
    /// No schema.
    const OK: Option<MakeSchema> = None;
    /// No schema.
    const ERR: Option<MakeSchema> = None;
    /// No schema.
    const RECEIVED: Option<MakeSchema> = None;
    /// No schema.
    const SENT: Option<MakeSchema> = None;
}

impl<T> SchemaProbeFallback for SchemaProbe<T> {}

fn received<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

fn sent<T: JsonSchema>() -> Value {
    if type_name::<T>() == type_name::<()>() {
        // `()` is sent as `{}`, and serde's own schema says null.
        return serde_json::json!({"type": "object"});
    }
    schema::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn schema<T: JsonSchema>(settings: SchemaSettings) -> Value {
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
