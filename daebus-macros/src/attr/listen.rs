//! `#[listen("user_events")]`, `#[listen("sensor.*", concurrency = 8)]`, `#[listen("orders", singleton)]`,
//! `#[listen(event = UsersCaller::USER_EVENT)]`.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{LitStr, Path};

use super::arguments::Arguments;
use crate::mistakes::Mistakes;
use crate::names;

/// A listener, checked.
pub(crate) struct Listen {
    pub(crate) topic: Topic,
    pub(crate) concurrency: Option<usize>,
    /// One instance of the service handles the messages.
    pub(crate) singleton: bool,
}

/// What a listener subscribes to.
pub(crate) enum Topic {
    /// A channel, or a pattern of channels as Redis has it.
    Name(LitStr),
    /// The constant of an event of a contract.
    Event(Path),
}

impl Topic {
    /// What is written.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Self::Name(name) => name.to_token_stream(),
            Self::Event(event) => event.to_token_stream(),
        }
    }

    /// Whether both are written alike.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one.value() == other.value(),
            (Self::Event(one), Self::Event(other)) => {
                one.to_token_stream().to_string() == other.to_token_stream().to_string()
            }
            _ => false,
        }
    }
}

impl Listen {
    pub(super) fn check(mut arguments: Arguments, mistakes: &mut Mistakes) -> Option<Self> {
        let before = mistakes.len();
        let event = arguments.path("event", "the constant of an event", "UsersCaller::USER_EVENT", mistakes);
        let is_broken = mistakes.len() > before;
        let topic = match event {
            None if is_broken => None,
            Some(event) if !arguments.has_unnamed() => Some(Topic::Event(event)),
            Some(event) => {
                mistakes.on(event, "the event has the channel; leave out one of the two");
                arguments.name("the channel", "\"user_events\"", mistakes).map(Topic::Name)
            }
            None => arguments.name("the channel", "\"user_events\"", mistakes).map(Topic::Name),
        };
        let concurrency = arguments.count("concurrency", mistakes);
        let singleton = arguments.flag("singleton", mistakes);
        arguments.finish(mistakes);
        let topic = match topic? {
            Topic::Name(name) => Topic::Name(checked_channel(name, mistakes)?),
            event @ Topic::Event(_) => event,
        };
        Some(Self { topic, concurrency, singleton })
    }
}

/// The name, when it can be that of a channel.
pub(crate) fn checked_channel(name: LitStr, mistakes: &mut Mistakes) -> Option<LitStr> {
    match names::check_channel(&name.value()) {
        Ok(()) => Some(name),
        Err(reason) => {
            mistakes.on(&name, format!("this can't be the name of a channel: {reason}"));
            None
        }
    }
}
