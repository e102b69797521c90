//! Presence of instances on the bus: the names of keys and channels, the protocol's times, and membership events.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::instance::InstanceId;
pub use super::instance::PROTOCOL;
use super::json::{ReadError, read_message};

/// How long an info key lives without a refresh.
pub const INFO_TTL: Duration = Duration::from_secs(15);
/// How often an instance refreshes its info key.
pub const REFRESH: Duration = Duration::from_secs(5);
/// How long the set of a service's instances lives without a refresh.
pub const INDEX_TTL: Duration = Duration::from_secs(60);

/// How long a claim lives.
pub const CLAIM_TTL: Duration = Duration::from_secs(60);
/// The instance of rank k waits k times this long before it claims, and at most [`CLAIM_MAX_DELAY`].
pub const CLAIM_STEP: Duration = Duration::from_millis(25);
/// The longest delay before a claim of an instance that can run the request.
pub const CLAIM_MAX_DELAY: Duration = Duration::from_millis(200);
/// How much longer an instance waits that can't run the request.
pub const CLAIM_HANDICAP: Duration = Duration::from_millis(100);

/// How long a lease lives without a renewal.
pub const LEASE_TTL: Duration = Duration::from_secs(15);
/// How often a lease is renewed.
pub const LEASE_RENEWAL: Duration = Duration::from_secs(5);
/// How much earlier than on the server a lease ends for its holder.
pub const LEASE_MARGIN: Duration = Duration::from_secs(2);
/// How long after a reconnect only the former holder of a lease acquires it.
pub const LEASE_PRECEDENCE: Duration = Duration::from_secs(15);

/// How long callers remember that a run has left.
pub const LEFT_MEMORY: Duration = Duration::from_secs(30);
/// How long after `left` the instance's calls in flight fail.
pub const LEFT_GRACE: Duration = Duration::from_millis(500);
/// How long after a reconnect callers remove no instance.
pub const RECONNECT_GRACE: Duration = Duration::from_secs(15);
/// How old a call is when its instance's info is checked, and how often it is checked from then on.
pub const CALL_CHECK: Duration = Duration::from_secs(5);
/// The delay before an instance channel without receivers is tried again while the instance's info exists.
pub const CHANNEL_CHECK: Duration = Duration::from_secs(1);

/// The beginning of the keys that instances describe themselves in. The id follows.
pub const INFO_PREFIX: &str = "daebus:info:";

/// Returns the key that an instance describes itself in.
pub fn info_key(id: &InstanceId) -> String {
    format!("{INFO_PREFIX}{id}")
}

/// Returns the key of the set of a service's instances.
pub fn instances_key(service: &str) -> String {
    format!("daebus:instances:{service}")
}

/// Returns the channel for membership events of a service.
pub fn members_channel(service: &str) -> String {
    format!("daebus:members:{service}")
}

/// Begins the names of the instances' own channels.
const INSTANCE_CHANNEL: &str = "daebus:to:";

/// Returns the channel for requests to one instance.
pub fn instance_channel(id: &InstanceId) -> String {
    format!("{INSTANCE_CHANNEL}{id}")
}

/// Returns whether this is the channel of one instance, whose subscriber accepts batches.
pub fn is_instance_channel(channel: &str) -> bool {
    channel.starts_with(INSTANCE_CHANNEL)
}

/// Returns the key of the claim with this [hash](super::selection::claim_hash).
pub fn claim_key(service: &str, hash: &str) -> String {
    format!("daebus:claim:{service}:{hash}")
}

/// Returns the key of a lease.
pub fn lease_key(service: &str, name: &str) -> String {
    format!("daebus:lease:{service}:{name}")
}

/// One run of an instance, with the names and values of its keys.
#[derive(Debug, Clone)]
pub struct Presence {
    id: InstanceId,
    run: Uuid,
    info_key: String,
    instances_key: String,
    mark: String,
    holder: String,
}

impl Presence {
    /// Creates the presence of an instance of `service` for one run.
    pub fn new(service: &str, id: InstanceId, run: Uuid) -> Self {
        Self {
            info_key: info_key(&id),
            instances_key: instances_key(service),
            mark: format!("\"run\":\"{run}\""),
            holder: format!("{id}:{run}"),
            id,
            run,
        }
    }

    /// Returns the instance's id.
    pub fn id(&self) -> &InstanceId {
        &self.id
    }

    /// Returns the run.
    pub fn run(&self) -> Uuid {
        self.run
    }

    /// Returns the key of the instance's info.
    pub fn info_key(&self) -> &str {
        &self.info_key
    }

    /// Returns the key of the set of the service's instances.
    pub fn instances_key(&self) -> &str {
        &self.instances_key
    }

    /// Returns the text by which an info that this run has [written](super::Instance::write) is recognized. A UUID appears
    /// in no other info.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Returns the value of a claim, `<id>:<run>`, which is also the beginning of a lease's value.
    pub fn holder(&self) -> &str {
        &self.holder
    }
}

/// A message on a service's members channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEvent {
    /// What happened.
    pub event: MemberChange,
    /// The instance.
    pub id: InstanceId,
    /// The instance's run.
    pub run: Uuid,
    /// The revision of the instance's info.
    pub rev: u64,
}

/// A change of a service's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberChange {
    /// The instance has written its info and takes requests on its channel.
    Joined,
    /// The instance takes no new requests.
    Draining,
    /// The instance is gone.
    Left,
}

impl MemberEvent {
    /// Reads a message. Unknown fields are ignored; an unknown event is an error.
    pub fn read(message: &Bytes) -> Result<Self, ReadError> {
        read_message(message, |_, text| serde_json::from_str(text))
    }

    /// Writes a message.
    pub fn write(&self) -> Bytes {
        // Strings and numbers can't fail to serialize.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::instance::Instance;
    use super::*;

    #[test]
    fn member_events_have_the_protocols_form() {
        let event = MemberEvent {
            event: MemberChange::Joined,
            id: InstanceId::new("svc@1").unwrap(),
            run: Uuid::from_u128(7),
            rev: 1,
        };
        let text = r#"{"event":"joined","id":"svc@1","run":"00000000-0000-0000-0000-000000000007","rev":1}"#;
        assert_eq!(event.write(), text);
        assert_eq!(
            MemberEvent::read(&text.replace("\"rev\":1", "\"rev\":1,\"x\":[]").into()).unwrap(),
            event
        );
        assert!(MemberEvent::read(&text.replace("joined", "slept").into()).is_err());
    }

    #[test]
    fn an_info_contains_the_mark_of_its_own_run_only() {
        let id = InstanceId::new("svc@1").unwrap();
        let info = Instance::new(id.clone(), "svc", Uuid::from_u128(7)).write();
        let contains = |run| {
            let presence = Presence::new("svc", id.clone(), Uuid::from_u128(run));
            std::str::from_utf8(&info).unwrap().contains(presence.mark())
        };
        assert!(contains(7));
        assert!(!contains(8));
    }
}
