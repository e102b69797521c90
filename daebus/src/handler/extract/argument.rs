//! One argument of a generated handler.

use std::fmt;

use futures_util::future::BoxFuture;

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::state::Needs;

/// An argument of type `T` that each call extracts from an `M`.
///
/// Neither the type nor its method has a bound on `T`: the function that declares an argument checks it once, so that an invalid
/// argument causes one compile error. The future is boxed for the same reason.
pub struct Argument<M, T, E>(for<'a> fn(&'a mut M) -> BoxFuture<'a, Result<T, E>>);

impl<M, T, E> Argument<M, T, E> {
    pub(crate) fn new(extract: for<'a> fn(&'a mut M) -> BoxFuture<'a, Result<T, E>>) -> Self {
        Self(extract)
    }

    /// Extracts the value.
    ///
    /// # Errors
    ///
    /// Returns the extractor's error.
    pub fn extract(self, message: &mut M) -> BoxFuture<'_, Result<T, E>> {
        self.0(message)
    }
}

impl<M, T, E> Clone for Argument<M, T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, T, E> Copy for Argument<M, T, E> {}

impl<M, T, E> fmt::Debug for Argument<M, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<Self>())
    }
}

/// Declares an argument of a handler of kind `K`, and adds its requirements to `needs`.
pub fn argument<K: 'static, T: Extract<K> + 'static>(needs: &mut Needs) -> Argument<Context, T, Failure> {
    T::needs(needs);
    Argument::new(|cx| Box::pin(T::extract(cx)))
}
