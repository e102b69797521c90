//! One of several instances of a service, for tests that kill, stop and freeze it. Its id is the first argument.

use daebus::prelude::*;
use daebus::{IncomingError, Lease};
use futures_util::{StreamExt as _, stream};

#[derive(Clone)]
struct Name(String);

/// Counts its runs per request in Redis, and answers with the instance.
#[action("work")]
async fn work(
    Payload(n): Payload<u64>,
    State(Name(name)): State<Name>,
    cache: Cache,
) -> Result<String, BoxError> {
    cache.increment(&format!("ran:{n}"), 1).await?;
    Ok(name)
}

/// Which instance takes its time, and how long.
#[derive(Deserialize)]
struct Hold {
    on: String,
    ms: u64,
}

/// Answers with the instance: at once, unless it is the one that takes its time.
#[action("hold")]
async fn hold(Payload(hold): Payload<Hold>, State(Name(name)): State<Name>, broadcast: Broadcast) -> String {
    if hold.on == name {
        // A test that waits for this broadcast receives it; the others don't.
        let _ = broadcast.send("holding", json!({"instance": name})).await;
        tokio::time::sleep(Duration::from_millis(hold.ms)).await;
    }
    name
}

/// Counts, and reports how far its stream was asked for.
#[action("count")]
async fn count(
    Payload(to): Payload<u64>,
    broadcast: Broadcast,
) -> impl Stream<Item = Result<String, BoxError>> {
    stream::iter(0..to).then(move |n| {
        let broadcast = broadcast.clone();
        async move {
            let _ = broadcast.send("counted", json!(n)).await;
            // 1 KiB each.
            Ok(format!("{n:>1024}"))
        }
    })
}

/// Adds the lengths of the items, and reports how its stream ended.
#[action("measure")]
async fn measure(mut items: Incoming<String>, broadcast: Broadcast) -> Result<usize, IncomingError> {
    let mut sum = 0;
    while let Some(item) = items.next().await {
        match item {
            Ok(item) => {
                sum += item.len();
                let _ = broadcast.send("measuring", sum).await;
            }
            Err(error) => {
                let _ = broadcast.send("measured", json!({"error": error.to_string(), "sum": sum})).await;
                return Err(error);
            }
        }
    }
    Ok(sum)
}

/// Reports which instance runs the singleton.
#[background("tick", every = "100ms", singleton)]
async fn tick(lease: Lease, State(Name(name)): State<Name>, broadcast: Broadcast) -> Result<(), BoxError> {
    broadcast.send("ticks", json!({"instance": name, "token": lease.token()})).await?;
    Ok(())
}

#[bus_connected]
async fn connected() {
    println!("bus_connected ran");
}

#[bus_disconnected]
async fn disconnected() {
    println!("bus_disconnected ran");
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let id = std::env::args().nth(1).unwrap_or_default();
    let app = Daebus::new("cluster").instance_id(&id).state(Name(id));
    app.register(blueprint_of!["cluster"; work, hold, count, measure, tick, connected, disconnected])
        .run()
        .await
}
