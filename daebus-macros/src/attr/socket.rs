//! `#[socket("chat_message", timeout = "2s", concurrency = 1)]`, `#[socket_binary]`, `#[socket_connect]` and its like.

use std::time::Duration;

use syn::LitStr;

use super::arguments::Arguments;
use super::duration_argument;
use crate::mistakes::Mistakes;
use crate::names;

/// A handler of WebSocket messages, checked.
pub(crate) struct Socket {
    /// The messages' type; it points at what was written.
    pub(crate) kind: LitStr,
    pub(crate) timeout: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
}

impl Socket {
    pub(super) fn check(mut arguments: Arguments, mistakes: &mut Mistakes) -> Option<Self> {
        let span = arguments.span;
        let kind = arguments.name("the message's type", "\"chat_message\"", mistakes);
        let kind = kind.and_then(|kind| checked_kind(kind, mistakes));
        let socket = Self::with(kind.clone().unwrap_or_else(|| LitStr::new("", span)), arguments, mistakes);
        kind.map(|_| socket)
    }

    /// One of the types that have an attribute of their own.
    pub(super) fn event(kind: &str, arguments: Arguments, mistakes: &mut Mistakes) -> Self {
        Self::with(LitStr::new(kind, arguments.span), arguments, mistakes)
    }

    fn with(kind: LitStr, mut arguments: Arguments, mistakes: &mut Mistakes) -> Self {
        let timeout = duration_argument::argument(&mut arguments, "timeout", "2s", mistakes);
        let timeout = timeout.map(|(timeout, _)| timeout);
        let concurrency = arguments.count("concurrency", mistakes);
        arguments.finish(mistakes);
        Self { kind, timeout, concurrency }
    }
}

/// The handler of binary frames, checked.
pub(crate) struct SocketBinary {
    /// `binary`, at the attribute's name in the source.
    pub(crate) kind: LitStr,
    pub(crate) timeout: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
}

impl SocketBinary {
    pub(super) fn check(arguments: Arguments, mistakes: &mut Mistakes) -> Self {
        let Socket { kind, timeout, concurrency } = Socket::event("binary", arguments, mistakes);
        Self { kind, timeout, concurrency }
    }
}

fn checked_kind(kind: LitStr, mistakes: &mut Mistakes) -> Option<LitStr> {
    match names::check_text(&kind.value()) {
        Ok(()) => Some(kind),
        Err(reason) => {
            mistakes.on(&kind, format!("this can't be the type of a message: {reason}"));
            None
        }
    }
}
