//! The arguments that every service has, for an application's own parser.

use std::path::PathBuf;

use super::setting::Setting;

/// Above the service's flags in `--help`. On each of them: a heading for all that follow would hold for the application's
/// flags too.
const HEADING: &str = "Service";

/// The arguments that every service has, to be flattened into an application's own.
///
/// ```
/// use daebus::clap::{self, Parser};
/// use daebus::{Daebus, ServiceArgs};
///
/// /// Keeps a room warm.
/// #[derive(Parser)]
/// struct Args {
///     #[command(flatten)]
///     service: ServiceArgs,
///
///     /// Which room.
///     #[arg(long, default_value = "kitchen")]
///     room: String,
/// }
///
/// let args = Args::parse_from(["thermostat", "--room", "attic", "--bus", "memory://doc-args"]);
/// let app = Daebus::new("thermostat").args(&args.service).state(args.room);
/// # let _ = app;
/// ```
///
/// Each can be said in four more places. The first that says it counts:
///
/// | flag | variable | key in the file | in the code | unless said |
/// |---|---|---|---|---|
/// | `--name` | `DAEBUS_NAME` | `name` | `Daebus::new(…)` | an error |
/// | `--bus` | `DAEBUS_URL` | `bus` | `.bus(…)` | the bus inside the process |
/// | `--http` | `DAEBUS_HTTP` | `http` | `Http::bind(…)` | no HTTP |
/// | `--ws` | `DAEBUS_WS` | `ws` | `WebSocket::new().bind(…)` or `.port(…)` | with HTTP, where one is attached |
/// | `--log`, `--debug` | `DAEBUS_LOG`, `RUST_LOG` | `log` | | `info` |
/// | `--log-format` | `DAEBUS_LOG_FORMAT` | `log_format` | | `text` |
/// | `--drain` | `DAEBUS_DRAIN` | `drain` | `.drain(…)` | 30 s |
/// | `--config` | `DAEBUS_CONFIG` | | | no file |
///
/// An address may be a port alone, which means every address of the machine. `--ws` is for WebSockets that have a
/// server of their own.
///
/// The file is TOML. Its tables and lists of tables are the application's, which reads them with
/// [`settings`](Self::settings); a key of its own that isn't in this list is a mistake. A
/// variable that is empty counts as unset. `--show-config` prints every value and where it was said, passwords
/// masked, instead of running the service.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
// The fields' documentation is what `--help` prints, where backticks would only be in the way.
#[allow(clippy::doc_markdown, rustdoc::bare_urls)]
#[non_exhaustive]
pub struct ServiceArgs {
    /// The name of the service [env: DAEBUS_NAME]
    #[arg(help_heading = HEADING, long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where the bus is, as in redis://127.0.0.1:6379 [env: DAEBUS_URL]
    #[arg(help_heading = HEADING, long, value_name = "URL")]
    pub bus: Option<String>,
    /// Where HTTP is answered [env: DAEBUS_HTTP]
    #[arg(help_heading = HEADING, long, value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// Where WebSockets have a server of their own [env: DAEBUS_WS]
    #[arg(help_heading = HEADING, long, value_name = "HOST:PORT")]
    pub ws: Option<String>,
    /// What is logged, as in info,my_app=debug [env: DAEBUS_LOG]
    #[arg(help_heading = HEADING, long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Log more: the same as --log debug
    #[arg(help_heading = HEADING, long, conflicts_with = "log")]
    pub debug: bool,
    /// How a line of the log is written: text or json [env: DAEBUS_LOG_FORMAT]
    #[arg(help_heading = HEADING, long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// How long a stopping service waits for what runs, as in 30s [env: DAEBUS_DRAIN]
    #[arg(help_heading = HEADING, long, value_name = "TIME")]
    pub drain: Option<String>,
    /// A TOML file that may say all of this too [env: DAEBUS_CONFIG]
    #[arg(help_heading = HEADING, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print every value and where it was said, then end
    #[arg(help_heading = HEADING, long)]
    pub show_config: bool,
}

impl ServiceArgs {
    /// What the flags say of a setting, and which one says it.
    pub(super) fn flag(&self, key: Setting) -> Option<(&'static str, String)> {
        let said = match key {
            Setting::Name => &self.name,
            Setting::Bus => &self.bus,
            Setting::Http => &self.http,
            Setting::Ws => &self.ws,
            Setting::Log if self.debug => return Some(("--debug", "debug".to_owned())),
            Setting::Log => &self.log,
            Setting::LogFormat => &self.log_format,
            Setting::Drain => &self.drain,
        };
        Some((key.flag(), said.clone()?))
    }
}
