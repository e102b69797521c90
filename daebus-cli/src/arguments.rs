//! The arguments of the program.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  the service answered with an error, or a check failed
  2  the arguments can't be used
  3  no such service or instance
  4  no answer within the timeout
  5  the bus can't be reached, or refuses
  130, 143  ended by Ctrl-C, or by SIGTERM";

/// Lists, calls, watches and measures the services on a Daebus bus.
#[derive(Debug, Parser)]
#[command(name = "daebus", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[arg(
        long,
        env = "DAEBUS_URL",
        hide_env_values = true,
        global = true,
        value_name = "URL",
        help = "URL of the bus [default: redis://127.0.0.1:6379]"
    )]
    pub(crate) bus: Option<String>,

    /// Print JSON, one object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the services that have a live instance
    Services,

    /// List the live instances of a service, or of all services
    Instances {
        /// Name of the service
        service: Option<String>,
    },

    /// Describe a service: its actions, channels, routes and schedules, with documentation and types
    Info {
        /// Name of the service
        service: String,

        /// Name of an action, whose JSON Schemas are printed
        action: Option<String>,
    },

    /// Print the counters and latencies of a service's handlers since each instance was started
    Stats {
        /// Name of the service
        service: String,
    },

    /// Measure the round-trip time to each instance of a service
    Ping(Ping),

    /// Call an action and print its answer
    Call(Call),

    /// Print the messages of channels
    Listen {
        /// Channel, or pattern such as `sensor.*`
        #[arg(required = true, value_name = "PATTERN", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        patterns: Vec<String>,

        /// Stop after this many messages
        #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
    },

    /// Publish a message to a channel
    Send {
        /// Name of the channel
        channel: String,

        /// JSON, `@FILE`, or `-` for standard input
        #[arg(value_name = "JSON")]
        payload: String,
    },

    /// Show rates, latencies, errors and drops of all instances, until q is pressed
    Top(Top),

    /// Call an action repeatedly, and report the rate and the latencies
    Bench(Bench),

    /// Check that the server of the bus is reachable, has the necessary rights, and loses no messages by its settings
    Check,

    /// Print a script that completes the arguments in a shell
    Completions {
        /// Shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Ping {
    /// Name of the service
    pub(crate) service: String,

    /// Number of requests to each instance
    #[arg(long, short = 'n', value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,

    /// Time between two requests to an instance
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = duration)]
    pub(crate) interval: Duration,

    /// Time limit of each request
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// Name of the service
    pub(crate) service: String,

    /// Name of the action
    pub(crate) action: String,

    /// Payload: JSON, `@FILE`, or `-` for standard input
    #[arg(default_value = "{}", value_name = "JSON")]
    pub(crate) payload: String,

    /// Call this instance
    #[arg(long, value_name = "INSTANCE", conflicts_with = "all")]
    pub(crate) on: Option<String>,

    /// Call every instance
    #[arg(long)]
    pub(crate) all: bool,

    /// Time limit of the call
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// Header of the request; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    pub(crate) header: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Name of the service
    pub(crate) service: String,

    /// Name of the action
    pub(crate) action: String,

    /// Payload: JSON, `@FILE`, or `-` for standard input
    #[arg(default_value = "{}", value_name = "JSON")]
    pub(crate) payload: String,

    /// Number of calls in flight
    #[arg(long, short, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) concurrency: u32,

    /// Duration of the measurement
    #[arg(long, short, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,

    /// Time limit of each call
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Name of a service; all services are shown without it
    pub(crate) service: Option<String>,

    /// Time between two updates
    #[arg(long, short, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub(crate) interval: Duration,

    /// Stop after this many updates
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

/// Reads a duration such as `200ms`, `5s` or `1m 30s`. A number without a unit is in seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => text.parse::<jiff::SignedDuration>().ok().and_then(|signed| signed.try_into().ok()),
    };
    match duration {
        Some(duration) if !duration.is_zero() => Ok(duration),
        Some(_) => Err("the duration must be greater than zero".into()),
        None => Err("expected a duration such as 200ms, 5s or 1m".into()),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations_have_units_or_are_in_seconds() {
        for (text, millis) in [("200ms", 200), ("5s", 5_000), ("1m 30s", 90_000), ("2", 2_000), ("0.5", 500)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "0", "0s", "-1s", "-1", "5 apples", "NaN", "1e30"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_header_has_a_name() {
        assert_eq!(header("tenant=a=b"), Ok(("tenant".into(), "a=b".into())));
        assert!(header("tenant").is_err() && header("=a").is_err());
    }
}
