//! What all contenders have in common: the payloads, and the loop that measures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::sleep;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, BoxError>;

/// The payload of requests and replies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    pub i: u64,
}

impl Echo {
    /// Checks that a reply has the number of its request.
    pub fn check(self, i: u64) -> Result<()> {
        if self.i == i { Ok(()) } else { Err(format!("{} was answered with {}", i, self.i).into()) }
    }
}

/// How long to measure, in seconds.
#[derive(Debug, Clone, Copy, Args)]
pub struct Time {
    #[arg(long, default_value_t = 0.25)]
    pub warm_up: f64,
    #[arg(long, default_value_t = 1.0)]
    pub seconds: f64,
}

/// What a contender has measured.
pub struct Measured {
    /// How often per second.
    pub rate: f64,
    /// CPU time of this process for each, in microseconds.
    pub cpu: f64,
}

impl Measured {
    pub fn print(self) {
        println!("rate {}\ncpu {}", self.rate, self.cpu);
    }
}

/// Repeats `call` in so many tasks, each awaiting its call before the next. Returns the calls per second after the
/// warm-up, or the first error.
pub async fn drive<F>(
    in_flight: usize,
    time: Time,
    call: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Result<Measured>
where
    F: Future<Output = Result<()>> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::<Result<()>>::new();
    for _ in 0..in_flight {
        let (call, done) = (call.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            for i in 0.. {
                call(i).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    tokio::select! {
        measured = measure(&done, time) => measured,
        Some(ended) = tasks.join_next() => {
            ended??;
            Err("a caller ended before its time".into())
        }
    }
}

/// Measures how a counter grows after the warm-up.
pub async fn measure(counter: &AtomicU64, time: Time) -> Result<Measured> {
    sleep(Duration::from_secs_f64(time.warm_up)).await;
    let (before, cpu_before, began) = (counter.load(Ordering::Relaxed), cpu()?, Instant::now());
    sleep(Duration::from_secs_f64(time.seconds)).await;
    let count = (counter.load(Ordering::Relaxed) - before) as f64;
    if count == 0.0 {
        return Err("nothing was done within the time of the measurement".into());
    }
    Ok(Measured { rate: count / began.elapsed().as_secs_f64(), cpu: (cpu()? - cpu_before) / count })
}

/// CPU time of this process, in microseconds.
fn cpu() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, may contain spaces. User and system time are fields 14 and 15, in 1/100 s.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.map(str::parse::<f64>).sum::<std::result::Result<_, _>>()?;
    Ok(ticks * 10_000.0)
}

/// Reports that a server serves, and waits until the harness closes the standard input.
pub async fn serve_until_closed(address: impl std::fmt::Display) -> Result<()> {
    println!("ready {address}");
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
