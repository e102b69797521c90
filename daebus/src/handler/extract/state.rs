use std::any::type_name;

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;
use crate::handler::state::Needs;

/// The value given to [`Daebus::state`](crate::Daebus::state), cloned for this handler. An argument of any handler.
///
/// If the application has no value of this type, the start of the service fails with an error that names the handler and the
/// type. `Option<State<T>>` is `None` in this case.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Arc;
///
/// use daebus::prelude::*;
///
/// type Prices = Arc<HashMap<String, f64>>;
///
/// #[action("price_of")]
/// async fn price_of(
///     Payload(article): Payload<String>,
///     State(prices): State<Prices>,
/// ) -> Option<f64> {
///     prices.get(&article).copied()
/// }
///
/// let prices = Prices::new(HashMap::from([("tea".to_owned(), 2.5)]));
/// let app =
///     Daebus::new("shop").state(prices).register(blueprint_of!["shop"; price_of]);
/// # let _ = app;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct State<T>(pub T);

/// `None` if the application has no value of this type.
impl<K: Kind, T: Clone + Send + Sync + 'static> Extract<K> for Option<State<T>> {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(cx.state::<T>().cloned().map(State))
    }
}

impl<K: Kind, T: Clone + Send + Sync + 'static> Extract<K> for State<T> {
    fn needs(needs: &mut Needs) {
        needs.state::<T>();
    }

    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let missing =
            || Failure::internal(format!("the application has no state of type {}", type_name::<T>()));
        cx.state::<T>().cloned().map(State).ok_or_else(missing)
    }
}
