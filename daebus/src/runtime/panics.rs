//! The panics of handlers, kept where somebody asks for them: in a test.

use std::sync::Arc;

use parking_lot::Mutex;

/// The panics of handlers. A service in production keeps none, since its log has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Panics(Option<Arc<Mutex<Vec<String>>>>);

impl Panics {
    /// Keeps them until they are taken.
    #[cfg(feature = "testing")]
    pub(crate) fn kept() -> Self {
        Self(Some(Arc::default()))
    }

    pub(crate) fn note(&self, panic: String) {
        if let Some(kept) = &self.0 {
            kept.lock().push(panic);
        }
    }

    /// Those since the last time.
    #[cfg(feature = "testing")]
    pub(crate) fn take(&self) -> Vec<String> {
        let Some(kept) = &self.0 else { return Vec::new() };
        std::mem::take(&mut kept.lock())
    }
}
