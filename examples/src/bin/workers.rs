//! One caller and three workers, one of which is killed while it works.
//!
//! ```text
//! cargo run -p daebus-examples --bin workers             # Redis on this machine, or DAEBUS_URL
//! ```
//!
//! The program starts the workers as processes of their own: instances of the service `workers`. Calls are spread over them.
//! The calls in flight on the killed worker are repeated on the others once its presence has expired, after 10 to 20 s.
//! The program is a service too, `dispatcher`, whose schedule calls all workers every second.

use std::collections::BTreeMap;
use std::io;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use daebus::prelude::*;

const WORKERS: usize = 3;
const NUMBERS: u64 = 300;

/// A number and its square.
#[derive(Debug, Serialize, Deserialize)]
pub struct Squared {
    square: u64,
    /// The worker's process.
    by: u32,
}

/// How many numbers this worker has squared.
#[derive(Debug, Clone, Default)]
pub struct Done(Arc<AtomicU64>);

/// The handlers of a worker, and its caller.
#[blueprint("workers")]
pub mod workers {
    use super::*;

    /// Squares a number after a delay. It is idempotent, so a call is sent to another worker if its worker is lost.
    #[action("square", idempotent, concurrency = 4)]
    pub async fn square(Payload(number): Payload<u64>, State(done): State<Done>) -> Squared {
        tokio::time::sleep(Duration::from_millis(50)).await;
        done.0.fetch_add(1, Ordering::Relaxed);
        Squared { square: number * number, by: std::process::id() }
    }

    /// Returns how many numbers this worker has squared.
    #[action("count", idempotent)]
    pub async fn count(State(done): State<Done>) -> u64 {
        done.0.load(Ordering::Relaxed)
    }
}

/// A periodic call to all workers.
#[background("report", every = "1s")]
async fn report(callers: Callers) -> Result<(), BoxError> {
    let workers = workers::Caller::new(callers.to("workers"));
    for (worker, count) in workers.count().timeout(Duration::from_secs(2)).on_all().await? {
        match count {
            Ok(count) => println!("{worker} has squared {count} numbers"),
            Err(error) => println!("{worker} does not answer: {error}"),
        }
    }
    Ok(())
}

/// The process of a worker. Dropping it kills the process.
struct Worker(Child);

impl Worker {
    fn start() -> io::Result<Self> {
        Command::new(std::env::current_exe()?).arg("worker").spawn().map(Self)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn work(url: String) -> daebus::Result<()> {
    Daebus::new("workers").bus(url).state(Done::default()).register(workers::blueprint()).run().await
}

async fn dispatch(url: String) -> Result<(), BoxError> {
    let dispatcher = Daebus::new("dispatcher").bus(url).register(blueprint_of!["dispatcher"; report]);
    let mut processes: Vec<Worker> = (0..WORKERS).map(|_| Worker::start()).collect::<Result<_, _>>()?;
    let dispatcher = dispatcher.start().await?;
    // Longer than it takes to detect a killed worker.
    let caller = dispatcher.callers().to("workers").timeout(Duration::from_secs(60));
    caller.wait_for(WORKERS, Duration::from_secs(20)).await?;

    let workers = workers::Caller::new(caller);
    let jobs: Vec<_> = (1..=NUMBERS).map(|number| workers.square(&number).spawn()).collect();
    let (mut sum, mut shares) = (0, BTreeMap::<u32, u32>::new());
    for (answered, job) in jobs.into_iter().enumerate() {
        if answered == 30 {
            let killed = processes.swap_remove(0);
            println!("killing worker {}", killed.0.id());
        }
        let Squared { square, by } = job.await?;
        sum += square;
        *shares.entry(by).or_default() += 1;
    }
    println!("the sum of {NUMBERS} squares is {sum}");
    for (worker, share) in shares {
        println!("worker {worker} answered {share} calls");
    }
    dispatcher.stop().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let url = daebus_examples::bus_url()?;
    match std::env::args().nth(1).as_deref() {
        Some("worker") => work(url).await,
        _ => Ok(dispatch(url).await?),
    }
}
