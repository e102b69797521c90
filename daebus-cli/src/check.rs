//! `daebus check`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use daebus_caller::bus::{Message, SetOptions, Topic};
use daebus_caller::fred::clients::Client;
use daebus_caller::fred::interfaces::ClientLike;
use daebus_caller::fred::types::{ClusterHash, CustomCommand, InfoKind};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::{FAINT, GREEN, Output, RED, YELLOW, short};

/// How long a message may take to arrive at a subscriber on the same server.
const DELIVERED_WITHIN: Duration = Duration::from_secs(2);

/// Below these limits (the defaults of Redis) the server disconnects subscribers in bursts.
const OUTPUT_HARD: u64 = 32 * 1024 * 1024;
const OUTPUT_SOFT: u64 = 8 * 1024 * 1024;

/// The result of one check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    /// Works, but may lose messages.
    Warning,
    Failed,
    /// The server does not report the setting.
    Unknown,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, detail: detail.into(), advice: None }
    }

    fn unknown(name: &'static str, error: &impl std::fmt::Display) -> Self {
        let detail = format!("the server does not report it: {error}");
        Self { name, status: Status::Unknown, detail, advice: None }
    }

    fn problem(name: &'static str, status: Status, detail: impl Into<String>, advice: &str) -> Self {
        Self { name, status, detail: detail.into(), advice: Some(advice.to_owned()) }
    }
}

pub(crate) async fn run(
    connect: impl AsyncFnOnce() -> Result<Connection, Failure>,
    output: Output,
) -> Result<(), Failure> {
    let started = Instant::now();
    let connection = connect().await?;
    let mut checks = vec![Check::ok(
        "connection",
        format!("{} answered within {}", connection.bus().location(), short(started.elapsed())),
    )];
    checks.extend(rights(&connection).await);
    checks.push(delivery(&connection).await);
    match connection.bus().redis() {
        Some(client) => checks.extend(settings(&client).await),
        None => return Err(Failure::Bus("the connection was lost during the checks".into())),
    }
    for check in &checks {
        print(output, check)?;
    }
    let problems =
        checks.iter().filter(|check| matches!(check.status, Status::Warning | Status::Failed)).count();
    if problems == 0 { Ok(()) } else { Err(Failure::Check { problems }) }
}

fn print(output: Output, check: &Check) -> std::io::Result<()> {
    if output.is_json() {
        return output.object(check);
    }
    let (style, word) = match check.status {
        Status::Ok => (GREEN, "ok"),
        Status::Warning => (YELLOW, "warning"),
        Status::Failed => (RED, "failed"),
        Status::Unknown => (FAINT, "unknown"),
    };
    output.line(&format!("{style}{word:<8}{style:#} {:<16} {}", check.name, check.detail))?;
    check.advice.iter().try_for_each(|advice| output.line(&format!("{:<26}{advice}", "")))
}

/// Tries the commands that services and callers use, on a key that expires.
async fn rights(connection: &Connection) -> Vec<Check> {
    const ADVICE: &str = "permit it for the user of the URL in the server's ACL, with the keys daebus:*";
    let bus = connection.bus();
    let key = format!("daebus:check:{}", std::process::id());
    let options = SetOptions { ttl: Some(Duration::from_secs(10)), only_if_absent: false };
    let written = async {
        bus.set(&key, Bytes::from_static(b"1"), options).await?;
        bus.get(&key).await?;
        bus.expire(&key, Duration::from_secs(10)).await?;
        bus.delete(&key).await
    };
    let keys = written.await.map(drop);
    let index = async {
        bus.set_add(&key, "a").await?;
        bus.expire(&key, Duration::from_secs(10)).await?;
        bus.set_members(&key).await?;
        bus.set_remove(&key, "a").await
    };
    let sets = index.await.map(drop);
    // The script deletes the key only if its value is the given one.
    let scripts = bus.release(&key, "").await.map(drop);
    let counts = bus.subscribers(&key).await.map(drop);
    [("keys", keys), ("sets", sets), ("scripts", scripts), ("PUBSUB NUMSUB", counts)]
        .into_iter()
        .map(|(name, outcome)| match outcome {
            Ok(()) => Check::ok(name, "permitted"),
            Err(error) => Check::problem(name, Status::Failed, error.to_string(), ADVICE),
        })
        .collect()
}

/// Publishes a message to a channel that this program is subscribed to.
async fn delivery(connection: &Connection) -> Check {
    const NAME: &str = "delivery";
    const ADVICE: &str = "grant SUBSCRIBE and PUBLISH for the channels of the services";
    let channel: Arc<str> = format!("daebus-check:{}", std::process::id()).into();
    let (sender, mut receiver) = mpsc::channel(1);
    // One message is enough.
    let deliver = move |_: Message| {
        let _ = sender.try_send(());
    };
    let subscribed =
        connection.bus().subscribe(Topic::Channel(Arc::clone(&channel)), Arc::new(deliver)).await;
    let _subscription = match subscribed {
        Ok(subscription) => subscription,
        Err(error) => return Check::problem(NAME, Status::Failed, error.to_string(), ADVICE),
    };
    let sent = Instant::now();
    match connection.bus().publish(&channel, Bytes::from_static(b"{}")).await {
        Err(error) => Check::problem(NAME, Status::Failed, error.to_string(), ADVICE),
        Ok(_) => match tokio::time::timeout(DELIVERED_WITHIN, receiver.recv()).await {
            Ok(_) => Check::ok(NAME, format!("a message arrived after {}", short(sent.elapsed()))),
            Err(_) => Check::problem(
                NAME,
                Status::Failed,
                format!("a message did not arrive within {DELIVERED_WITHIN:?}"),
                "publish and subscribe must reach the same server: check proxies and cluster settings",
            ),
        },
    }
}

async fn settings(client: &Client) -> Vec<Check> {
    vec![version(client).await, role(client).await, output_buffer(client).await, memory(client).await]
}

async fn version(client: &Client) -> Check {
    const NAME: &str = "version";
    match info(client, InfoKind::Server).await {
        Err(error) => Check::unknown(NAME, &error),
        Ok(info) => {
            let named = |name: &str| info.get(name).map(String::as_str);
            let version = match (named("valkey_version"), named("redis_version")) {
                (Some(version), _) => format!("Valkey {version}"),
                (None, Some(version)) => format!("Redis {version}"),
                (None, None) => "unknown".into(),
            };
            match named("redis_mode") {
                Some("cluster") => Check::problem(
                    NAME,
                    Status::Warning,
                    format!("{version}, cluster"),
                    "clusters are supported, but not tested; prefer a single server",
                ),
                _ => Check::ok(NAME, version),
            }
        }
    }
}

async fn role(client: &Client) -> Check {
    const NAME: &str = "role";
    match info(client, InfoKind::Replication).await {
        Err(error) => Check::unknown(NAME, &error),
        Ok(info) if info.get("role").is_some_and(|role| role == "slave") => Check::problem(
            NAME,
            Status::Failed,
            "replica, which refuses writes",
            "name the primary in the URL of the bus",
        ),
        Ok(_) => Check::ok(NAME, "primary"),
    }
}

async fn output_buffer(client: &Client) -> Check {
    const NAME: &str = "output buffer";
    let setting = match setting(client, "client-output-buffer-limit").await {
        Ok(setting) => setting,
        Err(error) => return Check::unknown(NAME, &error),
    };
    let Some([hard, soft, seconds]) = pubsub_limits(&setting) else {
        return Check::unknown(NAME, &format!("{setting:?} has no limits for pubsub"));
    };
    let detail = format!("pubsub {hard} {soft} {seconds}");
    let is_low = |limit: u64, default: u64| limit > 0 && limit < default;
    if is_low(hard, OUTPUT_HARD) || is_low(soft, OUTPUT_SOFT) {
        let advice = "the server disconnects a subscriber whose messages exceed this, and they are lost: \
                      set client-output-buffer-limit to \"pubsub 32mb 8mb 60\" or more";
        return Check::problem(NAME, Status::Warning, detail, advice);
    }
    Check::ok(NAME, detail)
}

/// Reads the limits for subscribers: hard bytes, soft bytes and seconds.
fn pubsub_limits(setting: &str) -> Option<[u64; 3]> {
    let mut words = setting.split_whitespace().skip_while(|word| *word != "pubsub").skip(1);
    let mut number = || words.next()?.parse().ok();
    Some([number()?, number()?, number()?])
}

async fn memory(client: &Client) -> Check {
    const NAME: &str = "memory";
    let (limit, policy) =
        match (setting(client, "maxmemory").await, setting(client, "maxmemory-policy").await) {
            (Ok(limit), Ok(policy)) => (limit, policy),
            (Err(error), _) | (_, Err(error)) => return Check::unknown(NAME, &error),
        };
    if limit == "0" {
        return Check::ok(NAME, "no limit (maxmemory 0)");
    }
    let detail = format!("maxmemory {limit}, {policy}");
    if policy == "noeviction" {
        // Services continue with their last list of instances while writes are refused.
        return Check::ok(NAME, detail);
    }
    let advice = "the server may evict the keys by which instances find each other: \
                  set maxmemory-policy to noeviction, or use a server of its own for the bus";
    Check::problem(NAME, Status::Warning, detail, advice)
}

async fn setting(client: &Client, name: &str) -> Result<String, String> {
    // The driver's own method is behind a feature, which would be compiled for all services of the workspace.
    let command = CustomCommand::new_static("CONFIG", ClusterHash::Random, false);
    let settings: Result<HashMap<String, String>, _> = client.custom(command, vec!["GET", name]).await;
    let mut settings = settings.map_err(|error| error.details().to_owned())?;
    settings.remove(name).ok_or_else(|| format!("{name} is not set"))
}

async fn info(client: &Client, kind: InfoKind) -> Result<HashMap<String, String>, String> {
    let text: Result<String, _> = client.info(Some(kind)).await;
    let text = text.map_err(|error| error.details().to_owned())?;
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    Ok(fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_subscribers_are_found_among_the_classes() {
        let setting = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(pubsub_limits(setting), Some([33_554_432, 8_388_608, 60]));
        assert_eq!(pubsub_limits("pubsub 1 2"), None);
        assert_eq!(pubsub_limits("normal 0 0 0"), None);
    }
}
