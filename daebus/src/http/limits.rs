//! The limits of a client: bytes, time, connections.

use std::time::Duration;

/// The limits of a client. Each has a builder method of [`Http`](super::Http).
#[derive(Debug, Clone, Copy)]
pub(crate) struct HttpLimits {
    /// Bytes of one body.
    pub(crate) body_bytes: usize,
    /// How long the whole of a body may take.
    pub(crate) body_time: Duration,
    /// How long a connection may do nothing: send no head of a request, read no answer.
    pub(crate) header_time: Duration,
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections of one address at once. `None`: no limit.
    pub(crate) connections_per_address: Option<usize>,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            // What axum's extractors take by themselves: plenty for JSON. Uploads say how large they may be.
            body_bytes: 2 * 1024 * 1024,
            // The 2 MiB above at 70 KB/s.
            body_time: Duration::from_secs(30),
            // hyper's own default; long enough that a browser's idle connection is there for the next click.
            header_time: Duration::from_secs(30),
            // Half the file handles that a process usually may open (1,024); the bus and the files need some.
            connections: 512,
            // Behind a proxy all connections have one address.
            connections_per_address: None,
        }
    }
}
