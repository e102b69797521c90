//! A follower: an action whose answer is a stream without an end.
//!
//! ```text
//! cargo run -p daebus-examples --bin logs                                   # on the Redis of this machine, or DAEBUS_URL
//! daebus call log_service follow '{"contains": "7"}'                        # in another terminal, until Ctrl-C
//! cargo run -p daebus-examples --bin logs -- follow 7                       # the same from a program
//! curl -N 'http://localhost:8080/logs?contains=7'                           # a line of JSON each; a browser shows them, too
//! curl -N -H 'accept: text/event-stream' 'http://localhost:8080/logs?contains=7'
//! ```
//!
//! Each follower reads at its own pace: while it doesn't read, its stream isn't polled, and it misses the lines that are older
//! than the last 1000.

use daebus::prelude::*;
use futures_util::{StreamExt as _, stream};
use tokio::sync::broadcast::{self, error::RecvError};

/// The lines of the log, for all followers.
#[derive(Debug, Clone)]
pub struct Log(broadcast::Sender<String>);

/// Selects lines.
#[derive(Debug, Serialize, Deserialize)]
pub struct Filter {
    /// A text that the lines contain.
    pub contains: String,
}

/// Why the log can't be followed.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum LogError {
    /// Every line contains the empty text.
    #[error("a filter has at least one character")]
    EmptyFilter,
}

/// The handlers of the service.
#[blueprint("logs")]
pub mod logs {
    use super::*;

    /// Returns the lines that contain a text, as they are written.
    #[action("follow")]
    #[route("/logs")]
    pub async fn follow(
        Payload(Filter { contains }): Payload<Filter>,
        State(log): State<Log>,
    ) -> Result<impl Stream<Item = Result<String, LogError>>, LogError> {
        if contains.is_empty() {
            return Err(LogError::EmptyFilter);
        }
        let lines = stream::unfold(log.0.subscribe(), |mut lines| async move {
            match lines.recv().await {
                Ok(line) => Some((line, lines)),
                Err(RecvError::Lagged(missed)) => Some((format!("… {missed} lines missed"), lines)),
                Err(RecvError::Closed) => None,
            }
        });
        let matching = move |line: &String| std::future::ready(line.contains(&contains));
        Ok(lines.filter(matching).map(Ok))
    }

    /// Writes a line ten times a second.
    #[thread("writer")]
    async fn write(State(log): State<Log>, running: Running) {
        let mut number = 0_u64;
        while running.is_running() {
            number += 1;
            // There may be no follower.
            let _ = log.0.send(format!("line {number}"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let bus = daebus_examples::bus_url()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {
            let log = Log(broadcast::channel(1000).0);
            let service = Daebus::new("log_service").bus(bus).state(log).register(logs::blueprint());
            service.attach(daebus_examples::http()?).run().await
        }
        ["follow", contains] => {
            let logs = logs::Caller::connect(&bus, "log_service").await?;
            let mut lines = logs.follow(&Filter { contains: (*contains).to_owned() }).await?;
            while let Some(line) = lines.next().await {
                println!("{}", line?);
            }
            Ok(())
        }
        _ => Err(BoxError::from("write nothing to run the service, or `follow 7` to follow its log").into()),
    }
}
