//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::activity::Activity;
use super::limits::HttpLimits;
use super::places::{ConnectionPlace, OnSpareConnection};
use super::site::Site;
use crate::runtime::{BytesWritten, CountWritten, Workers};

/// How long a stopping service takes requests on a connection that is open: a client that hasn't received the end of its
/// connection yet may be sending one.
const LAST_REQUEST: Duration = Duration::from_millis(500);

/// How long a stopping service keeps a connection that waits for a stream of the service, which may have no end. A response
/// that its client is still reading may take until the end of the drain.
const STREAMS: Duration = Duration::from_secs(5);

/// How long a connection without a request may take to close.
const CLOSING: Duration = Duration::from_secs(1);

/// How long a spare connection may do nothing, so that health probes find a place soon.
const SPARE_TIME: Duration = Duration::from_secs(5);

/// How many requests of one HTTP/2 connection are served at once: each holds its answer until the client has read it.
const STREAMS_AT_ONCE: u32 = 32;

/// What serves connections.
#[derive(Debug)]
pub(super) struct ConnectionServer {
    pub(super) site: Site,
    pub(super) limits: HttpLimits,
    pub(super) workers: Workers,
    pub(super) stop: CancellationToken,
    protocols: Builder<TokioExecutor>,
    spare_protocols: Builder<TokioExecutor>,
}

/// Why a connection takes no more requests.
enum Closing {
    /// The server stops, or the connection is a spare one by HTTP/2.
    Ending,
    /// Its client was quiet for too long.
    Quiet,
}

impl ConnectionServer {
    pub(super) fn new(site: Site, limits: HttpLimits, workers: Workers) -> Self {
        let (protocols, spare_protocols) =
            (builder(quiet_time(&limits, false)), builder(quiet_time(&limits, true)));
        Self { site, limits, workers, stop: CancellationToken::new(), protocols, spare_protocols }
    }

    /// Serves one connection until its client leaves, it is quiet for too long, or the server stops. Answers that are being
    /// made are finished first. `place` is dropped when the connection ends or is upgraded, `held` together with the
    /// connection, after an upgrade as well.
    pub(super) async fn serve(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        place: Option<ConnectionPlace>,
        held: impl Unpin + Send + 'static,
    ) {
        let is_spare = place.as_ref().is_some_and(|place| place.is_spare);
        let written = BytesWritten::default();
        let activity = Activity::new(written.clone());
        let quiet_time = quiet_time(&self.limits, is_spare);
        let service = {
            let (activity, written, server) = (activity.clone(), written.clone(), Arc::clone(&self));
            service_fn(move |mut request: Request<Incoming>| {
                let (version, server) = (request.version(), Arc::clone(&server));
                let exchange = activity.begin(version);
                // An upgraded connection is written to by the code that upgraded it.
                let is_upgrade =
                    request.headers().contains_key(header::UPGRADE) || request.method() == Method::CONNECT;
                let extensions = request.extensions_mut();
                extensions.insert(ConnectInfo(peer));
                if is_upgrade {
                    extensions.insert(written.clone());
                }
                if is_spare {
                    extensions.insert(OnSpareConnection);
                }
                server.site.answer(request.map(Body::new)).map(move |response| {
                    let mut response = response.map(|body| exchange.answered(body));
                    if is_spare || server.stop.is_cancelled() {
                        close_after(&mut response, version);
                    }
                    Ok::<_, Infallible>(response)
                })
            })
        };
        let stream = TokioIo::new(CountWritten::new(stream, written).holding(held));
        let protocols = if is_spare { &self.spare_protocols } else { &self.protocols };
        let mut connection = pin!(protocols.serve_connection_with_upgrades(stream, service));
        let closing = tokio::select! {
            biased;
            ended = connection.as_mut() => Err(ended),
            () = self.last_request(&activity, is_spare) => Ok(Closing::Ending),
            () = activity.quiet_for(quiet_time) => Ok(Closing::Quiet),
        };
        let ended = match closing {
            Err(ended) => ended,
            Ok(closing) => {
                connection.as_mut().graceful_shutdown();
                // Boxed: most of its time, a connection doesn't need the memory.
                Box::pin(self.close(connection, &activity, closing, quiet_time)).await
            }
        };
        if let Err(error) = ended {
            debug!(%peer, error = &*error, "a connection broke off");
        }
        drop(place);
    }

    /// Serves a connection that takes no more requests until it ends, or has had its time.
    async fn close<T>(
        &self,
        connection: impl Future<Output = Result<(), T>>,
        activity: &Activity,
        closing: Closing,
        quiet_time: Duration,
    ) -> Result<(), T> {
        match closing {
            Closing::Ending => tokio::select! {
                ended = connection => ended,
                () = activity.only_waits(CLOSING, STREAMS) => Ok(()),
                () = activity.quiet_for(quiet_time) => Ok(()),
                () = self.note_download(activity) => Ok(()),
            },
            Closing::Quiet => timeout(CLOSING, connection).await.unwrap_or(Ok(())),
        }
    }

    /// Waits until the connection takes no more requests. By HTTP/2 a client learns which of its requests were not taken.
    async fn last_request(&self, activity: &Activity, is_spare: bool) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = activity.http_2(), if is_spare => {}
        }
        if !activity.is_http_2() {
            sleep(LAST_REQUEST).await;
        }
    }

    /// Names what a drain cuts off if it is no handler.
    async fn note_download(&self, activity: &Activity) {
        activity.answered().await;
        let _entered = self.workers.enter("response that an HTTP client is reading".to_owned());
        std::future::pending::<()>().await;
    }
}

/// How long a connection may be quiet.
fn quiet_time(limits: &HttpLimits, is_spare: bool) -> Duration {
    if is_spare { limits.header_time.min(SPARE_TIME) } else { limits.header_time }
}

/// Announces that the connection is closed after this response. By HTTP/2 there is no such header.
fn close_after<B>(response: &mut Response<B>, version: Version) {
    if version < Version::HTTP_2 && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

fn builder(quiet_time: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(quiet_time);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_AT_ONCE)
        // A peer that is gone without a word is found out by pings, so that streams to it end.
        .keep_alive_interval(quiet_time)
        .keep_alive_timeout(quiet_time);
    builder
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use tokio::net::TcpStream;

    use super::*;
    use crate::http::places::AddressPlace;

    /// Returns the size of what a function returns.
    fn size<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_takes_little_memory() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 0));
        let connection = size(|(server, stream): (Arc<ConnectionServer>, TcpStream)| {
            server.serve(stream, peer, None, None::<AddressPlace>)
        });
        let request = size(|(site, request): (Site, Request)| site.answer(request));
        assert!(connection <= 6 * 1024, "the task of a connection has {connection} bytes");
        assert!(request <= 2 * 1024, "the request of a connection has {request} bytes");
    }
}
