//! Detects dead and idle clients.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::client::Client;
use super::close::Close;
use super::settings::Settings;

/// The interval of pings to a client whose messages are not read: the end of its connection is behind them, and only a
/// failing write shows it.
const PROBE: Duration = Duration::from_secs(1);

/// Longer than any connection lasts.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// Watches over one connection.
pub(super) struct Heartbeat {
    ping: Option<Duration>,
    next_ping: Instant,
    /// When the client last sent anything, pongs included.
    heard: Instant,
    idle: Option<Duration>,
    next_idle: Instant,
    /// One timer for the whole connection: setting a timer takes a lock of the runtime.
    timer: Pin<Box<Sleep>>,
}

/// What is to be done.
pub(super) enum Verdict {
    Wait,
    Ping,
    Close(Close),
}

impl Heartbeat {
    pub(super) fn new(settings: &Settings) -> Self {
        let now = Instant::now();
        let next_ping = now + settings.ping.unwrap_or(NEVER).min(NEVER);
        let next_idle = now + settings.idle.unwrap_or(NEVER).min(NEVER);
        let timer = Box::pin(sleep_until(next_ping.min(next_idle)));
        Self { ping: settings.ping, next_ping, heard: now, idle: settings.idle, next_idle, timer }
    }

    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Pings soon, even with pings turned off: the client's messages are not read.
    pub(super) fn probe(&mut self) {
        self.next_ping = self.next_ping.min(Instant::now() + PROBE);
    }

    /// Waits until there may be something to do.
    pub(super) async fn due(&mut self) {
        let due = self.next_ping.min(self.next_idle);
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        self.timer.as_mut().await;
    }

    /// `hearing`: the connection is read at all. `busy`: a message is being handled.
    pub(super) fn judge(&mut self, hearing: bool, busy: bool, client: &Client) -> Verdict {
        let now = Instant::now();
        if !hearing {
            // Its signs of life wait behind the messages that aren't read.
            self.heard = now;
        }
        // A ping waits behind what is queued; a client that reads that slowly and steadily is alive.
        self.heard = client.outgoing().drained().map_or(self.heard, |drained| drained.max(self.heard));
        if let Some(idle) = self.idle
            && now >= self.next_idle
        {
            let left = if busy { idle } else { idle.saturating_sub(client.idle()) };
            if left.is_zero() {
                return Verdict::Close(Close::new(1000, &format!("no message for {idle:?}")));
            }
            self.next_idle = now + left.min(NEVER);
        }
        if now < self.next_ping {
            return Verdict::Wait;
        }
        let every = self.ping.unwrap_or(NEVER);
        self.next_ping = now + every.min(NEVER);
        // One whole interval after the last ping, it hasn't been answered.
        if now.saturating_duration_since(self.heard) >= every.saturating_mul(2) {
            return Verdict::Close(Close::hurried(1011, "no answer to a ping"));
        }
        Verdict::Ping
    }
}
