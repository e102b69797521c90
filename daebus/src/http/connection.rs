//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::debug;

use super::activity::Activity;
use super::limits::HttpLimits;
use super::site::Site;
use crate::runtime::{BytesWritten, CountWritten};

/// How long a connection that was told to end may take, once no handler works on it: for the rest of an answer, and
/// for a stream that has no end by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long a quiet connection may take to say goodbye.
const CLOSING: Duration = Duration::from_secs(1);

/// Serves one connection until its client leaves, it is quiet for too long, or `stop` says so. Answers that are being
/// made are finished first.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    site: Arc<Site>,
    limits: HttpLimits,
    stop: CancellationToken,
) {
    let (activity, written) = (Activity::default(), BytesWritten::default());
    let service = {
        let (activity, written) = (activity.clone(), written.clone());
        service_fn(move |mut request: Request<Incoming>| {
            let exchange = activity.begin();
            request.extensions_mut().insert(ConnectInfo(peer));
            // An upgraded connection is written to by the code that upgraded it.
            request.extensions_mut().insert(written.clone());
            let answer = site.router().oneshot(request.map(Body::new));
            async move {
                let Ok(response) = answer.await;
                Ok::<_, Infallible>(response.map(|body| exchange.answered(body)))
            }
        })
    };
    let stream = CountWritten::new(stream, written);
    let builder = builder(limits);
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = unanswered(&activity) => timeout(FAREWELL, connection).await.unwrap_or(Ok(())),
            }
        }
        () = activity.quiet_for(limits.header_time) => {
            connection.as_mut().graceful_shutdown();
            timeout(CLOSING, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%peer, error = &*error, "a connection broke off");
    }
}

/// Waits until no handler works on the connection.
async fn unanswered(activity: &Activity) {
    while activity.is_answering() {
        sleep(Duration::from_millis(50)).await;
    }
}

fn builder(limits: HttpLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_time);
    builder
        .http2()
        .timer(TokioTimer::new())
        // A peer that is gone without a word is found out by pings, so that streams to it end.
        .keep_alive_interval(limits.header_time)
        .keep_alive_timeout(limits.header_time);
    builder
}
