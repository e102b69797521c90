//! The bus: publish, subscribe, and a key-value store, in process or on Redis, behind one trait.

mod connect;
mod coordination;
mod glob;
mod interface;
mod masked;
mod memory;
mod message;
mod outbox;
mod queue;
mod queue_limits;
#[cfg(feature = "redis")]
mod redis;
mod subscription;
mod time_to_live;
mod topic;
mod url;

pub use self::connect::{connect, connect_lazily};
pub use self::coordination::{Acquired, Claimed, KeyExpiry, Standing};
#[doc(hidden)]
pub use self::interface::STALE_STATE;
pub use self::interface::{Bus, BusState, SetOptions};
pub use self::memory::MemoryBus;
pub use self::message::{Deliver, Message};
#[cfg(feature = "redis")]
pub use self::redis::{RedisBus, RedisUrl};
pub use self::subscription::Subscription;
pub use self::topic::Topic;
pub use self::url::BusUrl;

// For `daebus`.
pub(crate) use self::outbox::Place;
#[doc(hidden)]
pub use self::outbox::{Batching, Outbox};
#[doc(hidden)]
pub use self::queue::{Queue, QueueMeter, QueueReceiver};
#[doc(hidden)]
pub use self::queue_limits::QueueLimits;
