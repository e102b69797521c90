//! The kinds of attributes.

use proc_macro2::Ident;
use syn::Attribute;

use super::hook::Hook;

/// The attributes that make a function a handler.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Action,
    Workflow,
    Listen,
    Route,
    Socket,
    SocketBinary,
    SocketConnect,
    SocketDisconnect,
    SocketRegister,
    Hook(Hook),
    Background,
    Thread,
}

impl Kind {
    const ALL: [Self; 17] = [
        Self::Action,
        Self::Workflow,
        Self::Listen,
        Self::Route,
        Self::Socket,
        Self::SocketBinary,
        Self::SocketConnect,
        Self::SocketDisconnect,
        Self::SocketRegister,
        Self::Hook(Hook::OnStart),
        Self::Hook(Hook::OnStop),
        Self::Hook(Hook::MemberJoined),
        Self::Hook(Hook::MemberLeft),
        Self::Hook(Hook::BusConnected),
        Self::Hook(Hook::BusDisconnected),
        Self::Background,
        Self::Thread,
    ];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Workflow => "workflow",
            Self::Listen => "listen",
            Self::Route => "route",
            Self::Socket => "socket",
            Self::SocketBinary => "socket_binary",
            Self::SocketConnect => "socket_connect",
            Self::SocketDisconnect => "socket_disconnect",
            Self::SocketRegister => "socket_register",
            Self::Hook(hook) => hook.name(),
            Self::Background => "background",
            Self::Thread => "thread",
        }
    }

    /// Which of ours an attribute is, going by the last word of its path: `#[action]`, `#[daebus::action]`.
    pub(crate) fn of(attribute: &Attribute) -> Option<Self> {
        Self::by_name(&attribute.path().segments.last()?.ident)
    }

    pub(crate) fn by_name(name: &Ident) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| name == kind.name())
    }
}
