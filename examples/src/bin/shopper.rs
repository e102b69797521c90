//! Typed calls to `shopping_service`, generated from the contract `Shopping`.
//!
//! ```text
//! cargo run -p daebus-examples --bin shopping_service    # in another terminal
//! cargo run -p daebus-examples --bin shopper             # Redis on this machine, or DAEBUS_URL
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
