//! `daebus bench`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use daebus_caller::{CallError, Caller};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

use crate::arguments::Bench;
use crate::call::explained;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::{BOLD, Output, YELLOW, short};

/// The longest latency that is recorded; a call has a time limit far below.
const MAX_MICROS: u64 = 3_600_000_000;

/// How often the progress bar is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// What was measured.
#[derive(Debug, Serialize)]
struct Measurement {
    service: String,
    action: String,
    concurrency: u32,
    seconds: f64,
    /// Calls that were answered with success.
    answered: u64,
    calls_per_second: f64,
    latency_seconds: Latency,
    /// How many calls failed, by the reason.
    failed: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Latency {
    min: f64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

/// The calls that have ended.
#[derive(Debug)]
struct Calls {
    latencies: Histogram<u64>,
    failed: BTreeMap<String, u64>,
}

pub(crate) async fn run(
    connection: &Connection,
    output: Output,
    bench: Bench,
    payload: Value,
) -> Result<(), Failure> {
    let caller = connection.caller(&bench.service).timeout(bench.timeout);
    // The first call reports an unknown service or action, and connects the inbox before the measurement.
    if let Err(error) = call(&caller, &bench.action, &payload).await {
        return Err(explained(connection, &bench.service, &bench.action, error).await);
    }
    let bar = progress_bar(output, bench.duration);
    let (answered, started) = (AtomicU64::new(0), Instant::now());
    let measuring = measure(&caller, &bench, &payload, &answered, started);
    let drawing = async {
        loop {
            tokio::time::sleep(DRAW_EVERY).await;
            let elapsed = started.elapsed();
            bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            let rate = as_f64(answered.load(Ordering::Relaxed)) / elapsed.as_secs_f64();
            bar.set_message(format!("{rate:.0} calls/s"));
        }
    };
    let calls = tokio::select! {
        calls = measuring => calls,
        () = drawing => return Ok(()),
    };
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let measurement = Measurement::new(&bench, calls?, seconds);
    if output.is_json() {
        output.object(&measurement)?;
    } else {
        print(output, &measurement)?;
    }
    Ok(())
}

async fn call(caller: &Caller, action: &str, payload: &Value) -> Result<Value, CallError> {
    caller.send_request(action, payload).await
}

/// Keeps `concurrency` calls in flight for the duration. Calls that are then in flight are awaited.
async fn measure(
    caller: &Caller,
    bench: &Bench,
    payload: &Value,
    answered: &AtomicU64,
    started: Instant,
) -> Result<Calls, Failure> {
    let no_histogram = |error| Failure::Bus(format!("the latencies can't be recorded: {error}"));
    let latencies = Histogram::new_with_bounds(1, MAX_MICROS, 3).map_err(no_histogram)?;
    let mut calls = Calls { latencies, failed: BTreeMap::new() };
    let timed = || async {
        let began = Instant::now();
        let outcome = call(caller, &bench.action, payload).await;
        (began.elapsed(), outcome)
    };
    let mut in_flight: FuturesUnordered<_> = (0..bench.concurrency).map(|_| timed()).collect();
    while let Some((latency, outcome)) = in_flight.next().await {
        match outcome {
            Ok(_) => {
                answered.fetch_add(1, Ordering::Relaxed);
                calls.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(MAX_MICROS));
            }
            Err(error) => *calls.failed.entry(kind(&error)).or_default() += 1,
        }
        if started.elapsed() < bench.duration {
            in_flight.push(timed());
        }
    }
    Ok(calls)
}

/// Names the kind of an error, so that equal ones are counted together.
fn kind(error: &CallError) -> String {
    match error {
        CallError::Service(fault) | CallError::Fault(fault) => fault.code().unwrap_or("error").to_owned(),
        CallError::Timeout { .. } => "timeout".into(),
        CallError::NoService { .. } => "no_service".into(),
        CallError::InstanceLost { .. } => "instance_lost".into(),
        _ => "bus".into(),
    }
}

fn progress_bar(output: Output, duration: Duration) -> ProgressBar {
    let target = if output.is_json() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let length = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(length), target);
    match ProgressStyle::with_template("{bar:40} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Measurement {
    fn new(bench: &Bench, calls: Calls, seconds: f64) -> Self {
        let Calls { latencies, failed } = calls;
        let answered = latencies.len();
        let of_micros = |micros: u64| as_f64(micros) / 1e6;
        let quantile = |quantile: f64| of_micros(latencies.value_at_quantile(quantile));
        Self {
            service: bench.service.clone(),
            action: bench.action.clone(),
            concurrency: bench.concurrency,
            seconds,
            answered,
            calls_per_second: as_f64(answered) / seconds,
            latency_seconds: Latency {
                min: of_micros(latencies.min()),
                mean: latencies.mean() / 1e6,
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
                p999: quantile(0.999),
                max: of_micros(latencies.max()),
            },
            failed,
        }
    }
}

fn print(output: Output, measurement: &Measurement) -> std::io::Result<()> {
    let Measurement { answered, seconds, calls_per_second, concurrency, failed, latency_seconds, .. } =
        measurement;
    output.line(&format!(
        "{BOLD}{calls_per_second:.0} calls/s{BOLD:#}, {answered} answered in {seconds:.1} s, {concurrency} in flight"
    ))?;
    let Latency { min, mean, p50, p90, p99, p999, max } = latency_seconds;
    let latencies = [
        ("min", min),
        ("mean", mean),
        ("p50", p50),
        ("p90", p90),
        ("p99", p99),
        ("p99.9", p999),
        ("max", max),
    ];
    for (name, seconds) in latencies {
        output.line(&format!("  {name:<6} {:>9}", short(Duration::from_secs_f64(*seconds))))?;
    }
    for (kind, count) in failed {
        output.line(&format!("  {YELLOW}{count} failed: {kind}{YELLOW:#}"))?;
    }
    Ok(())
}

/// Converts a count, exactly up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts and microseconds are below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
