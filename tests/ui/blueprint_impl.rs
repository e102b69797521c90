//! Mistakes in a blueprint that is the `impl` of a type.

use std::sync::Arc;

use daebus::action as renamed;
use daebus::prelude::*;

struct Shop;

#[blueprint("shop", colour = 1)]
impl Shop {
    fn blueprint() {}

    #[action("by_value")]
    async fn by_value(self) {}

    #[action("exclusive")]
    async fn exclusive(&mut self) {}

    #[action("shared")]
    async fn shared(self: Arc<Self>) {}

    #[action("function")]
    async fn function() {}

    #[action("generic")]
    async fn generic<T>(&self, _: Payload<T>) {}

    #[action("generic")]
    async fn doubled(&self) {}

    #[action("new")]
    async fn new(&self) {}

    #[renamed("renamed")]
    async fn under_another_name(&self) {}
}

struct Generic<T>(T);

#[blueprint("generic")]
impl<T> Generic<T> {
    #[action("get")]
    async fn get(&self) -> T {}
}

trait Sells {}

#[blueprint("sells")]
impl Sells for Shop {}

struct Empty;

#[blueprint("empty")]
#[cfg(unix)]
impl Empty {
    fn plain() {}
}

struct Local(std::rc::Rc<u8>);

#[blueprint("local")]
impl Local {
    #[action("get")]
    async fn get(&self) -> u8 {
        *self.0
    }
}

struct Outside;

impl Outside {
    #[action("get")]
    async fn get(&self) {}
}

fn main() {
    let _ = (ShopCaller::new, Generic::<u8>::blueprint(Generic(7)), Empty::blueprint(Empty));
}
