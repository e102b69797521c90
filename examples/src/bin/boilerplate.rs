//! A service to start from, in one file: arguments of its own, a feature, a repeater, a listener, a publisher.
//!
//! ```text
//! cargo run -p daebus-examples --bin boilerplate -- --bus memory:// --room attic --every 1
//! cargo run -p daebus-examples --bin boilerplate -- --help
//! cargo run -p daebus-examples --bin boilerplate -- --show-config
//! ```
//!
//! A thermometer says how warm its room is, and every thermometer on the bus is heard. For a project of its own with
//! tests, a systemd unit and CI: `cargo xtask new my-service ../my-service`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use daebus::clap::{self, Parser};
use daebus::prelude::*;
use daebus::{Feature, FeatureContext, Repeater, ServiceArgs};
use parking_lot::Mutex;
use tracing::info;

/// Says how warm it is, and listens to others who do.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Which room this thermometer is in
    #[arg(long, default_value = "kitchen")]
    room: String,
    /// How often it says how warm it is, in seconds
    #[arg(long, default_value_t = 5)]
    every: u64,
}

/// How warm a room is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    room: String,
    celsius: f64,
}

/// The feature: the last readings of each room, which outlive the requests that ask for them.
#[derive(Debug, Default)]
pub struct History(Mutex<BTreeMap<String, VecDeque<f64>>>);

/// How many readings of a room are kept.
const KEPT: usize = 100;

impl History {
    fn add(&self, Reading { room, celsius }: Reading) {
        let mut rooms = self.0.lock();
        let readings = rooms.entry(room).or_default();
        readings.push_back(celsius);
        if readings.len() > KEPT {
            readings.pop_front();
        }
    }

    fn of(&self, room: &str) -> Vec<f64> {
        let rooms = self.0.lock();
        rooms.get(room).into_iter().flatten().copied().collect()
    }
}

impl Feature for History {
    async fn start(&self, cx: &FeatureContext) -> Result<(), BoxError> {
        info!("{} begins to remember; a real one would open its database here", cx.service());
        Ok(())
    }

    async fn stop(&self, _: &FeatureContext) -> Result<(), BoxError> {
        let rooms = self.0.lock().len();
        info!("readings of {rooms} rooms are forgotten; a real one would close its database here");
        Ok(())
    }
}

/// The repeater, which is the publisher too: reads the sensor and says what it reads.
struct Thermometer {
    room: String,
    every: Duration,
    celsius: f64,
}

impl Repeater for Thermometer {
    async fn prepare(&mut self, _: &FeatureContext) -> Result<(), BoxError> {
        info!("a real one would connect to its sensor here; this one makes its readings up");
        self.celsius = 20.0;
        Ok(())
    }

    async fn run(&mut self, cx: &FeatureContext) -> Result<(), BoxError> {
        tokio::time::sleep(self.every).await;
        self.celsius = 20.0 + (self.celsius - 19.5) % 2.0;
        let reading = Reading { room: self.room.clone(), celsius: self.celsius };
        // A bus that is away is an error of this run; the next one tries again.
        cx.broadcast().send(&format!("temperature.{}", self.room), &reading).await?;
        Ok(())
    }
}

/// The handlers of the service.
#[blueprint("thermometer")]
pub mod thermometer {
    use super::*;

    /// The listener: hears every thermometer on the bus, this one's own included.
    #[listen("temperature.*")]
    pub async fn on_reading(Payload(reading): Payload<Reading>, State(history): State<Arc<History>>) {
        info!("{}: {} °C", reading.room, reading.celsius);
        history.add(reading);
    }

    /// The last readings of a room, oldest first.
    #[action("history")]
    pub async fn history(Payload(room): Payload<String>, State(history): State<Arc<History>>) -> Vec<f64> {
        history.of(&room)
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    let Args { service, room, every } = Args::parse();
    let thermometer = Thermometer { room, every: Duration::from_secs(every), celsius: 0.0 };
    Daebus::new("thermometer")
        .args(&service)
        .feature(History::default())
        .repeater(thermometer)
        .register(thermometer::blueprint())
        .run()
        .await
}
