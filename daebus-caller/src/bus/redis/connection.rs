//! One connection to the server: a fred client that lives exactly as long as its connection.
//!
//! fred can reconnect by itself. We don't let it, and make a new client instead: a client that lost its connection
//! keeps a queue of commands that it replays before we could subscribe again, its `state()` still says connected, and
//! its counter of queued commands, on which flushing depends, never recovers from what is dropped. Thrown away with
//! its connection, it can't replay, and a PUBLISH can't happen twice.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, TcpConfig};
use fred::types::{ClusterHash, CustomCommand, RespVersion, Value};
use fred::util::redis_keyslot;
use futures_util::future::BoxFuture;
use socket2::TcpKeepalive;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::backoff::Backoff;

/// How long to wait for a connection, and for each answer while it is set up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a command may go unanswered. Without this, fred waits for ever.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
/// Commands that may wait to be written; fred's own default is no bound at all. The outbox allows 1,024 publishes,
/// the rest is for keys.
const QUEUED_COMMANDS: usize = 16_384;
/// Messages that may wait for the reader, which takes each one while fred sends it, so that none waits. fred allocates this
/// eight times per client: 8,192 messages took 5 MB.
const MESSAGES: usize = 32;
/// An idle connection is probed by the kernel too, so that one that is half open ends even while we don't look.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unacknowledged: frees a write that is stuck on a peer that is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(15);

/// How often a connection is asked whether it is alive, and how long it may take to say so. A server that is silent
/// is so noticed within 12 s. fred's own check for unresponsive connections doesn't serve: each write restarts it.
const HEARTBEAT: Duration = Duration::from_secs(4);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(8);

/// Makes connections.
pub(super) struct Connector {
    config: Config,
    /// Set once the server turned out not to know HELLO, which came with Redis 6.
    resp2: AtomicBool,
}

impl Connector {
    pub(super) fn new(config: Config) -> Self {
        Self { config, resp2: AtomicBool::new(false) }
    }

    pub(super) fn is_clustered(&self) -> bool {
        self.config.server.is_clustered()
    }

    /// Connects and makes sure that the server answers. Dropping this future leaves nothing behind.
    ///
    /// Boxed, as all that holds one of fred's futures: they nest so deep that the compiler gives up on a program that
    /// awaits them.
    pub(super) fn connect(&self) -> BoxFuture<'_, Result<Arc<Connection>, Failure>> {
        Box::pin(self.connect_in_either_version())
    }

    async fn connect_in_either_version(&self) -> Result<Arc<Connection>, Failure> {
        // RESP3 marks pushed messages as such. In RESP2 fred takes a reply for a message where it looks like one: a
        // set whose members are "message", "a" and "b" is read as a message, and the replies shift by one.
        let version =
            if self.resp2.load(Ordering::Relaxed) { RespVersion::RESP2 } else { RespVersion::RESP3 };
        match self.connect_with(version.clone()).await {
            Err(Failure::Refused(words)) if version == RespVersion::RESP3 && knows_no_resp3(&words) => {
                self.resp2.store(true, Ordering::Relaxed);
                self.connect_with(RespVersion::RESP2).await
            }
            outcome => outcome,
        }
    }

    async fn connect_with(&self, version: RespVersion) -> Result<Arc<Connection>, Failure> {
        let config = Config { version, ..self.config.clone() };
        let performance = PerformanceConfig {
            default_command_timeout: COMMAND_TIMEOUT,
            broadcast_channel_capacity: MESSAGES,
            ..PerformanceConfig::default()
        };
        let connection = ConnectionConfig {
            connection_timeout: CONNECT_TIMEOUT,
            internal_command_timeout: CONNECT_TIMEOUT,
            // A PUBLISH that is tried again may arrive twice. By default fred tries three times.
            max_command_attempts: 1,
            max_command_buffer_len: QUEUED_COMMANDS,
            tcp: TcpConfig {
                nodelay: Some(true),
                keepalive: Some(TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE)),
                #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
                user_timeout: Some(USER_TIMEOUT),
                ..TcpConfig::default()
            },
            ..ConnectionConfig::default()
        };
        let client = Client::new(config, Some(performance), Some(connection), None);
        let mut connected = client.reconnect_rx();
        let connection = Arc::new(Connection::start(client));
        tokio::select! {
            _ = connected.recv() => {}
            () = connection.gone.cancelled() => return Err(connection.why_gone()),
        }
        connection.ping().await?;
        connection.introduce().await;
        Ok(connection)
    }
}

fn knows_no_resp3(words: &str) -> bool {
    words.contains("unknown command") || words.starts_with("NOPROTO")
}

/// A connection. Dropping it closes it and ends its task.
pub(super) struct Connection {
    client: Client,
    driver: AbortHandle,
    gone: CancellationToken,
    why: Arc<OnceLock<Error>>,
    tokens: AtomicU64,
    /// Messages read so far, by whoever reads them.
    pub(super) heard: Arc<AtomicU64>,
}

impl Connection {
    fn start(client: Client) -> Self {
        let driver = client.connect();
        let gone = CancellationToken::new();
        let why = Arc::new(OnceLock::new());
        let connection = Self {
            client,
            driver: driver.abort_handle(),
            gone: gone.clone(),
            why: Arc::clone(&why),
            tokens: AtomicU64::new(0),
            heard: Arc::default(),
        };
        // Ends with the driver, which ends with the connection; or with the runtime.
        let gone = gone.drop_guard();
        tokio::spawn(async move {
            let _gone = gone;
            if let Ok(Err(error)) = driver.await {
                let _ = why.set(error);
            }
        });
        connection
    }

    /// The driver's client.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Cancelled when the connection is lost or closed.
    pub(super) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Closes the connection; whatever waits for an answer is told so.
    pub(super) fn close(&self) {
        self.driver.abort();
        self.gone.cancel();
    }

    /// Runs a command. It ends at once with the connection: fred would let what is queued run into its timeout.
    pub(super) async fn run<T>(&self, command: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        let mut command = pin!(command);
        let mut gone = pin!(self.gone.cancelled());
        // Not `select!`, which puts a future off unpolled when its task has used up its budget: a command is to be
        // queued when it is first polled, so that many at once go out in the order they were made in.
        poll_fn(|context| {
            if let Poll::Ready(outcome) = command.as_mut().poll(context) {
                return Poll::Ready(outcome.map_err(Failure::from));
            }
            gone.as_mut().poll(context).map(|()| Err(self.why_gone()))
        })
        .await
    }

    /// Waits until the connection is lost or no longer answers, and returns why. `alive` is the health check.
    pub(super) async fn watch<F>(&self, alive: impl Fn() -> F) -> Failure
    where
        F: Future<Output = Result<(), Failure>>,
    {
        let heartbeat = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let heard = self.heard.load(Ordering::Relaxed);
                let why = match tokio::time::timeout(HEARTBEAT_TIMEOUT, alive()).await {
                    // An answer is an answer, even one that we don't like.
                    Ok(Ok(()) | Err(Failure::Refused(_) | Failure::Shifted)) => continue,
                    Ok(Err(failure)) => failure,
                    Err(_) => Failure::Silent(HEARTBEAT_TIMEOUT),
                };
                // Messages are a sign of life too; in a flood of them the answer has to queue.
                if self.heard.load(Ordering::Relaxed) == heard {
                    return why;
                }
            }
        };
        tokio::select! {
            () = self.gone.cancelled() => self.why_gone(),
            why = heartbeat => why,
        }
    }

    /// Asks for an answer.
    pub(super) async fn ping(&self) -> Result<(), Failure> {
        self.echo(&self.token()).await.map(drop)
    }

    /// Subscribes; confirmed when this returns. On the client for subscriptions only, and one at a time.
    pub(super) async fn subscribe(&self, kind: TopicKind, names: &[Arc<str>]) -> Result<(), Failure> {
        self.confirmed(kind, names, true).await
    }

    /// Unsubscribes; confirmed when this returns. On the client for subscriptions only, and one at a time.
    pub(super) async fn unsubscribe(&self, kind: TopicKind, names: &[Arc<str>]) -> Result<(), Failure> {
        self.confirmed(kind, names, false).await
    }

    async fn confirmed(&self, kind: TopicKind, names: &[Arc<str>], wanted: bool) -> Result<(), Failure> {
        let outcome: BoxFuture<'_, _> = Box::pin(self.send_and_confirm(kind, names, wanted));
        outcome.await
    }

    async fn send_and_confirm(
        &self,
        kind: TopicKind,
        names: &[Arc<str>],
        wanted: bool,
    ) -> Result<(), Failure> {
        // SUBSCRIBE without a channel is an error, and UNSUBSCRIBE without one ends all.
        if names.is_empty() {
            return Ok(());
        }
        let mut outcome = Err(Failure::Shifted);
        for _ in 0..3 {
            if !matches!(outcome, Err(Failure::Shifted)) {
                break;
            }
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let (ping, token) = (self.ping_command(), self.token());
            // fred expects no answer to SUBSCRIBE. A refusal (ACL) goes to whichever command waits for an answer when
            // it comes, or to none. In one pipeline nothing is read between the two, so it goes to this PING; and a
            // PING's answer says that the server has done what came before it.
            let pipeline = self.client.pipeline();
            let queued = async {
                match (kind, wanted) {
                    (TopicKind::Channel, true) => pipeline.subscribe(names).await?,
                    (TopicKind::Pattern, true) => pipeline.psubscribe(names).await?,
                    (TopicKind::Channel, false) => pipeline.unsubscribe(names).await?,
                    (TopicKind::Pattern, false) => pipeline.punsubscribe(names).await?,
                }
                let _: Value = pipeline.custom(ping, vec![token.clone()]).await?;
                pipeline.last().await
            };
            let answer = self.run(queued).await.map(echoed);
            outcome = self.in_step(&token, answer).await;
        }
        outcome
    }

    /// Asks for an answer, on the client for subscriptions: one at a time.
    pub(super) async fn barrier(&self) -> Result<(), Failure> {
        let token = self.token();
        let answer = self.echo(&token).await;
        self.in_step(&token, answer).await
    }

    /// Sees to it that answers and commands are in step again after a refusal, which takes the place of a PING's
    /// answer, so that this goes to whatever comes next. Hence the tokens.
    async fn in_step(&self, token: &str, answer: Result<String, Failure>) -> Result<(), Failure> {
        let failure = match answer {
            Ok(answer) if answer == token => return Ok(()),
            Ok(_) => Failure::Shifted,
            Err(refused @ Failure::Refused(_)) => refused,
            Err(failure) => return Err(failure),
        };
        self.resync().await?;
        Err(failure)
    }

    async fn resync(&self) -> Result<(), Failure> {
        // Eleven attempts take two seconds. Usually the stray answer has arrived already.
        let mut backoff =
            Backoff::new(Duration::from_millis(1), Duration::from_millis(1024)).without_jitter();
        for _ in 0..11 {
            tokio::time::sleep(backoff.next_delay()).await;
            let token = self.token();
            match self.echo(&token).await {
                Ok(answer) if answer == token => return Ok(()),
                Ok(_) | Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        self.close();
        Err(Failure::Unsure("its answers were out of step".into()))
    }

    fn token(&self) -> String {
        format!("daebus-{}", self.tokens.fetch_add(1, Ordering::Relaxed))
    }

    async fn echo(&self, token: &str) -> Result<String, Failure> {
        let answer: BoxFuture<'_, _> =
            Box::pin(self.client.custom(self.ping_command(), vec![token.to_owned()]));
        self.run(answer).await.map(echoed)
    }

    /// In a cluster fred sends SUBSCRIBE to the node of this slot; the PING must go there too.
    fn ping_command(&self) -> CustomCommand {
        let slot = redis_keyslot(self.client.id().as_bytes());
        CustomCommand::new("PING", ClusterHash::Custom(slot), false)
    }

    /// Tells the server who we are, for the people who read CLIENT LIST. Not every account may do so.
    async fn introduce(&self) {
        let name = format!("daebus:{}", std::process::id());
        let command = CustomCommand::new("CLIENT", ClusterHash::FirstKey, false);
        let args = vec![String::from("SETNAME"), name];
        if let Err(failure) = self.run(self.client.custom::<Value, _>(command, args)).await {
            tracing::debug!(%failure, "the connection goes without a name");
        }
    }

    fn why_gone(&self) -> Failure {
        self.why
            .get()
            .cloned()
            .map_or_else(|| Failure::Unsure("the connection was closed".into()), Failure::from)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a PING's answer repeats. While subscribed, RESP2 answers ["pong", token].
fn echoed(answer: Value) -> String {
    let answer = match answer {
        Value::Array(mut parts) => parts.pop().unwrap_or(Value::Null),
        answer => answer,
    };
    answer.into_string().unwrap_or_default()
}

/// Whether a subscribed name is a channel or a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopicKind {
    Channel,
    Pattern,
}
