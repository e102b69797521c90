//! Uses the shopping list of `shopping_service`, typed: the contract `Shopping` declares the actions.
//!
//! ```text
//! cargo run -p daebus-examples --bin shopping_service    # in another terminal
//! cargo run -p daebus-examples --bin shopper             # the Redis of this machine, or the one DAEBUS_URL names
//! ```

use daebus::prelude::*;
use daebus_examples::ShoppingCaller;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    daebus::logging::init();
    let shopping = ShoppingCaller::connect(&daebus_examples::bus_url()?).await?;
    let [orange, bread, cheese] = ["orange", "bread", "cheese"].map(String::from);

    println!("{:?}", shopping.get_items().await?);

    shopping.add_item(&orange).await?;
    println!("{:?}", shopping.get_items().await?);

    for item in [bread, cheese] {
        shopping.add_item(&item).await?;
    }
    println!("{:?}", shopping.get_items().await?);

    shopping.clear_items().await?;
    println!("{:?}", shopping.get_items().await?);

    Ok(())
}
