//! The caller on the in-process bus.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use daebus_caller::bus::MemoryBus;

use crate::suite;

/// Three users of one bus: a service, its caller, and somebody who looks on.
async fn ground() -> suite::Ground {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let url = format!("memory://caller-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let name = url.trim_start_matches("memory://");
    let user = || MemoryBus::named(name) as Arc<dyn daebus_caller::Bus>;
    suite::Ground {
        service: user(),
        caller: user(),
        monitor: user(),
        url: url.clone(),
        _server: Box::new(()),
    }
}

crate::caller_suite!(ground);
