//! Command-line arguments of every service, for an application's clap parser.

use std::path::PathBuf;

use super::setting::Setting;

/// The heading of the flags in `--help`. Each flag sets it, since a heading for all following flags would include those of the
/// application.
const HEADING: &str = "Service";

/// Settings of every service as command-line arguments, to be flattened into the arguments of an application.
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
/// let args = Args::parse_from([
///     "thermostat",
///     "--room",
///     "attic",
///     "--bus",
///     "memory://doc-args",
/// ]);
/// let app = Daebus::new("thermostat").args(&args.service).state(args.room);
/// # let _ = app;
/// ```
///
/// Each setting has up to five sources. From left to right, the first source with a value takes precedence:
///
/// | flag | environment variable | key in the file | in code | default |
/// |---|---|---|---|---|
/// | `--name` | `DAEBUS_NAME` | `name` | `Daebus::new(…)` | an error |
/// | `--bus` | `DAEBUS_URL` | `bus` | `.bus(…)` | the bus inside the process |
/// | `--http` | `DAEBUS_HTTP` | `http` | `Http::bind(…)` | no HTTP |
/// | `--ws` | `DAEBUS_WS` | `ws` | `WebSocket::new().bind(…)` or `.port(…)` | the address of HTTP, if a `WebSocket` is attached |
/// | `--log`, `--debug` | `DAEBUS_LOG`, `RUST_LOG` | `log` | | `info` |
/// | `--log-format` | `DAEBUS_LOG_FORMAT` | `log_format` | | `text` |
/// | `--drain` | `DAEBUS_DRAIN` | `drain` | `.drain(…)` | 30 s |
/// | `--config` | `DAEBUS_CONFIG` | | | no file |
///
/// An address may be a port only, which binds all IPv4 addresses. `--ws` gives WebSockets a server of their own. An
/// empty environment variable counts as unset.
///
/// The settings file is TOML. Its tables and lists of tables belong to the application, which reads them with
/// [`settings`](Self::settings). Any other top-level key must be in this list.
///
/// `--show-config` prints every setting with its source, with passwords masked, instead of running the service.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
// `--help` prints the documentation of the fields, so they have no backticks.
#[allow(clippy::doc_markdown, rustdoc::bare_urls)]
#[non_exhaustive]
pub struct ServiceArgs {
    /// The name of the service [env: DAEBUS_NAME]
    #[arg(help_heading = HEADING, long, value_name = "NAME")]
    pub name: Option<String>,
    /// The URL of the bus, such as redis://127.0.0.1:6379 [env: DAEBUS_URL]
    #[arg(help_heading = HEADING, long, value_name = "URL")]
    pub bus: Option<String>,
    /// The address of the HTTP server [env: DAEBUS_HTTP]
    #[arg(help_heading = HEADING, long, value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// The address of a separate WebSocket server [env: DAEBUS_WS]
    #[arg(help_heading = HEADING, long, value_name = "HOST:PORT")]
    pub ws: Option<String>,
    /// The log filter, such as info,my_app=debug [env: DAEBUS_LOG]
    #[arg(help_heading = HEADING, long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Log more: the same as --log debug
    #[arg(help_heading = HEADING, long, conflicts_with = "log")]
    pub debug: bool,
    /// The log format: text or json [env: DAEBUS_LOG_FORMAT]
    #[arg(help_heading = HEADING, long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// How long a stopping service waits for running handlers, such as 30s [env: DAEBUS_DRAIN]
    #[arg(help_heading = HEADING, long, value_name = "TIME")]
    pub drain: Option<String>,
    /// A TOML file with these settings [env: DAEBUS_CONFIG]
    #[arg(help_heading = HEADING, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print every setting and its source, then exit
    #[arg(help_heading = HEADING, long)]
    pub show_config: bool,
}

impl ServiceArgs {
    /// Returns the flag that sets a setting, and its value.
    pub(super) fn flag(&self, key: Setting) -> Option<(&'static str, String)> {
        let value = match key {
            Setting::Name => &self.name,
            Setting::Bus => &self.bus,
            Setting::Http => &self.http,
            Setting::Ws => &self.ws,
            Setting::Log if self.debug => return Some(("--debug", "debug".to_owned())),
            Setting::Log => &self.log,
            Setting::LogFormat => &self.log_format,
            Setting::Drain => &self.drain,
        };
        Some((key.flag(), value.clone()?))
    }
}
