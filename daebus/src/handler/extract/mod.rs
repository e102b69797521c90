//! Extractors: what a handler may take as an argument.

mod argument;
mod broadcast;
mod cache;
mod callers;
mod extension;
mod member;
mod payload;
mod plain_text;
mod progress;
mod request;
mod state;

use std::future::Future;

pub use argument::{Argument, argument};
pub use broadcast::Broadcast;
pub use cache::{Cache, CacheError};
pub use callers::Callers;
pub use extension::Extension;
pub use payload::Payload;
pub use progress::Progress;
pub use request::Request;
pub use state::State;

use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;
use crate::handler::state::Needs;
use crate::runtime::Shutdown;

/// Something a handler of kind `K` can take as an argument.
///
/// Implement it for types of your own, for one kind or for all of them:
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
///             None => Err(Fault::new("no_tenant", "say for which tenant, in the header `tenant`").into()),
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
    note = "actions also take: Payload<T>, Request, Progress<T>",
    note = "listeners also take: Payload<T>, Request, Lease",
    note = "schedules also take: Lease",
    note = "sockets also take: Payload<T>, Client, Frame",
    note = "binary sockets also take: Bytes, Client",
    note = "threads also take: Running",
    note = "member hooks also take: Instance",
    note = "wrap the type of the payload in `Payload<…>`, and a type given to `.state(…)` in `State<…>`"
)]
pub trait Extract<K>: Sized {
    /// Says what has to be there when the service starts, so that a lack is told then and not at the first request.
    fn needs(needs: &mut Needs) {
        let _ = needs;
    }

    /// Takes the value out of what reached the handler.
    ///
    /// # Errors
    ///
    /// When it isn't there or can't be read; the handler doesn't run, and the failure becomes the reply.
    fn extract(cx: &mut Context) -> impl Future<Output = Result<Self, Failure>> + Send;
}

impl<K: Kind> Extract<K> for Shutdown {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(cx.core.shutdown.clone())
    }
}
