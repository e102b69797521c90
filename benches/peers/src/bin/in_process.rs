//! Calls within one process, on one thread: `in_process PEER CALLS` prints the allocations and bytes of a call, and the
//! calls per second. The harness counts instructions by running it under callgrind with two numbers of calls.

use std::alloc::System;
use std::time::Instant;

use daebus::Caller;
use daebus_peers::calls::service;
use daebus_peers::work::{Echo, Result};
use futures_util::StreamExt;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Json;
use tarpc::tokio_util::codec::LengthDelimitedCodec;
use tarpc::{client, context, serde_transport};
use tokio::sync::{mpsc, oneshot};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Calls before anything is counted.
const WARM_UP: u64 = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let peer = arguments.next().ok_or("the peer is missing")?;
    let calls = arguments.next().ok_or("the number of calls is missing")?.parse()?;
    match peer.as_str() {
        "daebus" => {
            let url = "memory://bench";
            let _service = service(url).await?;
            let caller = Caller::connect(url, "bench").await?;
            count(calls, async |i| Ok(caller.send_request::<Echo>("echo", Echo { i }).await?)).await
        }
        "tarpc" => {
            let client = tarpc_client()?;
            count(calls, async |i| Ok(client.echo(context::current(), Echo { i }).await?)).await
        }
        "tokio" => {
            let sender = channel();
            let call = async |i| {
                let (answer, waiter) = oneshot::channel();
                sender.send((serde_json::to_vec(&Echo { i })?, answer)).await?;
                Ok(serde_json::from_slice(&waiter.await?)?)
            };
            count(calls, call).await
        }
        _ => Err(format!("there is no peer {peer}").into()),
    }
}

async fn count(calls: u64, call: impl AsyncFn(u64) -> Result<Echo>) -> Result<()> {
    for i in 0..WARM_UP {
        call(i).await?.check(i)?;
    }
    let (allocated, began) = (Region::new(ALLOCATOR), Instant::now());
    for i in 0..calls {
        call(i).await?.check(i)?;
    }
    let (change, elapsed) = (allocated.change(), began.elapsed());
    let per_call = |total: usize| total as f64 / calls as f64;
    println!("allocations {}", per_call(change.allocations + change.reallocations));
    println!("bytes {}", per_call(change.bytes_allocated));
    println!("rate {}", calls as f64 / elapsed.as_secs_f64());
    Ok(())
}

#[tarpc::service]
trait Echoes {
    async fn echo(echo: Echo) -> Echo;
}

#[derive(Clone)]
struct EchoServer;

impl Echoes for EchoServer {
    async fn echo(self, _: context::Context, echo: Echo) -> Echo {
        echo
    }
}

/// tarpc within the process, its messages encoded as JSON.
fn tarpc_client() -> Result<EchoesClient> {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let framed = |end| LengthDelimitedCodec::builder().new_framed(end);
    let server = BaseChannel::with_defaults(serde_transport::new(framed(server), Json::default()));
    tokio::spawn(server.execute(EchoServer.serve()).for_each(|answer| async {
        tokio::spawn(answer);
    }));
    let transport = serde_transport::new(framed(client), Json::default());
    Ok(EchoesClient::new(client::Config::default(), transport).spawn())
}

type Question = (Vec<u8>, oneshot::Sender<Vec<u8>>);

/// The least: a task behind a channel, with JSON in and out.
fn channel() -> mpsc::Sender<Question> {
    let (sender, mut questions) = mpsc::channel::<Question>(64);
    tokio::spawn(async move {
        while let Some((question, answer)) = questions.recv().await {
            let echo: Echo = serde_json::from_slice(&question)?;
            let _ = answer.send(serde_json::to_vec(&echo)?);
        }
        Result::<()>::Ok(())
    });
    sender
}
