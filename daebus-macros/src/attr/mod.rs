//! The attributes' arguments: raw in `arguments`, then checked, one file an attribute.

mod action;
mod arguments;
mod background;
mod duration;
mod duration_argument;
mod hook;
mod listen;
mod pattern;
mod route;
mod socket;
mod thread;

pub(crate) use action::{Action, checked_name};
pub(crate) use arguments::Arguments;
pub(crate) use background::{Background, Overlap, When};
pub(crate) use listen::{Listen, checked_channel};
pub(crate) use route::Route;
pub(crate) use socket::Socket;
pub(crate) use thread::{Restart, Thread};

use proc_macro2::{Ident, Span, TokenStream};
use syn::{Attribute, Meta};

use crate::diagnostics::Mistakes;

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

/// One attribute on a function, not yet looked into.
pub(crate) struct RawAttribute {
    pub(crate) kind: Kind,
    /// Its name in the source.
    pub(crate) span: Span,
    pub(crate) arguments: TokenStream,
}

impl RawAttribute {
    /// An attribute among a function's attributes. `None` when it isn't one of ours.
    pub(crate) fn of(attribute: &Attribute, mistakes: &mut Mistakes) -> Option<Self> {
        let kind = Kind::of(attribute)?;
        let arguments = match &attribute.meta {
            Meta::Path(_) => TokenStream::new(),
            Meta::List(list) => list.tokens.clone(),
            other @ Meta::NameValue(_) => {
                let name = kind.name();
                mistakes.on(other, format!("arguments go in parentheses: `#[{name}(…)]`"));
                return None;
            }
        };
        let span = attribute.path().segments.last().map_or_else(Span::call_site, |last| last.ident.span());
        Some(Self { kind, span, arguments })
    }

    /// Checks the arguments. `None` when the attribute says too little to mount anything.
    pub(crate) fn check(self, mistakes: &mut Mistakes) -> Option<Checked> {
        let Self { kind, span, arguments } = self;
        let arguments = Arguments::read(arguments, kind.name(), span, mistakes);
        match kind {
            Kind::Action => Some(Checked::Action(Box::new(Action::check(arguments, mistakes)))),
            Kind::Listen => Listen::check(arguments, mistakes).map(Checked::Listen),
            Kind::Route => Route::check(arguments, mistakes).map(Checked::Route),
            Kind::Socket => Socket::check(arguments, mistakes).map(Checked::Socket),
            Kind::SocketConnect => Some(Checked::Socket(Socket::event("connect", arguments, mistakes))),
            Kind::SocketDisconnect => Some(Checked::Socket(Socket::event("disconnect", arguments, mistakes))),
            Kind::SocketRegister => Some(Checked::Socket(Socket::event("register", arguments, mistakes))),
            Kind::OnStart => {
                hook::check(arguments, mistakes);
                Some(Checked::OnStart(span))
            }
            Kind::OnStop => {
                hook::check(arguments, mistakes);
                Some(Checked::OnStop(span))
            }
            Kind::Background => Background::check(arguments, mistakes).map(Checked::Background),
            Kind::Thread => Thread::check(arguments, mistakes).map(Checked::Thread),
        }
    }
}

/// One attribute on a function, checked.
pub(crate) enum Checked {
    Action(Box<Action>),
    Listen(Listen),
    Route(Route),
    Socket(Socket),
    OnStart(Span),
    OnStop(Span),
    Background(Background),
    Thread(Thread),
}
