use std::any::type_name;

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;

/// A value that a layer has inserted into [`Context::extensions_mut`], or on a route into the extensions of the HTTP request.
/// Each handler gets a clone. `Option<Extension<T>>` is `None` if no layer has inserted a value of this type.
///
/// ```
/// use daebus::layer::from_fn;
/// use daebus::prelude::*;
/// use daebus::{Context, Next, Outcome};
///
/// #[derive(Clone)]
/// struct Tenant(String);
///
/// async fn find_tenant(mut cx: Context, next: Next) -> Outcome {
///     let tenant = cx.header("tenant").unwrap_or("public").to_owned();
///     cx.extensions_mut().insert(Tenant(tenant));
///     next.run(cx).await
/// }
///
/// #[action("whoami")]
/// async fn whoami(Extension(Tenant(name)): Extension<Tenant>) -> String {
///     name
/// }
///
/// let tenants = blueprint_of!["tenants"; whoami].layer(from_fn(find_tenant));
/// # let _ = tenants;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Extension<T>(pub T);

impl<K: Kind, T: Clone + Send + Sync + 'static> Extract<K> for Extension<T> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let missing =
            || Failure::internal(format!("no layer inserted an extension of type {}", type_name::<T>()));
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
