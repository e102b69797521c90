//! Scripts, each one operation of the bus that the server runs as a whole.
//!
//! Not through fred's own interface for scripts: its type `Script` needs a further dependency for the hash.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, FromValue, Value};
use tokio::sync::OnceCell;

use super::connection::Connection;
use super::failure::Failure;
use crate::bus::time_to_live::whole_millis;

/// Extends the lives of an info key and, outside of clusters, of the index.
const REFRESH: &str = "\
local info = redis.pcall('GET', KEYS[1])
if not info then return 'lapsed' end
if type(info) == 'table' and not string.find(info.err, 'WRONGTYPE', 1, true) then return info end
if type(info) ~= 'string' or not string.find(info, ARGV[1], 1, true) then return 'taken' end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if KEYS[2] then
  redis.call('SADD', KEYS[2], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
return 'kept'";

/// Replaces an info.
const AMEND: &str = "\
local info = redis.pcall('GET', KEYS[1])
if not info then return 'lapsed' end
if type(info) == 'table' and not string.find(info.err, 'WRONGTYPE', 1, true) then return info end
if type(info) ~= 'string' or not string.find(info, ARGV[1], 1, true) then return 'taken' end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 'kept'";

/// Deletes an info and, outside of clusters, the instance's entry in the index.
const WITHDRAW: &str = "\
local info = redis.pcall('GET', KEYS[1])
if not info then return 'lapsed' end
if type(info) == 'table' and not string.find(info.err, 'WRONGTYPE', 1, true) then return info end
if type(info) ~= 'string' or not string.find(info, ARGV[1], 1, true) then return 'taken' end
redis.call('DEL', KEYS[1])
if KEYS[2] then redis.call('SREM', KEYS[2], ARGV[2]) end
return 'kept'";

/// Claims a request. Returns the holder's value if there is one.
const CLAIM: &str = "\
local info = redis.pcall('GET', KEYS[1])
if type(info) == 'table' and not string.find(info.err, 'WRONGTYPE', 1, true) then return info end
if type(info) ~= 'string' or not string.find(info, ARGV[1], 1, true) then return {'lapsed', ''} end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return {'won', ''} end
return {'held', redis.call('GET', KEYS[2])}";

/// Acquires a lease with the server's time as its token. Returns the value that is in force.
const ACQUIRE: &str = "\
local now = redis.call('TIME')
local token = now[1] .. string.format('%06d', now[2])
if redis.call('SET', KEYS[1], ARGV[1] .. ':' .. token, 'NX', 'PX', ARGV[2]) then return {'won', token} end
return {'held', redis.call('GET', KEYS[1])}";

/// Extends a lease if its value is as given.
const RENEW: &str = "\
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

/// Deletes a lease if its value is as given.
const RELEASE: &str = "\
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

/// The scripts of one bus.
pub(super) struct Scripts {
    pub(super) refresh: Script,
    pub(super) amend: Script,
    pub(super) withdraw: Script,
    pub(super) claim: Script,
    pub(super) acquire: Script,
    pub(super) renew: Script,
    pub(super) release: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            refresh: Script::new(REFRESH),
            amend: Script::new(AMEND),
            withdraw: Script::new(WITHDRAW),
            claim: Script::new(CLAIM),
            acquire: Script::new(ACQUIRE),
            renew: Script::new(RENEW),
            release: Script::new(RELEASE),
        }
    }
}

/// A script, and its hash once a server has computed it.
pub(super) struct Script {
    text: &'static str,
    hash: OnceCell<Arc<str>>,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, hash: OnceCell::new() }
    }

    /// Runs the script. A server that has forgotten it, after a restart for example, receives its text again.
    pub(super) async fn run<T: FromValue>(
        &self,
        connection: &Connection,
        keys: &[&str],
        arguments: Vec<Value>,
    ) -> Result<T, Failure> {
        let hash = self.hash.get_or_try_init(|| self.load(connection)).await?;
        match send(connection, "EVALSHA", hash, keys, arguments.clone()).await {
            Err(Failure::Refused(words)) if words.starts_with("NOSCRIPT") => {
                send(connection, "EVAL", self.text, keys, arguments).await
            }
            outcome => outcome,
        }
    }

    async fn load(&self, connection: &Connection) -> Result<Arc<str>, Failure> {
        let command = CustomCommand::new("SCRIPT", ClusterHash::FirstKey, false);
        let arguments = vec![String::from("LOAD"), self.text.to_owned()];
        let hash: String = connection.run(connection.client().custom(command, arguments)).await?;
        Ok(hash.into())
    }
}

async fn send<T: FromValue>(
    connection: &Connection,
    command: &'static str,
    script: &str,
    keys: &[&str],
    arguments: Vec<Value>,
) -> Result<T, Failure> {
    // The first key, behind the script and the number of keys, decides on the node of a cluster.
    let command = CustomCommand::new(command, ClusterHash::Offset(2), false);
    let mut words: Vec<Value> = vec![script.into(), keys.len().to_string().into()];
    words.extend(keys.iter().map(|key| Value::from(*key)));
    words.extend(arguments);
    connection.run(connection.client().custom(command, words)).await
}

/// A time to live as an argument.
pub(super) fn millis(ttl: Duration) -> Value {
    whole_millis(ttl).to_string().into()
}

/// Bytes as an argument.
pub(super) fn text(bytes: impl Into<Bytes>) -> Value {
    Value::Bytes(bytes.into())
}
