//! Instances of a service as they describe themselves on the bus.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::json::{ReadError, read_message};
use super::name::{MAX_BYTES, NameError, check};

/// The version of the wire protocol that this crate implements.
pub const PROTOCOL: u32 = 1;

/// The id of an instance: `<service>@<8 hex digits>` unless the service configures one.
///
/// ```
/// use daebus_caller::InstanceId;
///
/// let id = InstanceId::new("user_service@1f0c22aa")?;
/// assert_eq!(id.to_string(), "user_service@1f0c22aa");
/// # Ok::<(), daebus_caller::wire::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// Checks an instance's id.
    ///
    /// # Errors
    ///
    /// Returns an error if the id is empty, longer than 255 bytes, contains a control character, or is reserved.
    pub fn new(id: impl AsRef<str>) -> Result<Self, NameError> {
        check("instance", id.as_ref())?;
        Ok(Self(id.as_ref().into()))
    }

    /// Returns a random id of an instance of `service`, which is a valid service name.
    #[doc(hidden)]
    pub fn random(service: &str) -> Self {
        let suffix = format!("@{:08x}", Uuid::new_v4().as_fields().0);
        // With its suffix, the name of a service may exceed the limit for ids.
        let ends = service.char_indices().map(|(start, char)| start + char.len_utf8());
        let end = ends.take_while(|end| end + suffix.len() <= MAX_BYTES).last().unwrap_or_default();
        Self((service[..end].to_owned() + &suffix).into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for InstanceId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for InstanceId {
    type Err = NameError;

    fn from_str(id: &str) -> Result<Self, NameError> {
        Self::new(id)
    }
}

impl Serialize for InstanceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for InstanceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&id).map_err(serde::de::Error::custom)
    }
}

/// An instance of a service, as it describes itself on the bus.
///
/// [`Caller::members`](crate::Caller::members) lists the instances of the called service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Instance {
    /// Its id, unique among all instances on the bus.
    pub id: InstanceId,
    /// The name of its service.
    pub service: String,
    /// The version of its service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The description of its service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The name of the host it runs on.
    #[serde(default)]
    pub host: String,
    /// The id of its process.
    #[serde(default)]
    pub pid: u32,
    /// When it started, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub started: u64,
    /// A random number per start, which distinguishes two processes with one configured id.
    pub run: Uuid,
    /// The revision of this description; increases by 1 with each change.
    pub rev: u64,
    /// Whether it takes new requests.
    pub state: InstanceState,
    /// The names of its actions.
    #[serde(default)]
    pub actions: Vec<String>,
    /// The fingerprint of the contract it implements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// The version of the wire protocol it implements.
    #[serde(default)]
    pub protocol: u32,
}

impl Instance {
    /// Creates the description of a running instance at its first revision, without details.
    pub fn new(id: InstanceId, service: impl Into<String>, run: Uuid) -> Self {
        Self {
            id,
            service: service.into(),
            version: None,
            description: None,
            host: String::new(),
            pid: 0,
            started: 0,
            run,
            rev: 1,
            state: InstanceState::Running,
            actions: Vec::new(),
            contract: None,
            protocol: PROTOCOL,
        }
    }

    /// Returns whether the instance takes new requests.
    pub fn is_running(&self) -> bool {
        self.state == InstanceState::Running
    }

    /// Reads the value of an info key. Unknown fields are ignored.
    #[doc(hidden)]
    pub fn read(message: &Bytes) -> Result<Self, ReadError> {
        read_message(message, |_, text| serde_json::from_str(text))
    }

    /// Writes the value of an info key.
    #[doc(hidden)]
    pub fn write(&self) -> Bytes {
        // Strings and numbers can't fail to serialize.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// Whether an instance takes new requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InstanceState {
    /// It takes new requests.
    Running,
    /// It finishes the requests that it has, and refuses new ones. A state of a later protocol version reads as this.
    Draining,
}

impl<'de> Deserialize<'de> for InstanceState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(if state == "running" { Self::Running } else { Self::Draining })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> Instance {
        Instance::new(InstanceId::new("svc@1").unwrap(), "svc", Uuid::from_u128(7))
    }

    #[test]
    fn an_instance_is_read_as_it_was_written() {
        let full = Instance {
            version: Some("1.2".into()),
            description: Some("Keeps users".into()),
            host: "h".into(),
            pid: 9,
            started: 1_700_000_000_000,
            rev: 3,
            state: InstanceState::Draining,
            actions: vec!["get".into()],
            contract: Some("abc".into()),
            ..instance()
        };
        for instance in [instance(), full] {
            assert_eq!(Instance::read(&instance.write()).unwrap(), instance);
        }
    }

    #[test]
    fn unknown_fields_and_states_are_accepted() {
        let text = r#"{"id":"svc@1","service":"svc","run":"00000000-0000-0000-0000-000000000007","rev":2,
            "state":"hibernating","load":{"cpu":1}}"#;
        let read = Instance::read(&Bytes::from(text)).unwrap();
        assert_eq!((read.rev, read.state, read.is_running()), (2, InstanceState::Draining, false));
    }

    #[test]
    fn values_without_id_run_or_revision_are_rejected() {
        for text in ["", "7", "{}", r#"{"id":"svc@1","service":"svc","rev":2,"state":"running"}"#, "\u{0}"] {
            assert!(Instance::read(&Bytes::from(text)).is_err(), "{text:?}");
        }
        let controls = String::from_utf8(instance().write().to_vec()).unwrap().replace("svc@1", "svc\\n1");
        assert!(Instance::read(&Bytes::from(controls)).is_err());
    }

    #[test]
    fn ids_follow_the_rules_for_names() {
        for id in ["", "a\nb", &"x".repeat(256), "daebus:x"] {
            assert!(InstanceId::new(id).is_err(), "{id:?}");
        }
        assert_eq!("node 1".parse::<InstanceId>().unwrap().as_str(), "node 1");
    }

    #[test]
    fn random_ids_are_valid_for_every_service_name() {
        for service in ["svc".to_owned(), "x".repeat(255), "é".repeat(127)] {
            let (one, other) = (InstanceId::random(&service), InstanceId::random(&service));
            assert!(InstanceId::new(one.as_str()).is_ok(), "{one}");
            assert_ne!(one, other);
        }
    }
}
