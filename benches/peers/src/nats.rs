//! Request and reply over NATS.

use async_nats::Client;
use futures_util::StreamExt;

use crate::work::{Echo, Result};

/// Answers requests in the order in which they arrive, as a plain NATS service does.
pub async fn serve(url: &str) -> Result<()> {
    let client = async_nats::connect(url).await?;
    let mut requests = client.subscribe("echo").await?;
    client.flush().await?;
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let (Some(reply_to), Ok(echo)) =
                (request.reply, serde_json::from_slice::<Echo>(&request.payload))
            else {
                continue;
            };
            client.publish(reply_to, serde_json::to_vec(&echo)?.into()).await?;
        }
        Result::<()>::Ok(())
    });
    Ok(())
}

pub async fn call(client: &Client, i: u64) -> Result<()> {
    let reply = client.request("echo", serde_json::to_vec(&Echo { i })?.into()).await?;
    serde_json::from_slice::<Echo>(&reply.payload)?.check(i)
}
