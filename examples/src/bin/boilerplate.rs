//! A template of a service in one file: command line, feature, repeater, listener, publisher.
//!
//! ```text
//! cargo run -p daebus-examples --bin boilerplate -- --bus memory:// --room attic --every 1
//! cargo run -p daebus-examples --bin boilerplate -- --help
//! cargo run -p daebus-examples --bin boilerplate -- --show-config
//! ```
//!
//! A thermometer publishes the temperature of its room and records that of every other thermometer on the bus.
//! `cargo xtask new my-service ../my-service` creates a project with tests, a systemd unit and CI instead.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use daebus::clap::{self, Parser};
use daebus::prelude::*;
use daebus::{Feature, FeatureContext, Repeater, ServiceArgs};
use parking_lot::Mutex;
use tracing::info;

/// Publishes the temperature of a room, and records that of every room.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// The room of this thermometer
    #[arg(long, default_value = "kitchen")]
    room: String,
    /// Seconds between two readings
    #[arg(long, default_value_t = 5)]
    every: u64,
}

/// The temperature of a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    room: String,
    celsius: f64,
}

/// The feature: the latest readings of each room.
#[derive(Debug, Default)]
pub struct History(Mutex<BTreeMap<String, VecDeque<f64>>>);

/// The maximum number of readings per room.
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
        // A real service would open its database here.
        info!("history of {} opened", cx.service());
        Ok(())
    }

    async fn stop(&self, _: &FeatureContext) -> Result<(), BoxError> {
        let rooms = self.0.lock().len();
        // A real service would close its database here.
        info!("history of {rooms} rooms closed");
        Ok(())
    }
}

/// The repeater: reads the sensor and publishes the reading.
struct Thermometer {
    room: String,
    every: Duration,
    celsius: f64,
}

impl Repeater for Thermometer {
    async fn prepare(&mut self, _: &FeatureContext) -> Result<(), BoxError> {
        // A real service would connect to its sensor here.
        info!("simulating the sensor");
        self.celsius = 20.0;
        Ok(())
    }

    async fn run(&mut self, cx: &FeatureContext) -> Result<(), BoxError> {
        tokio::time::sleep(self.every).await;
        self.celsius = 20.0 + (self.celsius - 19.5) % 2.0;
        let reading = Reading { room: self.room.clone(), celsius: self.celsius };
        // If the bus is away, this run fails, and the next one follows after a delay.
        cx.broadcast().send(&format!("temperature.{}", self.room), &reading).await?;
        Ok(())
    }
}

/// The handlers of the service.
#[blueprint("thermometer")]
pub mod thermometer {
    use super::*;

    /// The listener: records the readings of every thermometer on the bus, including this one.
    #[listen("temperature.*")]
    pub async fn on_reading(Payload(reading): Payload<Reading>, State(history): State<Arc<History>>) {
        info!("{}: {} °C", reading.room, reading.celsius);
        history.add(reading);
    }

    /// Returns the latest readings of a room, oldest first.
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
