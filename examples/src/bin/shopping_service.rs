//! A service with a shopping list, which `shopper` calls from another process.
//!
//! ```text
//! cargo run -p daebus-examples --bin shopping_service    # Redis on this machine, or DAEBUS_URL
//! cargo run -p daebus-examples --bin shopper             # in another terminal
//! ```
//!
//! Both programs use the contract `Shopping`, which declares the actions.

use std::sync::Arc;

use daebus::prelude::*;
use daebus_examples::Shopping;
use parking_lot::Mutex;

/// The list. Every handler gets a clone, so the items are in an `Arc`.
#[derive(Debug, Clone, Default)]
pub struct ShoppingList(Arc<Mutex<Vec<String>>>);

/// The handlers of the service. The compiler checks that every action of the contract exists.
#[blueprint("shopping", contract = Shopping)]
pub mod shopping {
    use super::*;

    /// Returns all items that are on the shopping list.
    #[action("get_items")]
    pub async fn get_items(State(list): State<ShoppingList>) -> Vec<String> {
        list.0.lock().clone()
    }

    /// Adds an item to the shopping list.
    #[action("add_item")]
    pub async fn add_item(Payload(item): Payload<String>, State(list): State<ShoppingList>) {
        list.0.lock().push(item);
    }

    /// Clears the shopping list.
    #[action("clear_items")]
    pub async fn clear_items(State(list): State<ShoppingList>) {
        list.0.lock().clear();
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("shopping_service")
        .bus(daebus_examples::bus_url()?)
        .state(ShoppingList::default())
        .register(shopping::blueprint())
        .run()
        .await
}
