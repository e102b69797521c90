//! What is said on the bus, as data: no I/O happens here.
//!
//! Every rule is stated in the wire protocol (a chapter of the book); each module reads or writes one of its parts.

mod fault;
mod json;
mod name;
mod payload;
mod reply;
mod request;

pub use fault::{Fault, FaultCode};
pub use json::{RawJson, ReadError, beginning, read_message};
pub use name::{Channel, NameError, ServiceName};
pub use payload::{
    PayloadError, decode_answer, decode_message, decode_payload, encode, encode_flat, encode_payload,
};
pub use reply::{Reply, ReplyWriter, Status};
pub use request::{Headers, Request, RequestWriter, reply_channel};
