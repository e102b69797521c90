//! Calls to an echo service on a bus.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use daebus::{Blueprint, Caller, Daebus, Json, Payload, Service};
use futures_util::future::join_all;

use crate::work::{Echo, Result, Time, drive, serve_until_closed};
use crate::{by_hand, nats};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Peer {
    Daebus,
    ByHand,
    Nats,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub enum Role {
    Serve,
    Call,
    Both,
}

#[derive(Debug, Args)]
pub struct Calls {
    peer: Peer,
    role: Role,
    url: String,
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    #[command(flatten)]
    time: Time,
}

/// Prints `ready` as a service, and what was measured as a caller.
pub async fn run(Calls { peer, role, url, in_flight, time }: Calls) -> Result<()> {
    let service = match (role, peer) {
        (Role::Call, _) => None,
        (_, Peer::Daebus) => Some(service(&url).await?),
        (_, Peer::ByHand) => by_hand::serve(&url).await.map(|()| None)?,
        (_, Peer::Nats) => nats::serve(&url).await.map(|()| None)?,
    };
    if role == Role::Serve {
        serve_until_closed(url).await?;
        return stop(service).await;
    }
    let measured = match peer {
        Peer::Daebus => {
            let caller = Caller::connect(&url, "bench").await?;
            let call = move |i| {
                let call = caller.send_request::<Echo>("echo", Echo { i });
                async move { call.await?.check(i) }
            };
            drive(in_flight, time, call).await?
        }
        Peer::ByHand => {
            let caller = Arc::new(by_hand::Caller::connect(&url).await?);
            let call = move |i| {
                let caller = Arc::clone(&caller);
                async move { caller.call(i).await }
            };
            drive(in_flight, time, call).await?
        }
        Peer::Nats => {
            let client = async_nats::connect(&url).await?;
            let call = move |i| {
                let client = client.clone();
                async move { nats::call(&client, i).await }
            };
            drive(in_flight, time, call).await?
        }
    };
    measured.print();
    stop(service).await
}

/// Stops services as a signal does, so that nothing of them is left on the bus for the next contender to find.
pub async fn stop(services: impl IntoIterator<Item = Service>) -> Result<()> {
    for stopped in join_all(services.into_iter().map(Service::stop)).await {
        stopped?;
    }
    Ok(())
}

/// A service with one action, `echo`.
pub fn application(url: &str) -> Daebus {
    Daebus::new("bench").bus(url).register(Blueprint::new("bench").action("echo", echo))
}

/// The same, started.
pub async fn service(url: &str) -> Result<Service> {
    Ok(application(url).start().await?)
}

async fn echo(Payload(echo): Payload<Echo>) -> Json<Echo> {
    Json(echo)
}
