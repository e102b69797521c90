use std::collections::BTreeMap;
use std::time::Duration;

use daebus::prelude::*;
use daebus::{Feature, FeatureContext};
use parking_lot::Mutex;
use tokio::time::Instant;

/// A reading of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The value in the unit of the sensor.
    pub value: f64,
}

/// The latest reading of each sensor.
#[derive(Debug, Default)]
pub struct Store(Mutex<BTreeMap<String, (Reading, Instant)>>);

impl Store {
    /// Replaces the reading of a sensor.
    pub fn put(&self, sensor: &str, reading: Reading) {
        self.0.lock().insert(sensor.to_owned(), (reading, Instant::now()));
    }

    /// Returns the latest reading of a sensor.
    pub fn get(&self, sensor: &str) -> Option<Reading> {
        self.0.lock().get(sensor).map(|(reading, _)| *reading)
    }

    /// Returns the sensors whose latest reading is at least this old.
    pub fn silent_for(&self, silence: Duration) -> Vec<String> {
        let sensors = self.0.lock();
        let silent = sensors.iter().filter(|(_, (_, at))| at.elapsed() >= silence);
        silent.map(|(sensor, _)| sensor.clone()).collect()
    }
}

/// Open and close connections to databases or devices here.
impl Feature for Store {
    async fn start(&self, cx: &FeatureContext) -> Result<(), BoxError> {
        tracing::info!(service = cx.service(), "store opened");
        Ok(())
    }

    async fn stop(&self, _: &FeatureContext) -> Result<(), BoxError> {
        tracing::info!(sensors = self.0.lock().len(), "store closed");
        Ok(())
    }
}
