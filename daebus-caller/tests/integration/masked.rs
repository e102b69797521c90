//! No part of a secret in a URL is ever shown.

use daebus_caller::bus::BusUrl;
use proptest::prelude::*;

/// Secrets begin and end with this word, and have anything in between.
const WORD: &str = "hunter";

/// Places of a password.
const PASSWORDS: [&str; 15] = [
    "redis://user:{}@host:6379/0",
    "redis://:{}@host",
    "rediss://user:{}@host",
    "redis+unix://user:{}@host/run/redis.sock",
    "redis-cluster://user:{}@host:1?node=b:2",
    "redis-sentinel://user:{}@h:1/0?sentinelServiceName=m&sentinelUsername=x&sentinelPassword={}",
    "http://user:{}@host",
    "user:{}@host:6379",
    "//user:{}@host",
    "redis:/user:{}@host",
    "redis://host/0?pass={}",
    "redis://host/0?password={}",
    "redis://host?node=b:2&token={}",
    "host?token={}",
    "redis://host/0#{}",
];

/// Places of a user's name without a password. A name with a `:` in it would be a name and a password.
const USERS: [&str; 4] = ["redis://{}@host:6379/0", "redis://{}:@host", "http://{}@host", "{}@host"];

/// Everything that a program may print of a URL.
fn shown(url: &str) -> String {
    match BusUrl::parse(url) {
        Ok(parsed) => format!("{parsed} {parsed:?}"),
        Err(error) => format!("{error} {error:?}"),
    }
}

proptest! {
    #[test]
    fn a_password_is_never_shown(
        template in proptest::sample::select(&PASSWORDS[..]),
        between in "[-:/?#@&=;%+!$^~ \\[\\]\"\\\\0-9é]{0,8}",
    ) {
        let url = template.replace("{}", &format!("{WORD}{between}{WORD}"));
        prop_assert!(!shown(&url).contains(WORD), "{} shows {}", url, shown(&url));
    }

    #[test]
    fn a_users_name_alone_is_never_shown(
        template in proptest::sample::select(&USERS[..]),
        between in "[-/?#@&=;%+!$^~ \\[\\]\"\\\\0-9é]{0,8}",
    ) {
        let url = template.replace("{}", &format!("{WORD}{between}{WORD}"));
        prop_assert!(!shown(&url).contains(WORD), "{} shows {}", url, shown(&url));
    }

    #[test]
    fn a_password_in_the_place_of_the_port_is_never_shown(between in "[-:/?#&=;%+!$^~ \\[\\]\"\\\\0-9é]{0,8}") {
        let url = format!("redis://host:{WORD}{between}{WORD}");
        prop_assert!(!shown(&url).contains(WORD), "{} shows {}", url, shown(&url));
    }
}
