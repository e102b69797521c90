//! `daebus listen` and `daebus send`.

use daebus_caller::bus::{BusState, Message, Queue, QueueLimits, Topic};
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::{BOLD, FAINT, Output, printable};

/// Prints the messages of channels until `count` are printed or Ctrl-C ends the program.
pub(crate) async fn listen(
    connection: &Connection,
    output: Output,
    mut patterns: Vec<String>,
    count: Option<u64>,
) -> Result<(), Failure> {
    patterns.sort();
    patterns.dedup();
    let (queue, mut receiver) = Queue::drop_oldest(QueueLimits::default());
    let mut subscriptions = Vec::with_capacity(patterns.len());
    for pattern in &patterns {
        // Reserved channels may be listened to as well.
        subscriptions.push(connection.bus().subscribe(Topic::parse(pattern), queue.clone()).await?);
    }
    let location = connection.bus().location();
    output.note(&format!("listening to {} on {location}; Ctrl-C ends", patterns.join(", ")));
    let mut state = connection.bus().state();
    let (mut printed, mut dropped) = (0, 0);
    while count.is_none_or(|count| printed < count) {
        let message = tokio::select! {
            biased;
            message = receiver.recv() => message,
            Ok(()) = state.changed() => {
                match *state.borrow_and_update() {
                    BusState::Ready => output.note("connected again"),
                    BusState::Away => output.note("the connection is lost; messages are missed until it is restored"),
                    BusState::Closed => {}
                }
                continue;
            }
        };
        let Some(message) = message else {
            return Err(Failure::Bus(format!("the bus at {location} has closed the subscription")));
        };
        if queue.dropped() > dropped {
            output.note(&format!("{} messages were not printed in time", queue.dropped() - dropped));
            dropped = queue.dropped();
        }
        print(output, &message)?;
        printed += 1;
    }
    Ok(())
}

fn print(output: Output, message: &Message) -> std::io::Result<()> {
    let Message { channel, payload, .. } = message;
    let text = String::from_utf8_lossy(payload);
    if !output.is_json() {
        let time = Zoned::now().strftime("%H:%M:%S%.3f").to_string();
        return output.line(&format!(
            "{FAINT}{time}{FAINT:#}  {BOLD}{}{BOLD:#}  {}",
            printable(channel),
            printable(&text)
        ));
    }
    let time = Timestamp::now().to_string();
    match serde_json::from_str::<Value>(&text) {
        Ok(payload) => output.object(&json!({"time": time, "channel": &**channel, "payload": payload})),
        Err(_) => output.object(&json!({"time": time, "channel": &**channel, "text": text})),
    }
}

/// Publishes a message, and prints how many connections received it.
pub(crate) async fn send(
    connection: &Connection,
    output: Output,
    channel: &str,
    payload: &Value,
) -> Result<(), Failure> {
    // The name of the service is not used for a message to a channel.
    let receivers = connection.caller("daebus-cli").send_message(channel, payload).await?;
    if output.is_json() {
        output.object(&json!({"channel": channel, "receivers": receivers}))?;
    } else {
        let s = if receivers == 1 { "" } else { "s" };
        output.line(&format!("{receivers} receiver{s}"))?;
    }
    Ok(())
}
