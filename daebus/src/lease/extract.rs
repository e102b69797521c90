use crate::handler::extract::Extract;
use crate::handler::kind::{Background, Listen};
use crate::handler::{Context, Failure};

/// The lease under which a singleton runs. An argument of schedules and listeners that are declared `singleton`.
///
/// The fencing token increases with each holder of the lease. A store that rejects writes with a smaller token than the largest
/// one it has received is protected from an instance that was frozen and continues after another one has taken over.
///
/// ```
/// use daebus::prelude::*;
/// use daebus::Lease;
///
/// #[background("report", 60, singleton)]
/// async fn report(lease: Lease, cache: Cache) -> Result<(), BoxError> {
///     cache.set("report", json!({"written_by": lease.token()})).await?;
///     Ok(())
/// }
/// # let _ = blueprint_of!["reports"; report];
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    token: u64,
}

impl Lease {
    pub(super) fn new(token: u64) -> Self {
        Self { token }
    }

    /// Returns the fencing token: the server's time in microseconds when the lease was acquired.
    pub fn token(&self) -> u64 {
        self.token
    }

    fn of(cx: &Context) -> Result<Self, Failure> {
        let missing = || Failure::internal("this handler has no lease: declare it with `singleton`");
        cx.extensions().get::<Self>().copied().ok_or_else(missing)
    }
}

impl Extract<Background> for Lease {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Self::of(cx)
    }
}

impl Extract<Listen> for Lease {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Self::of(cx)
    }
}
