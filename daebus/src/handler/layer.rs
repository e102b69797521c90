//! Layers around handlers: actions, listeners, sockets and routes.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Poll, ready};

use daebus_caller::BoxError;
use futures_util::future::BoxFuture;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::answer::Answer;
use super::context::Context;
use super::failure::Failure;
use super::outcome::Outcome;

/// A handler as a tower service; what layers wrap.
#[derive(Clone)]
pub struct HandlerService(Wrapped);

/// A handler, which layers may be wrapped around.
#[derive(Clone)]
enum Wrapped {
    Plain(Arc<dyn Fn(Context) -> BoxFuture<'static, Outcome> + Send + Sync>),
    Layered(BoxCloneSyncService<Context, Answer, BoxError>),
}

impl HandlerService {
    /// The future of `run` is boxed by the caller: once, whatever is wrapped around it.
    pub(crate) fn new(run: impl Fn(Context) -> BoxFuture<'static, Outcome> + Send + Sync + 'static) -> Self {
        Self(Wrapped::Plain(Arc::new(run)))
    }

    /// Runs the handler and what is wrapped around it.
    pub(crate) fn run(&self, cx: Context) -> BoxFuture<'static, Outcome> {
        match &self.0 {
            Wrapped::Plain(run) => run(cx),
            Wrapped::Layered(service) => {
                let service = service.clone();
                Box::pin(async move { service.oneshot(cx).await.map_err(Failure::from) })
            }
        }
    }
}

impl Service<Context> for HandlerService {
    type Response = Answer;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Answer, BoxError>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.0 {
            Wrapped::Plain(_) => Poll::Ready(Ok(())),
            Wrapped::Layered(service) => Poll::Ready(ready!(service.poll_ready(cx))),
        }
    }

    fn call(&mut self, cx: Context) -> Self::Future {
        match &mut self.0 {
            Wrapped::Plain(run) => {
                let outcome = run(cx);
                Box::pin(async move { outcome.await.map_err(BoxError::from) })
            }
            Wrapped::Layered(service) => service.call(cx),
        }
    }
}

impl fmt::Debug for HandlerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerService")
    }
}

/// A tower layer around a handler. Implemented for every layer whose service takes a [`Context`], returns an [`Answer`], and has
/// an error that converts into [`BoxError`].
pub trait HandlerLayer: Send + Sync + 'static {
    /// Wraps a handler.
    #[must_use]
    fn wrap(&self, inner: HandlerService) -> HandlerService;
}

impl<L> HandlerLayer for L
where
    L: Layer<HandlerService> + Send + Sync + 'static,
    L::Service: Service<Context, Response = Answer, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
{
    fn wrap(&self, inner: HandlerService) -> HandlerService {
        HandlerService(Wrapped::Layered(BoxCloneSyncService::new(self.layer(inner).map_err(Into::into))))
    }
}

/// A layer of any type.
#[derive(Clone)]
pub(crate) struct AnyLayer(Arc<dyn HandlerLayer>);

impl AnyLayer {
    pub(crate) fn new(layer: impl HandlerLayer) -> Self {
        Self(Arc::new(layer))
    }

    pub(crate) fn apply(&self, service: HandlerService) -> HandlerService {
        self.0.wrap(service)
    }
}

impl fmt::Debug for AnyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyLayer")
    }
}

/// What a [`from_fn`] layer wraps: the handler, or the next layer on the way to it.
#[derive(Debug, Clone)]
pub struct Next(HandlerService);

impl Next {
    /// Goes on to the handler.
    ///
    /// # Errors
    ///
    /// What the handler answers with instead of a value.
    pub async fn run(self, cx: Context) -> Outcome {
        self.0.run(cx).await
    }
}

/// A layer from an async function.
///
/// [`Context::header`] reads the same header on every transport: of a request on the bus, of an HTTP request, and of the upgrade
/// of a WebSocket.
///
/// ```
/// use daebus::{Context, Fault, Next, Outcome, layer};
///
/// async fn authenticate(cx: Context, next: Next) -> Outcome {
///     match cx.header("token") {
///         Some("open sesame") => next.run(cx).await,
///         _ => Err(Fault::new("unauthenticated", "the header `token` is missing or wrong").with_status(401).into()),
///     }
/// }
///
/// let users = daebus::Blueprint::new("users").layer(layer::from_fn(authenticate));
/// # let _ = users;
/// ```
pub fn from_fn<F, Fut>(function: F) -> FromFn<F>
where
    F: Fn(Context, Next) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    FromFn { function }
}

/// The layer that [`from_fn`] makes.
#[derive(Debug, Clone)]
pub struct FromFn<F> {
    function: F,
}

impl<F: Clone> Layer<HandlerService> for FromFn<F> {
    type Service = FromFnService<F>;

    fn layer(&self, inner: HandlerService) -> Self::Service {
        FromFnService { function: self.function.clone(), inner }
    }
}

/// The service that a [`from_fn`] layer makes.
#[derive(Debug, Clone)]
pub struct FromFnService<F> {
    function: F,
    inner: HandlerService,
}

impl<F, Fut> Service<Context> for FromFnService<F>
where
    F: Fn(Context, Next) -> Fut,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    type Response = Answer;
    type Error = Failure;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, cx: Context) -> Fut {
        (self.function)(cx, Next(self.inner.clone()))
    }
}
