//! A kiosk: a page that the service itself serves, with a live reading over a WebSocket and a button that calls back.
//!
//! ```text
//! cargo run -p daebus-examples --bin kiosk        # then open http://127.0.0.1:8080
//! ```
//!
//! The reading is simulated, and the page says so. `DAEBUS_HTTP` is the address to listen on; `127.0.0.1:0` takes a free
//! port, and a line on the standard output says which. With `DAEBUS_WS` the WebSockets have an address of their own, on the same host.
//! It needs no Redis. Stop the service and start it again: the page comes back by itself.

mod page;
mod sensor;

use std::sync::Arc;

use daebus::prelude::*;
use daebus::{Error, Service};
use parking_lot::Mutex;
use tokio::signal::ctrl_c;

use page::Door;
use sensor::{Reading, Sensor};

/// What the handlers share.
#[derive(Debug, Clone, Default)]
pub struct Room(Arc<Mutex<Sensor>>);

impl Room {
    fn with<T>(&self, look: impl FnOnce(&mut Sensor) -> T) -> T {
        look(&mut self.0.lock())
    }
}

/// What a page shows when it opens.
#[derive(Debug, Serialize)]
pub struct Welcome {
    readings: Vec<Reading>,
    lamp: bool,
}

/// Whether the lamp is on.
#[derive(Debug, Serialize)]
pub struct Lamp {
    lamp: bool,
}

/// The kiosk's handlers.
#[blueprint("kiosk")]
pub mod kiosk {
    use super::*;

    /// A page has connected; the answer brings it up to date.
    #[socket_connect]
    pub async fn welcome(State(room): State<Room>) -> Welcome {
        room.with(|sensor| Welcome { readings: sensor.readings(), lamp: sensor.lamp() })
    }

    /// The button. Whoever pressed it is answered, and every page sees the lamp change.
    #[socket("switch_lamp")]
    pub async fn switch_lamp(State(room): State<Room>, sockets: Sockets) -> Result<Lamp, BoxError> {
        let lamp = Lamp { lamp: room.with(Sensor::switch_lamp) };
        sockets.broadcast("lamp", &lamp)?;
        Ok(lamp)
    }

    /// Two readings a second, to every page.
    #[background("measure", 0.5)]
    pub async fn measure(State(room): State<Room>, sockets: Sockets) -> Result<(), BoxError> {
        sockets.broadcast("reading", room.with(Sensor::measure))?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let door = Door::default();
    let service = Daebus::new("kiosk")
        .bus("memory://kiosk")
        .state(Room::default())
        .state(door.clone())
        .register(kiosk::blueprint())
        .register(page::blueprint())
        .attach(daebus_examples::http()?)
        .attach(daebus_examples::web_socket()?)
        .start()
        .await?;
    door.is_at(service.socket_addr());
    if let Some(address) = service.http_addr() {
        println!("the kiosk is at http://{address}");
    }
    until_stopped(service).await
}

/// What `run` does; but that doesn't return before the end, and the addresses are wanted at the beginning.
async fn until_stopped(service: Service) -> daebus::Result<()> {
    #[cfg(unix)]
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(Error::Signal)?;
    #[cfg(unix)]
    let terminated = terminate.recv();
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        interrupted = ctrl_c() => interrupted.map_err(Error::Signal)?,
        _ = terminated => {}
    }
    service.stop().await
}
