//! Extractors: the arguments of handlers.

mod argument;
mod broadcast;
mod cache;
mod callers;
mod dialog;
mod extension;
mod incoming;
mod member;
mod payload;
mod plain_text;
mod progress;
mod request;
mod state;
#[cfg(feature = "garde")]
mod valid;

use std::future::Future;

pub use argument::{Argument, argument};
pub use broadcast::Broadcast;
pub use cache::{Cache, CacheError};
pub use callers::Callers;
pub use dialog::{Dialog, DialogError};
pub use extension::Extension;
pub use incoming::{Incoming, IncomingError};
pub use payload::Payload;
pub use progress::Progress;
pub use request::Request;
pub use state::State;
#[cfg(feature = "garde")]
pub use valid::Valid;

use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;
use crate::handler::state::Needs;
use crate::runtime::Shutdown;

/// A type that handlers of kind `K` can take as an argument.
///
/// Implement this trait for your own types, for one kind of handler or for all:
///
/// ```
/// use daebus::prelude::*;
/// use daebus::{Context, Extract, Failure, Fault, kind::Kind};
///
/// /// The tenant that a request names in its headers.
/// pub struct Tenant(pub String);
///
/// impl<K: Kind> Extract<K> for Tenant {
///     async fn extract(cx: &mut Context) -> Result<Self, Failure> {
///         match cx.header("tenant") {
///             Some(tenant) => Ok(Tenant(tenant.to_owned())),
///             None => {
///                 Err(Fault::new("no_tenant", "the header `tenant` is missing")
///                     .into())
///             }
///         }
///     }
/// }
///
/// #[action("whoami")]
/// pub async fn whoami(Tenant(name): Tenant) -> String {
///     name
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an argument of a handler of kind `{K}`",
    label = "not an extractor here",
    note = "every handler takes: State<T>, Broadcast, Callers, Cache, Tasks, Events, Sockets, Shutdown, Extension<T>",
    note = "actions also take: Payload<T>, Valid<T> (feature `garde`), Request, Progress<T>, Incoming<T>",
    note = "workflows also take: Payload<T>, Valid<T> (feature `garde`), Request, Dialog",
    note = "listeners also take: Payload<T>, Valid<T> (feature `garde`), Request, Lease",
    note = "schedules also take: Lease",
    note = "sockets also take: Payload<T>, Valid<T> (feature `garde`), Client, Frame",
    note = "binary sockets also take: Bytes, Client",
    note = "threads also take: Running",
    note = "member hooks also take: Instance",
    note = "wrap the type of the payload in `Payload<…>`, and a type given to `.state(…)` in `State<…>`"
)]
pub trait Extract<K>: Sized {
    /// Adds the requirements of this type to `needs`, so that a missing one is an error at the start of the service and not at
    /// the first request.
    fn needs(needs: &mut Needs) {
        let _ = needs;
    }

    /// Extracts the value from the context of the handler.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is missing or invalid. The handler doesn't run in this case, and the error is the reply.
    fn extract(cx: &mut Context) -> impl Future<Output = Result<Self, Failure>> + Send;
}

impl<K: Kind> Extract<K> for Shutdown {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(cx.core.shutdown.clone())
    }
}
