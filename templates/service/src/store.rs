use std::collections::BTreeMap;
use std::time::Duration;

use daebus::prelude::*;
use daebus::{Feature, FeatureContext};
use parking_lot::Mutex;
use tokio::time::Instant;

/// What a sensor says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// In the sensor's own unit.
    pub value: f64,
}

/// The last reading of each sensor.
#[derive(Debug, Default)]
pub struct Store(Mutex<BTreeMap<String, (Reading, Instant)>>);

impl Store {
    /// Keeps a reading in place of the one before.
    pub fn put(&self, sensor: &str, reading: Reading) {
        self.0.lock().insert(sensor.to_owned(), (reading, Instant::now()));
    }

    /// The last reading of a sensor.
    pub fn get(&self, sensor: &str) -> Option<Reading> {
        self.0.lock().get(sensor).map(|(reading, _)| *reading)
    }

    /// The sensors that have said nothing for that long.
    pub fn silent_for(&self, silence: Duration) -> Vec<String> {
        let sensors = self.0.lock();
        let silent = sensors.iter().filter(|(_, (_, at))| at.elapsed() >= silence);
        silent.map(|(sensor, _)| sensor.clone()).collect()
    }
}

/// Its life is that of the service: open here what takes time to open.
impl Feature for Store {
    async fn start(&self, cx: &FeatureContext) -> Result<(), BoxError> {
        tracing::info!("{} begins with an empty store", cx.service());
        Ok(())
    }

    async fn stop(&self, _: &FeatureContext) -> Result<(), BoxError> {
        tracing::info!("{} sensors reported", self.0.lock().len());
        Ok(())
    }
}
