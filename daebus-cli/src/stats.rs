//! `daebus stats`.

use std::time::Duration;

use daebus_caller::Instance;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::directory;
use crate::failure::Failure;
use crate::output::{BOLD, Output, RED, YELLOW, short, uptime};
use crate::report::{HandlerStats, StatsReport, report_of};

/// How long an instance may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn run(connection: &Connection, output: Output, service: &str) -> Result<(), Failure> {
    let instances = directory::of_service(connection, service).await?;
    if instances.is_empty() {
        return Err(directory::no_service(connection, service).await);
    }
    let answers =
        instances.iter().map(|Instance { id, .. }| report_of(connection, service, id, "$stats", TIMEOUT));
    let mut failures = Vec::new();
    for (at, (Instance { id, .. }, answer)) in instances.iter().zip(join_all(answers).await).enumerate() {
        match answer {
            Ok(answer) if output.is_json() => output.object(&answer)?,
            Ok(answer) => {
                if at > 0 {
                    output.line("")?;
                }
                print(output, id.as_str(), answer)?;
            }
            Err(error) => {
                if output.is_json() {
                    output.object(&json!({"id": id, "error": error.to_string()}))?;
                } else {
                    output.line(&format!("{BOLD}{id}{BOLD:#}  {RED}{error}{RED:#}"))?;
                }
                failures.push(Failure::from(error));
            }
        }
    }
    Failure::of_instances(&failures, instances.len())
}

fn print(output: Output, id: &str, answer: Value) -> Result<(), Failure> {
    let report: StatsReport = serde_json::from_value(answer)
        .map_err(|error| Failure::Bus(format!("the answer of {id} can't be read: {error}")))?;
    // Whole seconds are enough.
    let up = uptime(Duration::try_from_secs_f64(report.uptime_seconds).unwrap_or_default().as_secs());
    output.line(&format!("{BOLD}{id}{BOLD:#}  up {up}"))?;
    let header = ["HANDLER", "KIND", "REQUESTS", "ERRORS", "IN FLIGHT", "MEAN", "P99", "LAST ERROR"];
    output.table(header, &report.handlers, |handler| {
        let HandlerStats { kind, name, num_requests, num_errors, in_flight, .. } = handler;
        let time = |nanos| if *num_requests == 0 { "-".into() } else { short(Duration::from_nanos(nanos)) };
        [
            name.clone(),
            kind.clone(),
            num_requests.to_string(),
            num_errors.to_string(),
            in_flight.to_string(),
            time(handler.average_processing_time),
            time(handler.p99_processing_time),
            handler.last_error.as_ref().map(|error| error.message.clone()).unwrap_or_default(),
        ]
    })?;
    let counts = [("waiting", &report.queues), ("refused", &report.refused), ("dropped", &report.dropped)];
    for (name, counts) in counts {
        let counts: Vec<String> = counts
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if !counts.is_empty() {
            output.line(&format!("{YELLOW}{name}:{YELLOW:#} {}", counts.join(", ")))?;
        }
    }
    Ok(())
}
