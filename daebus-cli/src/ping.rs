//! `daebus ping`.

use std::time::{Duration, Instant};

use daebus_caller::InstanceId;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};

use crate::arguments::Ping;
use crate::connection::Connection;
use crate::directory;
use crate::failure::Failure;
use crate::output::{Output, short};

/// The round-trip times of one instance.
#[derive(Debug, Serialize)]
struct PingRow {
    instance: InstanceId,
    sent: u32,
    answered: usize,
    min_seconds: Option<f64>,
    mean_seconds: Option<f64>,
    max_seconds: Option<f64>,
    /// The error of the last request that was not answered.
    error: Option<String>,
}

pub(crate) async fn run(connection: &Connection, output: Output, ping: &Ping) -> Result<(), Failure> {
    let instances = directory::of_service(connection, &ping.service).await?;
    if instances.is_empty() {
        return Err(directory::no_service(connection, &ping.service).await);
    }
    let measured =
        join_all(instances.into_iter().map(|instance| measure(connection, ping, instance.id))).await;
    let (rows, failures): (Vec<_>, Vec<_>) = measured.into_iter().unzip();
    output.rows(["INSTANCE", "ANSWERED", "MIN", "MEAN", "MAX", "ERROR"], &rows, |row| {
        let time = |seconds: Option<f64>| {
            seconds.map_or_else(|| "-".into(), |seconds| short(Duration::from_secs_f64(seconds)))
        };
        [
            row.instance.to_string(),
            format!("{}/{}", row.answered, row.sent),
            time(row.min_seconds),
            time(row.mean_seconds),
            time(row.max_seconds),
            row.error.clone().unwrap_or_default(),
        ]
    })?;
    let failures: Vec<Failure> = failures.into_iter().flatten().collect();
    Failure::of_instances(&failures, rows.len())
}

async fn measure(connection: &Connection, ping: &Ping, instance: InstanceId) -> (PingRow, Option<Failure>) {
    let caller = connection.caller(&ping.service);
    let (mut times, mut failed) = (Vec::new(), None);
    for number in 0..ping.count {
        if number > 0 {
            tokio::time::sleep(ping.interval).await;
        }
        let sent = Instant::now();
        let call = caller.send_request::<Value>("$ping", json!({})).timeout(ping.timeout);
        match call.on_instance(&instance).await {
            Ok(_) => times.push(sent.elapsed().as_secs_f64()),
            Err(error) => failed = Some(error),
        }
    }
    let count = f64::from(u32::try_from(times.len()).unwrap_or(u32::MAX));
    let row = PingRow {
        instance,
        sent: ping.count,
        answered: times.len(),
        min_seconds: times.iter().copied().min_by(f64::total_cmp),
        mean_seconds: (!times.is_empty()).then(|| times.iter().sum::<f64>() / count),
        max_seconds: times.iter().copied().max_by(f64::total_cmp),
        error: failed.as_ref().map(ToString::to_string),
    };
    (row, failed.map(Failure::from))
}
