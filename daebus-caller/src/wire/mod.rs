//! The wire protocol as data. No module here does I/O.
//!
//! Every rule is stated in the wire protocol (a chapter of the book); each module reads or writes one of its parts.

mod batch;
mod fault;
mod instance;
mod json;
mod name;
mod payload;
#[doc(hidden)]
pub mod presence;
mod reply;
mod request;
#[doc(hidden)]
pub mod selection;
mod session;
mod trace_context;
mod unit;

pub use fault::{Fault, FaultCode};
pub use instance::{Instance, InstanceId, InstanceState};
pub use json::RawJson;
pub use name::{Channel, NameError, ServiceName};
pub use payload::PayloadError;
pub use request::Headers;
pub use trace_context::TraceContext;

// For `daebus` and the tests of the protocol.
#[doc(hidden)]
pub use batch::{BATCH, BATCH_BYTES, BATCH_MESSAGES, Batch, is_batch, write_batch};
#[doc(hidden)]
pub use json::{ReadError, beginning, read_message};
#[doc(hidden)]
pub use payload::{decode_answer, decode_message, decode_payload, encode, encode_flat, encode_payload};
#[doc(hidden)]
pub use reply::{Reply, ReplyWriter, Status};
#[doc(hidden)]
pub use request::{Request, RequestWriter, reply_channel};
#[doc(hidden)]
pub use session::{Credit, FromCaller, Malformed, SessionAddress, SessionMessage, is_session_action};
