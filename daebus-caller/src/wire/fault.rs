//! What an error reply carries.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

use super::json::{Fields, ObjectWriter, RawJson};

/// The codes that the framework itself answers with; `derive(Fault)` refuses them for an application's own errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultCode {
    /// No handler of that name. HTTP 404.
    UnknownAction,
    /// The payload doesn't fit the handler's type. HTTP 400.
    InvalidPayload,
    /// The handler panicked, or failed inside; the log has the reason. HTTP 500.
    Internal,
    /// Too many requests are waiting already. HTTP 503.
    Overloaded,
    /// The service is stopping. HTTP 503.
    ShuttingDown,
    /// The service stopped before the handler had ended; the request may have run in part. HTTP 503.
    Interrupted,
    /// The budget was spent before the answer was there. HTTP 504.
    DeadlineExceeded,
    /// The caller took the request back. HTTP 499, as nginx has it.
    Cancelled,
}

impl FaultCode {
    /// Every reserved code.
    pub const ALL: [Self; 8] = [
        Self::UnknownAction,
        Self::InvalidPayload,
        Self::Internal,
        Self::Overloaded,
        Self::ShuttingDown,
        Self::Interrupted,
        Self::DeadlineExceeded,
        Self::Cancelled,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAction => "unknown_action",
            Self::InvalidPayload => "invalid_payload",
            Self::Internal => "internal",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting_down",
            Self::Interrupted => "interrupted",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::UnknownAction => 404,
            Self::InvalidPayload => 400,
            Self::Internal => 500,
            Self::Overloaded | Self::ShuttingDown | Self::Interrupted => 503,
            Self::DeadlineExceeded => 504,
            Self::Cancelled => 499,
        }
    }
}

/// An error as it travels: a sentence for a person, a code for a program, details for a typed caller.
///
/// ```
/// use daebus_caller::Fault;
///
/// let fault = Fault::new("not_found", "user 7 not found").with_status(404);
/// assert_eq!(fault.to_string(), "user 7 not found");
/// assert_eq!(fault.code(), Some("not_found"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    error: String,
    code: Option<Cow<'static, str>>,
    details: Value,
    status: u16,
    refused: bool,
}

impl Fault {
    /// An error of the application's own: `code` is a `snake_case` word, `error` a sentence. HTTP status 400.
    pub fn new(code: impl Into<Cow<'static, str>>, error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            code: Some(code.into()),
            details: Value::Null,
            status: 400,
            refused: false,
        }
    }

    /// An error with one of the framework's codes.
    pub fn reserved(code: FaultCode, error: impl Into<String>) -> Self {
        Self::new(code.as_str(), error).with_status(code.status())
    }

    /// `internal`: says no more than that, since what failed inside is for the log and not for the peer.
    pub fn internal() -> Self {
        Self::reserved(FaultCode::Internal, "the service failed inside; its log says why")
    }

    /// Adds details, for example an error as serde writes it.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// Sets the HTTP status. On the bus it doesn't travel.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The sentence.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The code. `None` from a peer that knows none, as the Python package.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The framework's code, when it is one.
    pub fn reserved_code(&self) -> Option<FaultCode> {
        FaultCode::ALL.into_iter().find(|code| Some(code.as_str()) == self.code())
    }

    /// The details; `Null` when there are none.
    pub fn details(&self) -> &Value {
        &self.details
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns whether the called service refused the request without running it.
    ///
    /// The called service's framework marks the reply. A code says nothing about it: a handler that ran may forward
    /// the `overloaded` of another service. The mark isn't forwarded with the fault.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// Reads the payload of an error reply. A payload without `error` is quoted.
    pub(super) fn read(payload: &str, refused: bool) -> Self {
        let without_words =
            |error: String| Self { error, code: None, details: Value::Null, status: 500, refused };
        let quoted = || {
            without_words(format!(
                "an error without words: {}",
                payload.chars().take(200).collect::<String>()
            ))
        };
        let Ok(fields) = Fields::read(payload) else {
            // Whoever sends a bare sentence has said what there is to say.
            return serde_json::from_str(payload).map_or_else(|_| quoted(), without_words);
        };
        let Some(error) = fields.get("error") else { return quoted() };
        let code = fields.text("code").map(Cow::into_owned).map(Cow::Owned);
        let mut fault = Self {
            error: fields.text("error").map_or_else(|| error.get().to_owned(), Cow::into_owned),
            code,
            details: fields.get("details").map_or(Value::Null, read_details),
            status: 400,
            refused,
        };
        if let Some(code) = fault.reserved_code() {
            fault.status = code.status();
        }
        fault
    }

    /// The payload of an error reply.
    pub fn to_payload(&self) -> RawJson {
        let mut object = ObjectWriter::new(128).field("error", &self.error);
        if let Some(code) = &self.code {
            object = object.field("code", code);
        }
        if !self.details.is_null() {
            object = object.field("details", &self.details);
        }
        object.finish()
    }
}

fn read_details(details: &RawValue) -> Value {
    serde_json::from_str(details.get()).unwrap_or_default()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl std::error::Error for Fault {}
