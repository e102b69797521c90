//! A workflow: the service asks for the password while it connects.
//!
//! ```text
//! cargo run -p daebus-examples --bin wifi                      # the service, on the Redis of this machine or DAEBUS_URL
//! cargo run -p daebus-examples --bin wifi -- connect office    # in another terminal: asks for the password
//! ```

use std::io::Write as _;

use daebus::prelude::*;
use daebus::{DialogError, WorkflowReply};

/// A network to connect to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wifi {
    /// Its name.
    pub ssid: String,
}

/// A report of the workflow.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// It looks for the network.
    Scanning,
    /// It sends the password.
    Connecting,
}

/// A question of the workflow.
#[derive(Debug, Serialize, Deserialize)]
pub enum Question {
    /// The password of the network.
    Password {
        /// From 1.
        attempt: u32,
    },
}

/// The connection.
#[derive(Debug, Serialize, Deserialize)]
pub struct Connected {
    /// The network's name.
    pub ssid: String,
    /// The address in the network.
    pub address: String,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum WifiError {
    /// There is no such network.
    #[error("no network {ssid:?} is in range")]
    NotInRange {
        /// The network's name.
        ssid: String,
    },
    /// All attempts failed.
    #[error("the password was wrong three times")]
    WrongPassword,
    /// `question_unanswered` and `invalid_answer` reach the caller as they are.
    #[error(transparent)]
    #[fault(transparent)]
    #[serde(skip)]
    Dialog(#[from] DialogError),
}

/// The workflow, as its callers see it.
#[contract("wifi_service")]
pub trait Networks {
    /// Connects to a network, and asks for its password.
    #[workflow("connect_wifi", tell = Step, ask = Question)]
    async fn connect_wifi(wifi: Wifi) -> Result<Connected, WifiError>;
}

/// The handlers of the service.
#[blueprint("wifi", contract = Networks)]
pub mod wifi {
    use super::*;

    /// Connects to the network `office`, whose password is `secret`.
    #[workflow("connect_wifi", tell = Step, ask = Question)]
    pub async fn connect_wifi(
        Payload(Wifi { ssid }): Payload<Wifi>,
        mut dialog: Dialog,
    ) -> Result<Connected, WifiError> {
        dialog.tell(Step::Scanning).await?;
        if ssid != "office" {
            return Err(WifiError::NotInRange { ssid });
        }
        for attempt in 1..=3 {
            let password: String =
                dialog.ask_within(Question::Password { attempt }, Duration::from_secs(60)).await?;
            if password == "secret" {
                dialog.tell(Step::Connecting).await?;
                return Ok(Connected { ssid, address: "192.168.1.7".to_owned() });
            }
        }
        Err(WifiError::WrongPassword)
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let bus = daebus_examples::bus_url()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Daebus::new("wifi_service").bus(bus).register(wifi::blueprint()).run().await,
        ["connect", ssid] => Ok(connect(&bus, ssid).await?),
        _ => Err(BoxError::from("write nothing to run the service, or `connect office` to connect").into()),
    }
}

/// Runs the workflow, and answers its questions from the terminal.
async fn connect(bus: &str, ssid: &str) -> Result<(), BoxError> {
    let networks = NetworksCaller::connect(bus).await?;
    let mut session = networks.connect_wifi(&Wifi { ssid: ssid.to_owned() }).await?;
    while let Some(update) = session.next().await {
        match update {
            WorkflowUpdate::Tell(step) => println!("{step:?} …"),
            WorkflowUpdate::Ask { question: Question::Password { attempt }, reply } => {
                answer(attempt, &reply).await?;
            }
            WorkflowUpdate::Done(connected) => {
                let Connected { ssid, address } = connected?;
                println!("connected to {ssid} as {address}");
            }
        }
    }
    Ok(())
}

/// Reads the password on a thread of its own, since the terminal blocks.
async fn answer(attempt: u32, reply: &WorkflowReply) -> Result<(), BoxError> {
    let password = tokio::task::spawn_blocking(move || {
        print!("password (attempt {attempt}): ");
        std::io::stdout().flush()?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line.trim().to_owned())
    });
    Ok(reply.send(password.await??).await?)
}
