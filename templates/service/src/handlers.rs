use std::sync::Arc;

use daebus::prelude::*;

use crate::{Reading, Store};

/// Which sensor.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetReading {
    /// Its name, the channel's part behind `sensors.`
    pub sensor: String,
}

/// Why there is no reading.
#[derive(Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum ReadingError {
    /// On the bus: code `unknown_sensor`.
    #[error("nothing was heard of the sensor {sensor:?}")]
    UnknownSensor {
        /// The sensor.
        sensor: String,
    },
}

/// What reaches the service.
#[blueprint("sensors")]
pub mod sensors {
    use super::*;

    /// Hears every sensor; its name is in the channel's.
    #[listen("sensors.*")]
    pub async fn on_reading(
        Payload(reading): Payload<Reading>,
        request: Request,
        State(store): State<Arc<Store>>,
    ) {
        let sensor = request.channel().trim_start_matches("sensors.");
        store.put(sensor, reading);
    }

    /// The last reading of a sensor.
    #[action("get_reading")]
    pub async fn get_reading(
        Payload(GetReading { sensor }): Payload<GetReading>,
        State(store): State<Arc<Store>>,
    ) -> Result<Reading, ReadingError> {
        store.get(&sensor).ok_or(ReadingError::UnknownSensor { sensor })
    }
}
