use daebus_caller::{Caller, Link};

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;

/// Creates callers of other services, which share this service's connection to the bus. An argument of any handler.
///
/// ```
/// use daebus::prelude::*;
///
/// #[action("greet")]
/// async fn greet(
///     Payload(id): Payload<u64>,
///     callers: Callers,
/// ) -> Result<String, BoxError> {
///     let name: String =
///         callers.to("user_service").send_request("get_name", id).await?;
///     Ok(format!("hello, {name}"))
/// }
/// # let _ = blueprint_of!["greetings"; greet];
/// ```
///
/// A typed caller is created from an untyped one: `UsersCaller::new(callers.to("user_service"))`.
#[derive(Debug, Clone)]
pub struct Callers {
    link: Link,
}

impl Callers {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// Returns a caller of another service. The remaining time of the current request limits the calls.
    ///
    /// An invalid name is reported by the first call.
    pub fn to(&self, service: &str) -> Caller {
        Caller::from_link(self.link.clone(), service)
    }
}

impl<K: Kind> Extract<K> for Callers {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(Self { link: cx.core.link.clone() })
    }
}
