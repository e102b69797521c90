//! A server that refuses: its errors state what to do, and the service recovers without a restart.

use daebus::prelude::*;
use daebus_tests::{Process, RedisServer, until, within};

use super::{counted, cycles};

/// Has all permissions at first, which the tests then take from it.
const ACCOUNT: [&str; 3] = ["ACL", "SETUSER", "svc"];

fn set_account(redis: &RedisServer, rules: &[&str]) {
    assert_eq!(redis.cli(&[&ACCOUNT, rules].concat()), "OK");
}

/// A service with an account of its own.
fn start(redis: &RedisServer) -> Process {
    set_account(redis, &["on", ">secret", "~*", "&*", "+@all"]);
    counted(&format!("redis://svc:secret@127.0.0.1:{}", redis.port()))
}

fn is_subscribed(redis: &RedisServer, channel: &str) -> bool {
    redis.cli(&["PUBSUB", "NUMSUB", channel]).ends_with('1')
}

#[test]
fn a_subscription_that_is_denied_at_a_reconnect_is_restored_when_it_is_permitted() {
    let redis = RedisServer::start();
    let service = start(&redis);
    let mut read = service.mark();
    for _ in 0..cycles() {
        // Redis disconnects a client whose channels are no longer permitted.
        set_account(&redis, &["resetchannels", "&counted", "&daebus:*", "&caller:*"]);
        let line;
        (read, line) = service.line_from(read, "the server refuses to restore subscriptions");
        for words in ["topic=news", "NOPERM", "ACL SETUSER"] {
            assert!(line.contains(words), "{words:?} is missing in: {line}");
        }
        // Another reconnect of the same episode.
        redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        (read, _) = service.line_from(read, "the bus is back");
        set_account(&redis, &["allchannels"]);
        (read, _) = service.line_from(read, "all subscriptions are restored");
        assert!(is_subscribed(&redis, "news") && is_subscribed(&redis, "counted"));
    }
    let logged = service.said().matches("the server refuses to restore subscriptions").count();
    assert_eq!(logged as u64, cycles(), "once per episode:\n{}", service.said());
}

#[test]
fn the_services_own_channel_is_subscribed_again_when_it_is_permitted() {
    let redis = RedisServer::start();
    let service = start(&redis);
    let mut read = service.mark();
    for _ in 0..cycles() {
        set_account(&redis, &["resetchannels", "&news", "&daebus:*", "&caller:*"]);
        let line;
        (read, line) = service.line_from(read, "subject=presence");
        for words in ["ERROR", "NOPERM", "ACL SETUSER"] {
            assert!(line.contains(words), "{words:?} is missing in: {line}");
        }
        set_account(&redis, &["allchannels"]);
        (read, _) = service.line_from(read, "error ended");
        until("it is subscribed again", || is_subscribed(&redis, "counted"));
    }
}

#[test]
fn a_password_that_is_changed_is_logged_with_advice_and_recovery_needs_no_restart() {
    let redis = RedisServer::start();
    let service = start(&redis);
    let mut read = service.mark();
    for _ in 0..cycles() {
        set_account(&redis, &["resetpass", ">another"]);
        redis.cli(&["CLIENT", "KILL", "USER", "svc"]);
        let line;
        (read, line) = service.line_from(read, "the server refuses the connection");
        for words in ["WARN", "WRONGPASS", "the URL's user name or password is not the server's"] {
            assert!(line.contains(words), "{words:?} is missing in: {line}");
        }
        assert!(!line.contains("secret"), "{line}");
        set_account(&redis, &["resetpass", ">secret"]);
        (read, _) = service.line_from(read, "the bus is back");
        until("it is subscribed again", || is_subscribed(&redis, "counted"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_the_cache_state_what_to_do_about_a_server_that_refuses_writes() {
    let redis = RedisServer::start();
    let service = start(&redis);
    let caller = Caller::connect(&redis.url(), "counted").await.unwrap();
    let store = || within(caller.send_request::<Option<String>>("store", ()).into_future());
    for _ in 0..cycles() {
        for (refuse, code, advice, allow) in [
            (
                &["CONFIG", "SET", "maxmemory", "1"][..],
                "OOM",
                "raise maxmemory",
                &["CONFIG", "SET", "maxmemory", "0"][..],
            ),
            (
                &["REPLICAOF", "127.0.0.1", "1"],
                "READONLY",
                "use the URL of its primary",
                &["REPLICAOF", "NO", "ONE"],
            ),
            (
                &["ACL", "SETUSER", "svc", "-set"],
                "NOPERM",
                "ACL SETUSER",
                &["ACL", "SETUSER", "svc", "+@all"],
            ),
        ] {
            redis.cli(refuse);
            let error = store().await.unwrap().unwrap_or_default();
            assert!(error.contains(code) && error.contains(advice), "{code}: {error}");
            redis.cli(allow);
            assert_eq!(store().await.unwrap(), None, "after {code}");
        }
    }
    drop(service);
}
