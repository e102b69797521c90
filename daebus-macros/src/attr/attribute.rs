//! One attribute on a function: raw, then checked.

use proc_macro2::{Span, TokenStream};
use syn::{Attribute, Meta, Path};

use super::action::Action;
use super::arguments::Arguments;
use super::background::Background;
use super::hook::{self, Hook};
use super::kind::Kind;
use super::listen::Listen;
use super::route::Route;
use super::socket::{Socket, SocketBinary};
use super::thread::Thread;
use crate::mistakes::Mistakes;

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

    /// Checks the arguments, and puts the path after `crate =` into `root`. `None` when the attribute says too little to
    /// mount anything.
    pub(crate) fn check(self, root: &mut Option<Path>, mistakes: &mut Mistakes) -> Option<Checked> {
        let Self { kind, span, arguments } = self;
        let mut arguments = Arguments::read(arguments, kind.name(), span, mistakes);
        if let Some(path) = arguments.root(mistakes) {
            root.get_or_insert(path);
        }
        match kind {
            Kind::Action => Some(Checked::Action(Box::new(Action::check(arguments, mistakes)))),
            Kind::Workflow => Some(Checked::Action(Box::new(Action::check_workflow(arguments, mistakes)))),
            Kind::Listen => Listen::check(arguments, mistakes).map(Checked::Listen),
            Kind::Route => Route::check(arguments, mistakes).map(Checked::Route),
            Kind::Socket => Socket::check(arguments, mistakes).map(Checked::Socket),
            Kind::SocketBinary => Some(Checked::SocketBinary(SocketBinary::check(arguments, mistakes))),
            Kind::SocketConnect => Some(Checked::Socket(Socket::event("connect", arguments, mistakes))),
            Kind::SocketDisconnect => Some(Checked::Socket(Socket::event("disconnect", arguments, mistakes))),
            Kind::SocketRegister => Some(Checked::Socket(Socket::event("register", arguments, mistakes))),
            Kind::Hook(which) => {
                hook::check(arguments, mistakes);
                Some(Checked::Hook(which, span))
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
    SocketBinary(SocketBinary),
    Hook(Hook, Span),
    Background(Background),
    Thread(Thread),
}
