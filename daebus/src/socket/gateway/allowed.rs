//! The allow-list of a gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use daebus_caller::bus::Topic;
use daebus_caller::wire::{Channel, ServiceName};

use super::access::Access;
use super::reserved::{is_reserved, reserved_part};
use crate::error::Mistake;

/// What clients may call, subscribe to and publish on. Nothing else is reachable.
#[derive(Debug, Clone, Default)]
pub(super) struct AllowList {
    calls: BTreeMap<String, BTreeSet<String>>,
    subscribe: BTreeSet<String>,
    publish: BTreeSet<String>,
}

impl AllowList {
    pub(super) fn add_calls(&mut self, service: String, actions: impl Iterator<Item = String>) {
        self.calls.entry(service).or_default().extend(actions);
    }

    pub(super) fn add_subscriptions(&mut self, channels: impl Iterator<Item = String>) {
        self.subscribe.extend(channels);
    }

    pub(super) fn add_broadcasts(&mut self, channels: impl Iterator<Item = String>) {
        self.publish.extend(channels);
    }

    /// Returns the services that may be called.
    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.calls.keys().map(String::as_str)
    }

    /// Returns whether the list has what is asked for. A channel is compared as it is and never parsed as a pattern.
    pub(super) fn has(&self, access: Access<'_>) -> bool {
        match access {
            Access::Call { service, action } => {
                !action.starts_with('$')
                    && self.calls.get(service).is_some_and(|actions| actions.contains(action))
            }
            Access::Subscribe { channel } => self.topic(channel).is_some(),
            Access::Publish { channel } => has_channel(&self.publish, channel),
        }
    }

    /// Returns what a subscription to this name selects: the pattern if the list has it literally, else the channel of
    /// that name.
    pub(super) fn topic(&self, name: &str) -> Option<Topic> {
        if self.subscribe.contains(name) {
            return Some(Topic::parse(name));
        }
        has_channel(&self.subscribe, name).then(|| Topic::Channel(name.into()))
    }

    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (service, actions) in &self.calls {
            let name = ServiceName::new(service).err();
            mistakes.extend(name.map(|error| Mistake::new(error.to_string()).at("Gateway::call")));
            if actions.is_empty() {
                let found = format!("no action of {service:?} is named: list those that browsers may call");
                mistakes.push(Mistake::new(found).at("Gateway::call"));
            }
            mistakes.extend(actions.iter().filter_map(|action| {
                let reason = if action.is_empty() {
                    "an action without a name can't be called"
                } else if action.starts_with('$') {
                    "actions that begin with `$` are the framework's and can't be called through the gateway"
                } else if action.contains('*') {
                    "actions are named one by one, without patterns"
                } else {
                    return None;
                };
                Some(Mistake::new(format!("{service:?}, {action:?}: {reason}")).at("Gateway::call"))
            }));
        }
        for (method, names) in [("Gateway::subscribe", &self.subscribe), ("Gateway::publish", &self.publish)]
        {
            let found = names.iter().filter_map(|name| wrong(name));
            mistakes.extend(found.map(|reason| Mistake::new(reason).at(method)));
        }
        mistakes
    }
}

fn wrong(name: &str) -> Option<String> {
    if let Err(error) = Channel::check(name) {
        return Some(error.to_string());
    }
    if matches!(Topic::parse(name), Topic::Channel(_)) {
        return is_reserved(name).then(|| format!("the channel name {name:?} is reserved"));
    }
    reserved_part(name).map(|part| {
        format!(
            "the pattern {name:?} covers reserved names, those with {part:?} for example: begin it with a name of your \
             own, as in \"sensor.*\""
        )
    })
}

fn has_channel(list: &BTreeSet<String>, channel: &str) -> bool {
    Channel::check(channel).is_ok()
        && !is_reserved(channel)
        && list.iter().any(|entry| Topic::parse(entry).matches(channel))
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |names: &BTreeSet<String>| format!("{:?}", Vec::from_iter(names));
        let mut parts = Vec::new();
        parts.extend(
            self.calls.iter().map(|(service, actions)| format!("call {service:?} {}", quoted(actions))),
        );
        for (verb, names) in [("subscribe to", &self.subscribe), ("publish on", &self.publish)] {
            if !names.is_empty() {
                parts.push(format!("{verb} {}", quoted(names)));
            }
        }
        if parts.is_empty() { f.write_str("nothing") } else { f.write_str(&parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(subscribe: &[&str], publish: &[&str]) -> AllowList {
        let mut list = AllowList::default();
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>().into_iter();
        list.add_subscriptions(owned(subscribe));
        list.add_broadcasts(owned(publish));
        list.add_calls("svc".to_owned(), owned(&["get"]));
        list
    }

    #[test]
    fn a_name_is_a_pattern_only_if_the_list_has_it_literally() {
        let list = list(&["news", "sensor.*"], &["chat.*"]);
        assert_eq!(list.topic("news"), Some(Topic::Channel("news".into())));
        assert_eq!(list.topic("sensor.*"), Some(Topic::Pattern("sensor.*".into())));
        assert_eq!(list.topic("sensor.7"), Some(Topic::Channel("sensor.7".into())));
        assert_eq!(list.topic("sensor.[1-9]"), Some(Topic::Channel("sensor.[1-9]".into())));
        for refused in [
            "*",
            "s*",
            "sensor*",
            "sensor?",
            "[s]ensor.*",
            "new?",
            "",
            "sensor.responses",
            "caller:1",
            "chat.1",
        ] {
            assert_eq!(list.topic(refused), None, "{refused}");
        }
        assert!(list.has(Access::Publish { channel: "chat.1" }));
        for refused in ["chat", "news", "chat.workflows", "sensor.1"] {
            assert!(!list.has(Access::Publish { channel: refused }), "{refused}");
        }
    }

    #[test]
    fn calls_are_compared_literally() {
        let list = list(&[], &[]);
        assert!(list.has(Access::Call { service: "svc", action: "get" }));
        for (service, action) in
            [("svc", "set"), ("svc", ""), ("svc", "$ping"), ("sv", "get"), ("", ""), ("svc", "ge*")]
        {
            assert!(!list.has(Access::Call { service, action }), "{service} {action}");
        }
        assert_eq!(list.to_string(), r#"call "svc" ["get"]"#);
        assert_eq!(AllowList::default().to_string(), "nothing");
    }
}
