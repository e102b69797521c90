//! `#[listen("user_events")]`, `#[listen("sensor.*", concurrency = 8)]`, `#[listen("orders", singleton)]`.

use syn::LitStr;

use super::arguments::Arguments;
use crate::mistakes::Mistakes;
use crate::names;

/// A listener, checked.
pub(crate) struct Listen {
    /// A channel, or a pattern of channels as Redis has it.
    pub(crate) topic: LitStr,
    pub(crate) concurrency: Option<usize>,
    /// One instance of the service handles the messages.
    pub(crate) singleton: bool,
}

impl Listen {
    pub(super) fn check(mut arguments: Arguments, mistakes: &mut Mistakes) -> Option<Self> {
        let topic = arguments.name("the channel", "\"user_events\"", mistakes);
        let concurrency = arguments.count("concurrency", mistakes);
        let singleton = arguments.flag("singleton", mistakes);
        arguments.finish(mistakes);
        let topic = checked_channel(topic?, mistakes)?;
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
