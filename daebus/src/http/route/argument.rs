//! What a route may take as an argument: our extractors, and axum's, in any order.

use std::future::Future;

use axum::extract::{FromRequest, FromRequestParts};
use axum::http::Request;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;

use super::payload;
use super::refusal::Refusal;
use super::request::RouteRequest;
#[cfg(feature = "garde")]
use crate::handler::extract::Valid;
use crate::handler::extract::{Argument, Extract, Payload};
use crate::handler::{Needs, kind};
use crate::http::problem::worded;

/// Taken by way of [`Extract`].
#[derive(Debug)]
pub struct ViaContext;
/// Taken by way of axum's `FromRequestParts`.
#[derive(Debug)]
pub struct ViaParts;
/// Taken by way of axum's `FromRequest`, the body included.
#[derive(Debug)]
pub struct ViaWhole;
/// The payload.
#[derive(Debug)]
pub struct ViaPayload;

/// Something a route can take as an argument. `Via` says by which way, so that ours and axum's can stand side by side;
/// it is left to inference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an argument of a route",
    label = "not an extractor here",
    note = "every handler takes: State<T>, Broadcast, Callers, Cache, Tasks, Events, Sockets, Shutdown, Extension<T>",
    note = "routes also take: Payload<T>, Valid<T> (feature `garde`), and axum's extractors: HeaderMap, Query<T>, Json<T>, Bytes, Multipart, …",
    note = "`Request` and `Progress<T>` are for actions, since HTTP has neither; `HeaderMap` gives the headers",
    note = "an argument that stands for a part of the path has its name in the pattern: `#[route(\"/users/<id>\")]`"
)]
pub trait RouteArg<Via>: Sized {
    /// Says what has to be there when the service starts.
    fn needs(needs: &mut Needs) {
        let _ = needs;
    }

    /// Takes the value out of the request.
    ///
    /// # Errors
    ///
    /// When it isn't there or can't be read; the handler doesn't run, and the refusal becomes the response.
    fn take(request: &mut RouteRequest) -> impl Future<Output = Result<Self, Refusal>> + Send;
}

impl<T: Extract<kind::Route>> RouteArg<ViaContext> for T {
    fn needs(needs: &mut Needs) {
        T::needs(needs);
    }

    async fn take(request: &mut RouteRequest) -> Result<Self, Refusal> {
        Ok(T::extract(&mut request.cx).await?)
    }
}

impl<T: FromRequestParts<()>> RouteArg<ViaParts> for T {
    async fn take(request: &mut RouteRequest) -> Result<Self, Refusal> {
        let rejection = match T::from_request_parts(request.parts()?, &()).await {
            Ok(value) => return Ok(value),
            Err(rejection) => rejection.into_response(),
        };
        Err(Refusal::Response(Box::new(worded(rejection).await)))
    }
}

impl<T: FromRequest<()>> RouteArg<ViaWhole> for T {
    async fn take(request: &mut RouteRequest) -> Result<Self, Refusal> {
        let (parts, body) = (request.parts()?.clone(), request.body()?);
        let rejection = match T::from_request(Request::from_parts(parts, body), &()).await {
            Ok(value) => return Ok(value),
            Err(rejection) => rejection.into_response(),
        };
        Err(Refusal::Response(Box::new(worded(rejection).await)))
    }
}

impl<T: DeserializeOwned> RouteArg<ViaPayload> for Payload<T> {
    async fn take(request: &mut RouteRequest) -> Result<Self, Refusal> {
        let body = request.body()?;
        payload::read(request.parts()?, body).await.map(Payload)
    }
}

#[cfg(feature = "garde")]
impl<T: DeserializeOwned + garde::Validate<Context: Default>> RouteArg<ViaPayload> for Valid<T> {
    async fn take(request: &mut RouteRequest) -> Result<Self, Refusal> {
        Ok(Self::check(Payload::take(request).await?)?)
    }
}

/// Declares an argument of a route and adds what it needs at start-up.
pub fn argument<Via: 'static, T: RouteArg<Via> + 'static>(
    needs: &mut Needs,
) -> Argument<RouteRequest, T, Refusal> {
    T::needs(needs);
    Argument::new(|request| Box::pin(T::take(request)))
}
