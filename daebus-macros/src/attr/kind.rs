//! The kinds of attributes.

use proc_macro2::Ident;
use syn::Attribute;

/// The attributes that make a function a handler.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Action,
    Listen,
    Route,
    Socket,
    SocketConnect,
    SocketDisconnect,
    SocketRegister,
    OnStart,
    OnStop,
    Background,
    Thread,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Action,
        Self::Listen,
        Self::Route,
        Self::Socket,
        Self::SocketConnect,
        Self::SocketDisconnect,
        Self::SocketRegister,
        Self::OnStart,
        Self::OnStop,
        Self::Background,
        Self::Thread,
    ];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Listen => "listen",
            Self::Route => "route",
            Self::Socket => "socket",
            Self::SocketConnect => "socket_connect",
            Self::SocketDisconnect => "socket_disconnect",
            Self::SocketRegister => "socket_register",
            Self::OnStart => "on_start",
            Self::OnStop => "on_stop",
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
