//! The cost of a call as one quantity grows: the payload, the actions, the callers or the instances.

use std::sync::Arc;

use clap::Args;
use daebus::{Blueprint, Caller, Daebus, Json, Payload};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::calls::stop;
use crate::work::{Result, Time, drive};

/// Calls in flight, however many callers there are. With the largest payload, they are within Redis's limit on what it
/// keeps for one subscriber.
const IN_FLIGHT: usize = 16;

#[derive(Debug, Args)]
pub struct Growth {
    url: String,
    /// Bytes of the text in a request and in its reply
    #[arg(long, default_value_t = 64)]
    payload: usize,
    #[arg(long, default_value_t = 1)]
    actions: usize,
    #[arg(long, default_value_t = 1)]
    callers: usize,
    #[arg(long, default_value_t = 1)]
    instances: usize,
    #[command(flatten)]
    time: Time,
}

#[derive(Clone, Serialize, Deserialize)]
struct Note {
    text: String,
}

/// Calls the actions and uses the callers in turn, and prints the CPU time per call and the rate.
pub async fn run(Growth { url, payload, actions, callers, instances, time }: Growth) -> Result<()> {
    let actions: Arc<[&'static str]> = (0..actions).map(|k| &*format!("echo_{k}").leak()).collect();
    let mut services = Vec::new();
    for _ in 0..instances {
        let blueprint = Blueprint::new("growth");
        let blueprint = actions.iter().fold(blueprint, |blueprint, action| blueprint.action(action, echo));
        services.push(Daebus::new("growth").bus(&url).register(blueprint).start().await?);
    }
    let connecting = (0..callers).map(|_| Caller::connect(&url, "growth"));
    let connected: Vec<Caller> = stream::iter(connecting).buffer_unordered(IN_FLIGHT).try_collect().await?;
    let (callers, note) = (Arc::<[Caller]>::from(connected), Note { text: "x".repeat(payload) });
    let call = move |i: u64| {
        let turn = usize::try_from(i).unwrap_or_default();
        let (caller, action) = (callers[turn % callers.len()].clone(), actions[turn % actions.len()]);
        let note = note.clone();
        async move {
            let reply = caller.send_request::<Note>(action, &note).await?;
            if reply.text == note.text { Ok(()) } else { Err("another text came back".into()) }
        }
    };
    drive(IN_FLIGHT, time, call).await?.print();
    stop(services).await
}

async fn echo(Payload(note): Payload<Note>) -> Json<Note> {
    Json(note)
}
