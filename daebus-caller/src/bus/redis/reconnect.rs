//! Connects, and reconnects with backoff after each loss of a connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::{Connection, Connector, TopicKind};
use super::failure::Failure;
use super::reader;
use super::state::{RedisBusState, TOPICS_PER_COMMAND};
use crate::backoff::Backoff;
use crate::bus::interface::BusState;
use crate::bus::topic::Topic;
use crate::error::BusError;

/// The delay after the first failed attempt; the attempts go on without end.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(5);

pub(super) struct Reconnector {
    shared: Arc<RedisBusState>,
    connector: Connector,
}

/// The two connections: SUBSCRIBE and what answers it have one for themselves.
pub(super) struct Pair {
    subscriber: Arc<Connection>,
    commands: Arc<Connection>,
}

impl Reconnector {
    pub(super) fn new(shared: Arc<RedisBusState>, connector: Connector) -> Self {
        Self { shared, connector }
    }

    /// Connects for the first time, for as long as it takes.
    pub(super) async fn connect(&self) -> Result<Pair, BusError> {
        let mut outage = LostConnection::at_start();
        let pair = loop {
            match self.connect_once().await {
                Ok(pair) => break pair,
                Err(failure) if failure.is_final() => return Err(self.shared.error(failure)),
                Err(failure) => outage.wait(&self.shared.location, &failure).await,
            }
        };
        outage.end(&self.shared.location);
        self.shared.ready(Arc::clone(&pair.commands));
        Ok(pair)
    }

    /// Connects for the first time, for as long as it takes, a refusal being no reason to give up: somebody may change
    /// the server's mind.
    pub(super) async fn connect_when_available(&self) -> Pair {
        let mut outage = LostConnection::at_start();
        let pair = loop {
            match self.connect_once().await {
                Ok(pair) => break pair,
                Err(failure) => outage.wait(&self.shared.location, &failure).await,
            }
        };
        outage.end(&self.shared.location);
        self.shared.ready(Arc::clone(&pair.commands));
        pair
    }

    async fn connect_once(&self) -> Result<Pair, Failure> {
        let subscriber = self.subscriber().await?;
        let commands = self.connector.connect().await?;
        Ok(Pair { subscriber, commands })
    }

    /// Watches the connections, and replaces one that is lost.
    pub(super) async fn keep(self, mut pair: Pair) {
        let mut refusal = RefusalLog::default();
        loop {
            let why = tokio::select! {
                why = self.watch(&pair) => why,
                never = self.restore_refused(&mut refusal) => match never {},
            };
            self.shared.away();
            if *self.shared.state.borrow() == BusState::Closed {
                return;
            }
            let mut outage = LostConnection::lost(&self.shared.location, &why);
            while let Err(failure) = self.replace(&mut pair).await {
                outage.wait(&self.shared.location, &failure).await;
            }
            self.shared.ready_again(Arc::clone(&pair.commands));
            outage.end(&self.shared.location);
        }
    }

    /// Waits until one of the connections is lost, and returns why.
    async fn watch(&self, Pair { subscriber, commands }: &Pair) -> Failure {
        let answers = || async {
            let _gate = self.shared.gate.lock().await;
            subscriber.barrier().await
        };
        tokio::select! {
            why = subscriber.watch(answers) => {
                subscriber.close();
                why
            }
            why = commands.watch(|| commands.ping()) => {
                commands.close();
                why
            }
        }
    }

    /// Subscribes again, with backoff, to what the server refused after a reconnect; then waits without end.
    async fn restore_refused(&self, log: &mut RefusalLog) -> Infallible {
        let mut backoff = Backoff::new(FIRST_DELAY, MAX_DELAY);
        loop {
            let topics = self.shared.subscriptions().refused();
            if topics.is_empty() {
                break;
            }
            tokio::time::sleep(backoff.next_delay()).await;
            for topic in &topics {
                if let Err(failure @ Failure::Refused(_)) = self.shared.subscribe_refused(topic).await {
                    log.begin(&self.shared.location, topic, topics.len(), &failure);
                }
            }
        }
        log.end(&self.shared.location);
        std::future::pending().await
    }

    /// Subscriptions first: a request must not go out before its answer can come in.
    async fn replace(&self, pair: &mut Pair) -> Result<(), Failure> {
        while pair.subscriber.gone().is_cancelled() || pair.commands.gone().is_cancelled() {
            if pair.subscriber.gone().is_cancelled() {
                pair.subscriber = self.subscriber().await?;
            } else {
                pair.commands = self.connector.connect().await?;
            }
        }
        Ok(())
    }

    /// Connects the subscriber and restores every subscription.
    async fn subscriber(&self) -> Result<Arc<Connection>, Failure> {
        let subscriber = self.connector.connect().await?;
        let _gate = self.shared.gate.lock().await;
        reader::start(Arc::clone(&self.shared), &subscriber);
        self.shared.attach(Arc::clone(&subscriber))?;
        let (channels, patterns, ended) = self.shared.subscriptions().start_over();
        drop(ended);
        for channels in channels.chunks(TOPICS_PER_COMMAND) {
            self.restore(&subscriber, TopicKind::Channel, channels).await?;
        }
        self.restore(&subscriber, TopicKind::Pattern, &patterns).await?;
        Ok(subscriber)
    }

    async fn restore(
        &self,
        subscriber: &Connection,
        kind: TopicKind,
        names: &[Arc<str>],
    ) -> Result<(), Failure> {
        match subscriber.subscribe(kind, names).await {
            Ok(()) => {
                let mut subscriptions = self.shared.subscriptions();
                for name in names {
                    subscriptions.confirm(kind, name);
                }
                Ok(())
            }
            // The server refuses them together if it refuses one.
            Err(Failure::Refused(_) | Failure::Shifted) => self.restore_each(subscriber, kind, names).await,
            Err(failure) => Err(failure),
        }
    }

    async fn restore_each(
        &self,
        subscriber: &Connection,
        kind: TopicKind,
        names: &[Arc<str>],
    ) -> Result<(), Failure> {
        if kind == TopicKind::Pattern {
            let mut subscriptions = self.shared.subscriptions();
            for pattern in names {
                subscriptions.unsettle(pattern);
            }
        }
        for name in names {
            let topic = match kind {
                TopicKind::Channel => Topic::Channel(Arc::clone(name)),
                TopicKind::Pattern => Topic::Pattern(Arc::clone(name)),
            };
            match self.shared.subscribe_on(subscriber, &topic).await {
                Ok(()) => {}
                // The bus is usable all the same; `restore_refused` subscribes again.
                Err(Failure::Refused(_) | Failure::Shifted) => self.shared.subscriptions().refuse(&topic),
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }
}

/// Logs that subscriptions are refused: once when it begins, also across reconnects, and once when it ends.
#[derive(Default)]
struct RefusalLog {
    has_begun: bool,
}

impl RefusalLog {
    fn begin(&mut self, location: &str, topic: &Topic, topics: usize, failure: &Failure) {
        if !std::mem::replace(&mut self.has_begun, true) {
            tracing::error!(
                %location,
                %topic,
                topics,
                reason = %format_args!("{failure}{}", failure.advice()),
                "the server refuses to restore subscriptions, which receive nothing meanwhile; retrying until it accepts them"
            );
        }
    }

    fn end(&mut self, location: &str) {
        if std::mem::take(&mut self.has_begun) {
            tracing::info!(%location, "all subscriptions are restored");
        }
    }
}

/// A time without a connection: said once when it begins, once when it ends.
struct LostConnection {
    since: Instant,
    at_start: bool,
    said: bool,
    /// The log has the reason why the server refuses the connection.
    refusal_logged: bool,
    attempts: u32,
    backoff: Backoff,
}

impl LostConnection {
    fn at_start() -> Self {
        Self::new(true)
    }

    fn lost(location: &str, why: &Failure) -> Self {
        tracing::warn!(%location, reason = %why, "lost the connection to the bus; reconnecting");
        Self::new(false)
    }

    fn new(at_start: bool) -> Self {
        let backoff = Backoff::new(FIRST_DELAY, MAX_DELAY);
        Self { since: Instant::now(), at_start, said: !at_start, refusal_logged: false, attempts: 0, backoff }
    }

    async fn wait(&mut self, location: &str, failure: &Failure) {
        let is_new_refusal = failure.is_final() && !std::mem::replace(&mut self.refusal_logged, true);
        if self.said && is_new_refusal {
            tracing::warn!(
                %location,
                reason = %format_args!("{failure}{}", failure.advice()),
                "the server refuses the connection; retrying until it accepts it"
            );
        } else if self.said {
            tracing::debug!(%location, reason = %failure, attempts = self.attempts, "the bus still can't be reached");
        } else {
            tracing::warn!(
                %location,
                reason = %format_args!("{failure}{}", failure.advice()),
                "the bus can't be reached; trying until it is there. Is the server running, and is this its address?"
            );
            self.said = true;
        }
        tokio::time::sleep(self.backoff.next_delay()).await;
        self.attempts = self.attempts.saturating_add(1);
    }

    fn end(&self, location: &str) {
        let away = self.since.elapsed();
        match (self.at_start, self.said) {
            (true, false) => tracing::debug!(%location, "connected to the bus"),
            (true, true) => tracing::info!(%location, ?away, "connected to the bus"),
            (false, _) => tracing::info!(%location, ?away, "the bus is back"),
        }
    }
}
