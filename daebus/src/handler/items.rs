//! The stream that a handler answers with.

use daebus_caller::contract::IntoFault;
use daebus_caller::wire::{RawJson, encode};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use serde::Serialize;

use super::failure::Failure;

/// The stream that a handler answers with: its items as JSON. It is polled only when the peer has room for an item. Nothing
/// follows an error.
pub(crate) type Items = BoxStream<'static, Result<RawJson, Failure>>;

/// Encodes each item of a handler's stream.
pub(super) fn encoded<S, T, E>(items: S) -> Items
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: Serialize,
    E: IntoFault,
{
    let encode = |item| match item {
        Ok(item) => encode(&item)
            .map_err(|error| Failure::internal(format!("an item can't be written as JSON: {error}"))),
        Err(error) => {
            let error: E = error;
            let internal_reason = error.internal_reason();
            Err(Failure::new(error.into_fault(), internal_reason))
        }
    };
    items.map(encode).boxed()
}
