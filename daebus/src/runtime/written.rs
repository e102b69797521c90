//! Counts the bytes that a connection accepts, to distinguish a slow peer from one that reads nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};

/// The interval of progress checks while a write waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The number of bytes written to one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct BytesWritten(Arc<Written>);

#[derive(Debug, Default)]
struct Written {
    bytes: AtomicU64,
    /// Whether the connection accepted no byte of the last write.
    is_blocked: AtomicBool,
}

impl BytesWritten {
    pub(crate) fn count(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Returns whether bytes wait until the peer has read.
    pub(crate) fn is_blocked(&self) -> bool {
        self.0.is_blocked.load(Ordering::Relaxed)
    }

    fn add(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.0.bytes.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
        self.0.is_blocked.store(written.is_pending(), Ordering::Relaxed);
    }

    /// Runs a future that writes to the connection. Returns `None` if the connection accepts no byte for `limit`.
    /// `progressed` runs when a connection that had to wait has accepted bytes, at most once a second.
    pub(crate) async fn while_progressing<T>(
        &self,
        limit: Duration,
        writing: impl Future<Output = T>,
        progressed: impl Fn(),
    ) -> Option<T> {
        let mut writing = std::pin::pin!(writing);
        let (mut accepted, mut at) = (self.count(), Instant::now());
        loop {
            if let Ok(done) = timeout(LOOK_EVERY.min(limit), writing.as_mut()).await {
                return Some(done);
            }
            let now = self.count();
            if now != accepted {
                (accepted, at) = (now, Instant::now());
                progressed();
            } else if at.elapsed() >= limit {
                return None;
            }
        }
    }
}

/// A connection whose written bytes are counted.
#[derive(Debug)]
pub(crate) struct CountWritten<S, H = ()> {
    stream: S,
    written: BytesWritten,
    /// Dropped together with the connection, after an upgrade as well.
    _held: H,
}

impl<S> CountWritten<S> {
    pub(crate) fn new(stream: S, written: BytesWritten) -> Self {
        Self { stream, written, _held: () }
    }

    /// Keeps a value for as long as the connection is open.
    pub(crate) fn holding<H>(self, held: H) -> CountWritten<S, H> {
        CountWritten { stream: self.stream, written: self.written, _held: held }
    }
}

impl<S: AsyncRead + Unpin, H: Unpin> AsyncRead for CountWritten<S, H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin, H: Unpin> AsyncWrite for CountWritten<S, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written.add(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written.add(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_makes_progress_and_one_that_stops_does_not() {
        let (server, mut client) = duplex(1024);
        let written = BytesWritten::default();
        let mut server = CountWritten::new(server, written.clone());
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 1024];
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                client.read_exact(&mut buffer).await.unwrap();
            }
            client
        });
        let (limit, content) = (Duration::from_secs(10), vec![0; 100 * 1024]);
        let progressed = AtomicU64::new(0);
        let count = || {
            progressed.fetch_add(1, Ordering::Relaxed);
        };
        let all = written.while_progressing(limit, server.write_all(&content), count).await;
        assert!(matches!(all, Some(Ok(()))));
        assert!(progressed.load(Ordering::Relaxed) > 50);
        let _client = reader.await.unwrap();
        let started = Instant::now();
        assert!(written.while_progressing(limit, server.write_all(&[0; 4096]), || {}).await.is_none());
        assert!(started.elapsed() < limit + LOOK_EVERY * 2);
        assert_eq!(written.count(), 101 * 1024);
    }
}
