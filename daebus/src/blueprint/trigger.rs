//! Triggers of handlers: a request, a message, a schedule, the start or the stop of the service.

use std::fmt;

use crate::handler::Endpoint;
use crate::handler::layer::AnyLayer;
use crate::tasks::{Schedule, ThreadOptions};

/// The trigger of a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Requests for this action.
    Action(&'static str),
    /// Messages on this channel, or on the channels that this pattern matches.
    Listen(&'static str),
    /// WebSocket messages of this type. `connect` and `disconnect` also run when a client connects and disconnects.
    Socket(&'static str),
    /// Binary frames of WebSocket clients.
    SocketBinary,
    /// The start of the service, before it receives messages.
    OnStart,
    /// The stop of the service, after the last handler has returned.
    OnStop,
    /// The arrival of another instance of the service.
    MemberJoined,
    /// The departure of another instance of the service, or the expiry of its presence.
    MemberLeft,
    /// The first connection to the bus, and each reconnect.
    BusConnected,
    /// The loss of the connection to the bus.
    BusDisconnected,
    /// A schedule of this name.
    Background(&'static str, Schedule),
    /// The readiness of the service, or [`Tasks::start`](crate::Tasks::start).
    Thread(&'static str, ThreadOptions),
}

impl Trigger {
    /// Returns the name of the handler. Hooks and binary sockets have none.
    fn name(&self) -> Option<&'static str> {
        match self {
            Self::Action(name)
            | Self::Listen(name)
            | Self::Socket(name)
            | Self::Background(name, _)
            | Self::Thread(name, _) => Some(name),
            Self::SocketBinary
            | Self::OnStart
            | Self::OnStop
            | Self::MemberJoined
            | Self::MemberLeft
            | Self::BusConnected
            | Self::BusDisconnected => None,
        }
    }

    /// Returns the name of the attribute.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Action(_) => "action",
            Self::Listen(_) => "listen",
            Self::Socket(_) => "socket",
            Self::SocketBinary => "socket_binary",
            Self::OnStart => "on_start",
            Self::OnStop => "on_stop",
            Self::MemberJoined => "member_joined",
            Self::MemberLeft => "member_left",
            Self::BusConnected => "bus_connected",
            Self::BusDisconnected => "bus_disconnected",
            Self::Background(..) => "background",
            Self::Thread(..) => "thread",
        }
    }

    /// Returns whether layers wrap the handler: only messages pass through layers.
    fn takes_layers(&self) -> bool {
        matches!(self, Self::Action(_) | Self::Listen(_) | Self::Socket(_) | Self::SocketBinary)
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(name) => write!(f, "action {name:?}"),
            Self::Listen(topic) => write!(f, "listen {topic:?}"),
            Self::Socket(kind) => write!(f, "socket {kind:?}"),
            Self::SocketBinary => f.write_str("socket_binary"),
            Self::OnStart => f.write_str("on_start"),
            Self::OnStop => f.write_str("on_stop"),
            Self::MemberJoined => f.write_str("member_joined"),
            Self::MemberLeft => f.write_str("member_left"),
            Self::BusConnected => f.write_str("bus_connected"),
            Self::BusDisconnected => f.write_str("bus_disconnected"),
            Self::Background(name, schedule) => write!(f, "background {name:?} ({schedule})"),
            Self::Thread(name, options) => write!(f, "thread {name:?} ({options})"),
        }
    }
}

/// An endpoint and its trigger.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) trigger: Trigger,
    pub(crate) endpoint: Endpoint,
}

impl Registration {
    pub(crate) fn new(trigger: Trigger, mut endpoint: Endpoint) -> Self {
        if matches!(trigger, Trigger::Socket(_) | Trigger::SocketBinary) {
            endpoint.definition.needs.web_socket();
        }
        if let Some(name) = trigger.name() {
            endpoint.definition.name = name;
        }
        Self { trigger, endpoint }
    }

    /// Wraps the endpoint in layers if a message triggers it. The last layer is the outermost.
    pub(crate) fn layered(mut self, layers: &[AnyLayer]) -> Self {
        if self.trigger.takes_layers() {
            self.endpoint = self.endpoint.layered(layers);
        }
        self
    }
}
