use std::sync::Arc;

use daebus::prelude::*;

use crate::{Reading, Store};

/// The payload of `get_reading`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetReading {
    /// The name of the sensor, the part of its channel after `sensors.`
    pub sensor: String,
}

/// An error of `get_reading`.
#[derive(Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum ReadingError {
    /// Code `unknown_sensor`.
    #[error("no reading of the sensor {sensor:?}")]
    UnknownSensor {
        /// The name of the sensor.
        sensor: String,
    },
}

/// The handlers of the service.
#[blueprint("sensors")]
pub mod sensors {
    use super::*;

    /// Stores the readings of every sensor.
    #[listen("sensors.*")]
    pub async fn on_reading(
        Payload(reading): Payload<Reading>,
        request: Request,
        State(store): State<Arc<Store>>,
    ) {
        let sensor = request.channel().trim_start_matches("sensors.");
        store.put(sensor, reading);
    }

    /// Returns the latest reading of a sensor.
    #[action("get_reading")]
    pub async fn get_reading(
        Payload(GetReading { sensor }): Payload<GetReading>,
        State(store): State<Arc<Store>>,
    ) -> Result<Reading, ReadingError> {
        store.get(&sensor).ok_or(ReadingError::UnknownSensor { sensor })
    }
}
