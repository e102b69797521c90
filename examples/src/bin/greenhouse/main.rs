//! A greenhouse: a service with a thermometer and a lamp, for the example `kiosk` to show.
//!
//! ```text
//! cargo run -p daebus-examples --bin greenhouse    # beside a Redis on this machine
//! ```
//!
//! The readings are simulated. Each is published on `greenhouse.reading`, and each change of the lamp on `greenhouse.lamp`.
//! `DAEBUS_URL` names another Redis.

mod sensor;

use std::sync::Arc;

use daebus::prelude::*;
use parking_lot::Mutex;

use sensor::{Reading, Sensor};

/// What the handlers share.
#[derive(Debug, Clone, Default)]
pub struct Room(Arc<Mutex<Sensor>>);

impl Room {
    fn with<T>(&self, look: impl FnOnce(&mut Sensor) -> T) -> T {
        look(&mut self.0.lock())
    }
}

/// What a page needs when it opens.
#[derive(Debug, Serialize, Deserialize)]
pub struct GreenhouseState {
    readings: Vec<Reading>,
    lamp: bool,
}

/// Whether the lamp is on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lamp {
    lamp: bool,
}

/// The greenhouse's handlers.
#[blueprint("greenhouse")]
pub mod greenhouse {
    use super::*;

    /// Returns the readings of the last minute and whether the lamp is on.
    #[action("get_state", idempotent)]
    pub async fn get_state(State(room): State<Room>) -> GreenhouseState {
        room.with(|sensor| GreenhouseState { readings: sensor.readings(), lamp: sensor.lamp() })
    }

    /// Switches the lamp, and publishes its new state.
    #[action("switch_lamp")]
    pub async fn switch_lamp(State(room): State<Room>, channel: Broadcast) -> Result<Lamp, BoxError> {
        let lamp = Lamp { lamp: room.with(Sensor::switch_lamp) };
        channel.send("greenhouse.lamp", &lamp).await?;
        Ok(lamp)
    }

    /// Publishes two readings a second.
    #[background("measure", 0.5)]
    pub async fn measure(State(room): State<Room>, channel: Broadcast) -> Result<(), BoxError> {
        channel.send("greenhouse.reading", room.with(Sensor::measure)).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("greenhouse")
        .bus(daebus_examples::bus_url()?)
        .state(Room::default())
        .register(greenhouse::blueprint())
        .run()
        .await
}
