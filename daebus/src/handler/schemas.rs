//! The JSON Schemas of a handler's types, made when they are asked for.

use serde_json::Value;

/// Makes the JSON Schema of one type.
pub type MakeSchema = fn() -> Value;

/// The JSON Schemas of a handler's types, those that derive `JsonSchema`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Schemas {
    pub(crate) payload: Option<MakeSchema>,
    pub(crate) progress: Option<MakeSchema>,
    pub(crate) answer: Option<MakeSchema>,
    pub(crate) error: Option<MakeSchema>,
}

/// The JSON Schema of an argument, if it is one that has a schema.
#[derive(Debug, Clone, Copy)]
pub enum ArgumentSchema {
    /// Another extractor, or a type without a schema.
    None,
    /// `Payload<T>` or `Valid<T>`, with the schema of `T`.
    Payload(MakeSchema),
    /// `Progress<T>`, with the schema of `T`.
    Progress(MakeSchema),
}

impl Schemas {
    /// Adds an argument.
    #[must_use]
    pub fn argument(self, argument: ArgumentSchema) -> Self {
        match argument {
            ArgumentSchema::None => self,
            ArgumentSchema::Payload(payload) => Self { payload: Some(payload), ..self },
            ArgumentSchema::Progress(progress) => Self { progress: Some(progress), ..self },
        }
    }

    /// Sets the schema of the payload, if there is one.
    #[must_use]
    pub fn payload(self, payload: Option<MakeSchema>) -> Self {
        Self { payload, ..self }
    }

    /// Sets the schema of the progress, if there is one.
    #[must_use]
    pub fn progress(self, progress: Option<MakeSchema>) -> Self {
        Self { progress, ..self }
    }

    /// Sets the schema of the answer, if there is one.
    #[must_use]
    pub fn answer(self, answer: Option<MakeSchema>) -> Self {
        Self { answer, ..self }
    }

    /// Sets the schema of the error's details, if there is one.
    #[must_use]
    pub fn error(self, error: Option<MakeSchema>) -> Self {
        Self { error, ..self }
    }
}
