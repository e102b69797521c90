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
    /// Everything from the arguments, the name too.
    #[arg(long)]
    nothing_in_code: bool,
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
