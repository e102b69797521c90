//! Errors that can't travel as they say.

use daebus::prelude::*;

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
#[error("x")]
#[fault(status = 404)]
pub enum Codes {
    #[fault(code = "overloaded")]
    Reserved,
    Internal,
    #[fault(code = "NotFound")]
    Camel,
    #[fault(code = 404)]
    Number,
    #[fault(code = "same")]
    First,
    Same,
    #[fault(cod = "a")]
    Unknown,
    #[fault(code = "b", code = "c")]
    Doubled,
    #[fault(status = 200)]
    Success,
    #[fault(status = "404")]
    Text,
    #[fault(internal, code = "d")]
    Both,
    #[fault]
    Nothing,
    #[fault(404)]
    OnlyStatus,
    #[fault("only_code")]
    OnlyCode,
    #[fault(transparent)]
    NoField,
    #[fault(transparent, status = 404)]
    WithStatus(Generic<u8>),
    Field(#[fault(internal)] String),
    #[fault(internal = true)]
    Flag,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
#[error("x")]
pub struct Generic<T>(T);

#[derive(Fault)]
pub union Union {
    a: u8,
}

#[derive(Debug, thiserror::Error, Fault)]
#[error("x")]
pub struct NotSerialize;

fn main() {}
