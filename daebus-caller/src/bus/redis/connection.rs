//! One connection to the server: a fred client that lives exactly as long as its connection.
//!
//! fred can reconnect by itself. We don't let it, and make a new client instead: a client that lost its connection
//! keeps a queue of commands that it replays before we could subscribe again, its `state()` still says connected, and
//! its counter of queued commands, on which flushing depends, never recovers from what is dropped. Thrown away with
//! its connection, it can't replay, and a PUBLISH can't happen twice.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, TcpConfig};
use fred::types::{ClusterHash, CustomCommand, RespVersion, Value};
use fred::util::redis_keyslot;
use socket2::TcpKeepalive;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// How long to wait for a connection, and for each answer while it is set up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a command may go unanswered. Without this, fred waits for ever.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);
/// Commands that may wait to be written; fred's own default is no bound at all. The outbox allows 1,024 publishes,
/// the rest is for keys.
const QUEUED_COMMANDS: usize = 16_384;
/// Messages that may wait for the reader. fred allocates this eight times a client, so only the subscriber has it:
/// 5 MB. The default, 32, lost most of a burst of 20,000.
const MESSAGES: usize = 8192;
/// fred's own default, for the client that hears no messages.
const NO_MESSAGES: usize = 32;
/// An idle connection is probed by the kernel too, so that one that is half open ends even while we don't look.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unacknowledged: frees a write that is stuck on a peer that is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(15);

/// How often a connection is asked whether it is alive, and how long it may take to say so. A server that is silent
/// is so noticed within 12 s. fred's own check for unresponsive connections doesn't serve: each write restarts it.
const HEARTBEAT: Duration = Duration::from_secs(4);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(8);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Commands,
    Subscriptions,
}

/// Makes connections.
pub(super) struct Connector {
    config: Config,
    /// Set once the server turned out not to know HELLO, which came with Redis 6.
    resp2: AtomicBool,
}

impl Connector {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let config = Config::from_url(url).map_err(|error| error.details().to_owned())?;
        Ok(Self { config, resp2: AtomicBool::new(false) })
    }

    pub(super) fn is_clustered(&self) -> bool {
        self.config.server.is_clustered()
    }

    /// Connects and makes sure that the server answers. Dropping this future leaves nothing behind.
    pub(super) async fn connect(&self, role: Role) -> Result<Arc<Link>, Failure> {
        // RESP3 marks pushed messages as such. In RESP2 fred takes a reply for a message where it looks like one: a
        // set whose members are "message", "a" and "b" is read as a message, and the replies shift by one.
        let version =
            if self.resp2.load(Ordering::Relaxed) { RespVersion::RESP2 } else { RespVersion::RESP3 };
        match self.connect_with(role, version.clone()).await {
            Err(Failure::Refused(words)) if version == RespVersion::RESP3 && knows_no_resp3(&words) => {
                self.resp2.store(true, Ordering::Relaxed);
                self.connect_with(role, RespVersion::RESP2).await
            }
            outcome => outcome,
        }
    }

    async fn connect_with(&self, role: Role, version: RespVersion) -> Result<Arc<Link>, Failure> {
        let config = Config { version, ..self.config.clone() };
        let performance = PerformanceConfig {
            default_command_timeout: COMMAND_TIMEOUT,
            broadcast_channel_capacity: if role == Role::Subscriptions { MESSAGES } else { NO_MESSAGES },
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
        let link = Arc::new(Link::start(client));
        tokio::select! {
            _ = connected.recv() => {}
            () = link.gone.cancelled() => return Err(link.why_gone()),
        }
        link.ping().await?;
        link.introduce().await;
        Ok(link)
    }
}

fn knows_no_resp3(words: &str) -> bool {
    words.contains("unknown command") || words.starts_with("NOPROTO")
}

/// A connection. Dropping it closes it and ends its task.
pub(super) struct Link {
    client: Client,
    driver: AbortHandle,
    gone: CancellationToken,
    why: Arc<OnceLock<Error>>,
    tokens: AtomicU64,
}

impl Link {
    fn start(client: Client) -> Self {
        let driver = client.connect();
        let gone = CancellationToken::new();
        let why = Arc::new(OnceLock::new());
        let link = Self {
            client,
            driver: driver.abort_handle(),
            gone: gone.clone(),
            why: Arc::clone(&why),
            tokens: AtomicU64::new(0),
        };
        // Ends with the driver, which ends with the connection or the link; or with the runtime.
        let gone = gone.drop_guard();
        tokio::spawn(async move {
            let _gone = gone;
            if let Ok(Err(error)) = driver.await {
                let _ = why.set(error);
            }
        });
        link
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
        tokio::select! {
            biased;
            outcome = command => outcome.map_err(Failure::from),
            () = self.gone.cancelled() => Err(self.why_gone()),
        }
    }

    /// Waits until the connection is gone, or no longer answers, and returns why. `alive` asks.
    pub(super) async fn watch<F>(&self, alive: impl Fn() -> F) -> String
    where
        F: Future<Output = Result<(), Failure>>,
    {
        let heartbeat = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                match tokio::time::timeout(HEARTBEAT_TIMEOUT, alive()).await {
                    // An answer is an answer, even one that we don't like.
                    Ok(Ok(()) | Err(Failure::Refused(_) | Failure::Shifted)) => {}
                    Ok(Err(failure)) => return failure.to_string(),
                    Err(_) => return format!("it did not answer within {HEARTBEAT_TIMEOUT:?}"),
                }
            }
        };
        tokio::select! {
            () = self.gone.cancelled() => self.why_gone().to_string(),
            why = heartbeat => why,
        }
    }

    /// Asks for an answer.
    pub(super) async fn ping(&self) -> Result<(), Failure> {
        self.echo(&self.token()).await.map(drop)
    }

    /// Subscribes; confirmed when this returns. On the client for subscriptions only, and one at a time.
    pub(super) async fn subscribe(&self, kind: Kind, names: &[Arc<str>]) -> Result<(), Failure> {
        self.confirmed(kind, names, true).await
    }

    /// Unsubscribes; confirmed when this returns. On the client for subscriptions only, and one at a time.
    pub(super) async fn unsubscribe(&self, kind: Kind, names: &[Arc<str>]) -> Result<(), Failure> {
        self.confirmed(kind, names, false).await
    }

    async fn confirmed(&self, kind: Kind, names: &[Arc<str>], wanted: bool) -> Result<(), Failure> {
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
            let client = &self.client;
            // These resolve when they are written, not when they are answered; hence the barrier.
            match (kind, wanted) {
                (Kind::Channel, true) => self.run(client.subscribe(names)).await?,
                (Kind::Pattern, true) => self.run(client.psubscribe(names)).await?,
                (Kind::Channel, false) => self.run(client.unsubscribe(names)).await?,
                (Kind::Pattern, false) => self.run(client.punsubscribe(names)).await?,
            }
            outcome = self.barrier().await;
        }
        outcome
    }

    /// Waits until the server has done all that was sent before.
    ///
    /// fred expects no answer to SUBSCRIBE, so that a refusal (ACL) goes to the next command, which is this PING, and
    /// the PING's own answer goes to whoever comes next. Each PING therefore carries a token, and after a refusal
    /// answers are counted off until tokens and answers fit again.
    pub(super) async fn barrier(&self) -> Result<(), Failure> {
        let token = self.token();
        let failure = match self.echo(&token).await {
            Ok(answer) if answer == token => return Ok(()),
            Ok(_) => Failure::Shifted,
            Err(refused @ Failure::Refused(_)) => refused,
            Err(failure) => return Err(failure),
        };
        self.resync().await?;
        Err(failure)
    }

    async fn resync(&self) -> Result<(), Failure> {
        let mut pause = Duration::from_millis(1);
        // Two seconds altogether. The stray answer usually is there already.
        for _ in 0..11 {
            tokio::time::sleep(pause).await;
            pause *= 2;
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
        // In a cluster fred sends SUBSCRIBE to the node of this slot; the PING must go there too.
        let slot = redis_keyslot(self.client.id().as_bytes());
        let ping = CustomCommand::new("PING", ClusterHash::Custom(slot), false);
        let answer: Value = self.run(self.client.custom(ping, vec![token.to_owned()])).await?;
        // While subscribed, RESP2 answers ["pong", token].
        let answer = match answer {
            Value::Array(mut parts) => parts.pop().unwrap_or(Value::Null),
            answer => answer,
        };
        Ok(answer.into_string().unwrap_or_default())
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

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a name in SUBSCRIBE is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Channel,
    Pattern,
}

/// Why a command failed, before it is told where.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failure {
    /// The server's own words.
    #[error("{0}")]
    Refused(String),
    /// Too much is queued; nothing was sent.
    #[error("too many commands are queued")]
    Full,
    /// The answer belongs to another command; the state of things is unknown, asking again is safe.
    #[error("an answer was out of step")]
    Shifted,
    /// It may or may not have happened.
    #[error("{0}")]
    Unsure(String),
    /// It can't work, ever.
    #[error("{0}")]
    Unusable(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let details = error.details();
        match error.kind() {
            ErrorKind::Backpressure => Self::Full,
            ErrorKind::Config | ErrorKind::Url if !is_servers(details) => Self::Unusable(details.to_owned()),
            _ if is_servers(details) => Self::Refused(details.to_owned()),
            _ => Self::Unsure(details.to_owned()),
        }
    }
}

/// fred has no kind for "the server said so". A server's error begins with a word in capitals, fred's own don't.
fn is_servers(details: &str) -> bool {
    let word = details.split(' ').next().unwrap_or_default();
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

impl Failure {
    /// Whether trying to connect again is of no use until a person changes something.
    pub(super) fn is_final(&self) -> bool {
        const FINAL: [&str; 8] = [
            "NOAUTH",
            "WRONGPASS",
            "NOPERM",
            "DENIED",
            "ERR invalid password",
            "ERR DB index",
            "ERR invalid DB index",
            "ERR This instance has cluster support disabled",
        ];
        match self {
            Self::Refused(words) => FINAL.iter().any(|start| words.starts_with(start)),
            Self::Unusable(_) => true,
            Self::Full | Self::Shifted | Self::Unsure(_) => false,
        }
    }

    /// What the person could change.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Refused(words) if words.starts_with("NOAUTH") => {
                "; put the password into the URL, as in redis://user:password@host:port"
            }
            Self::Refused(words) if words.starts_with("WRONGPASS") || words.contains("invalid password") => {
                "; the URL's user name or password is not the server's"
            }
            Self::Refused(words) if words.contains("DB index") => {
                "; the number at the end of the URL is the database, and the server has none of that number"
            }
            Self::Refused(words) if words.starts_with("NOPERM") => {
                "; the account lacks a permission that a bus needs (its ACL)"
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words_are_told_from_the_drivers() {
        for words in ["ERR value is not an integer", "WRONGTYPE Operation against", "NOPERM this user has no"]
        {
            assert!(is_servers(words), "{words}");
        }
        for words in ["Request timed out.", "Failed to route command.", "No response!", "I am", ""] {
            assert!(!is_servers(words), "{words}");
        }
    }
}
