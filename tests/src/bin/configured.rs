//! A service that takes its settings from wherever they are said, for the tests of that.

use daebus::clap::{self, Parser};
use daebus::prelude::*;
use daebus::{Error, ServiceArgs};

/// Is configured in every way.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// The application's own.
    #[arg(long, default_value = "kitchen")]
    room: String,
    /// Print the pins of the sensors in the file, then end.
    #[arg(long)]
    pins: bool,
    /// Everything from the arguments, the name too.
    #[arg(long)]
    nothing_in_code: bool,
}

/// The application's part of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    sensors: Vec<Sensor>,
    #[serde(default)]
    room: Room,
}

#[derive(Deserialize)]
struct Sensor {
    pin: u8,
}

#[derive(Deserialize, Default)]
struct Room {
    name: String,
}

/// The room.
#[action("room")]
async fn room(State(room): State<String>) -> String {
    room
}

/// A page.
#[route("/room")]
async fn page(State(room): State<String>) -> String {
    room
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let args = Args::parse();
    if args.pins {
        let settings: Settings = args.service.settings()?;
        let pins: Vec<String> = settings.sensors.iter().map(|sensor| sensor.pin.to_string()).collect();
        println!("{} {}", settings.room.name, pins.join(" "));
        return Ok(());
    }
    let app = if args.nothing_in_code {
        Daebus::from_args(&args.service)
    } else {
        Daebus::new("configured")
            .args(&args.service)
            .bus("memory://code")
            .drain(Duration::from_secs(7))
            .attach(Http::bind("127.0.0.1:0").service_routes(false))
    };
    app.state(args.room).register(blueprint_of!["b"; room, page]).run().await
}
