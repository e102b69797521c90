use daebus_caller::{Caller, Link};

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;

/// Makes callers of other services, which share this service's connection to the bus.
#[derive(Debug, Clone)]
pub struct Callers {
    link: Link,
}

impl Callers {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// A caller of another service. What is left of this request's time is handed on to the calls it makes.
    ///
    /// A name that breaks the rules is told by the first call, as [`NoService`](crate::CallError::NoService) would be.
    pub fn to(&self, service: &str) -> Caller {
        Caller::from_link(self.link.clone(), service)
    }
}

impl<K: Kind> Extract<K> for Callers {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(Self { link: cx.core.link.clone() })
    }
}
