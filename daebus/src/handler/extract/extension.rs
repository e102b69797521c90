use std::any::type_name;

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;

/// A value that a layer put into [`Context::extensions_mut`], on a route into the request's extensions, cloned for this
/// handler.
#[derive(Debug, Clone, Copy)]
pub struct Extension<T>(pub T);

impl<K: Kind, T: Clone + Send + Sync + 'static> Extract<K> for Extension<T> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let missing =
            || Failure::internal(format!("no layer put in an extension of type {}", type_name::<T>()));
        find(cx).ok_or_else(missing)
    }
}

/// `None` if no layer has inserted a value of this type.
impl<K: Kind, T: Clone + Send + Sync + 'static> Extract<K> for Option<Extension<T>> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(find(cx))
    }
}

fn find<T: Clone + Send + Sync + 'static>(cx: &Context) -> Option<Extension<T>> {
    let of_request = || cx.http().and_then(|parts| parts.extensions.get::<T>());
    cx.extensions().get::<T>().or_else(of_request).cloned().map(Extension)
}
