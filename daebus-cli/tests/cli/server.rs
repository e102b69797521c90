//! `check`.

use daebus_tests::RedisServer;

use crate::program::run;

#[test]
fn a_server_with_default_settings_passes() {
    let redis = RedisServer::start();
    let ran = run(&redis, &["check"]).ended(0);
    let expected = [
        "ok connection",
        "ok keys",
        "ok sets",
        "ok scripts",
        "ok PUBSUB NUMSUB",
        "ok delivery",
        "ok version",
        "ok role primary",
        "ok output buffer pubsub 33554432 8388608 60",
        "ok memory no limit",
    ];
    let lines = ran.lines();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}, not {expected}");
    }
    assert_eq!(redis.cli(&["KEYS", "*"]), "");
}

#[test]
fn settings_that_lose_messages_are_reported_with_advice() {
    let limit = "pubsub 1mb 1mb 60";
    let redis = RedisServer::start_with(&[
        "--client-output-buffer-limit",
        limit,
        "--maxmemory",
        "100mb",
        "--maxmemory-policy",
        "allkeys-lru",
    ]);
    let ran = run(&redis, &["check", "--json"]).ended(1);
    let checks = ran.objects();
    let warnings: Vec<_> = checks.iter().filter(|check| check["status"] == "warning").collect();
    assert_eq!(warnings.len(), 2, "{checks:#?}");
    assert_eq!((&warnings[0]["name"], &warnings[1]["name"]), (&"output buffer".into(), &"memory".into()));
    assert!(
        warnings[1]["advice"].as_str().is_some_and(|advice| advice.contains("noeviction")),
        "{warnings:?}"
    );
    assert_eq!(ran.error()["kind"], "check");
}

#[test]
fn missing_rights_are_reported() {
    let redis = RedisServer::start();
    redis.cli(&[
        "ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", "-publish", "-eval", "-evalsha",
        "-config",
    ]);
    let url = format!("redis://limited:pw@127.0.0.1:{}", redis.port());
    let ran = run(&redis, &["check", "--json", "--bus", &url]).ended(1);
    let checks = ran.objects();
    let status = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap()["status"].clone();
    assert_eq!(
        [status("keys"), status("scripts"), status("delivery"), status("memory")],
        ["ok", "failed", "failed", "unknown"]
    );
}
