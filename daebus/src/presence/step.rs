use std::time::Duration;

/// How long a stopping service waits for each step that the bus has to confirm.
pub(super) const STEP: Duration = Duration::from_secs(2);
