use std::time::Duration;

use daebus::clap::{self, Parser};
use daebus::{Daebus, ServiceArgs};
use my_service::{Options, app};

/// Stores the latest readings of sensors.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Seconds without a reading after which a sensor is reported
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    silence: u64,
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    let args = Args::parse();
    let options = Options { silence: Duration::from_secs(args.silence) };
    app(Daebus::new("my_service").args(&args.service), &options).run().await
}
