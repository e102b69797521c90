//! Typed calls to `shopping_service`, generated from the contract `Shopping`.
//!
//! ```text
//! cargo run -p daebus-examples --bin shopping_service    # in another terminal
//! cargo run -p daebus-examples --bin shopper             # Redis on this machine, or DAEBUS_URL
//! ```

use daebus::prelude::*;
use daebus_examples::ShoppingCaller;
use futures_util::stream;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    daebus::logging::init();
    let shopping = ShoppingCaller::connect(&daebus_examples::bus_url()?).await?;

    println!("{:?}", shopping.get_items().await?);

    shopping.add_item(&"orange".to_owned()).await?;
    println!("{:?}", shopping.get_items().await?);

    shopping.add_many_items(stream::iter(["bread".to_owned(), "cheese".to_owned()])).await?;
    println!("{:?}", shopping.get_items().await?);

    shopping.clear_items().await?;
    println!("{:?}", shopping.get_items().await?);

    Ok(())
}
