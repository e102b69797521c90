//! Repeats the credit of one side, and ends a session whose peer is silent or idle.

use tokio::time::{Instant, sleep_until};

use super::Session;
use super::error::SessionError;
use super::limits::BEAT;
use super::state::Due;
use crate::error::BusError;
use crate::wire::SessionMessage;

impl Session {
    /// Sends credit when it is due, and watches the limits. Returns when the session is over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the heartbeat only.
    pub async fn keep(&self) {
        loop {
            let woken = self.0.due.notified();
            let due = self.0.state.lock().due(Instant::now());
            match due {
                Due::Over => return,
                Due::Failed(error) => self.fail(error),
                Due::Credit => self.beat().await,
                Due::Nothing(until) => {
                    tokio::select! {
                        () = woken => {}
                        () = sleep_until(until) => {}
                    }
                }
            }
        }
    }

    async fn beat(&self) {
        let deadline = Instant::now() + BEAT;
        // A bus that is away is left to the limit on the peer's silence.
        let transport = &self.0.transport;
        let write = || {
            let mut state = self.0.state.lock();
            let message = SessionMessage::Credit(state.report());
            state.has_sent();
            drop(state);
            transport.write(&message)
        };
        match transport.publish(deadline, write).await {
            Ok(_) => {}
            Err(error @ (BusError::Away { .. } | BusError::Full { .. })) => {
                tracing::debug!(%error, "the credit of a session was not sent");
                return;
            }
            Err(error) => return self.fail(SessionError::Bus(error)),
        }
        let end = self.0.state.lock().sent_end.clone();
        if let Some(end) = end {
            // The first one may have been lost with the peer's connection.
            let _ = transport.publish(deadline, || transport.write(&end)).await;
        }
    }
}
