use std::any::type_name;

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;
use crate::handler::state::Needs;

/// What `.state(T)` put into the application, cloned for this handler.
///
/// A type that was never put in is an error when the service starts, naming the handler and the type.
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
        let missing = || Failure::internal(format!("no state of type {} was put in", type_name::<T>()));
        cx.state::<T>().cloned().map(State).ok_or_else(missing)
    }
}
