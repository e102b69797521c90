//! The exit codes, and what the program prints with each.

use daebus_tests::{Process, RedisServer, until};

use crate::program::{daebus, program, ran, run};
use crate::service;

#[tokio::test(flavor = "multi_thread")]
async fn an_error_answer_is_1() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let ran = run(&redis, &["call", "user_service", "get_user", r#"{"id": 8}"#]).ended(1);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "error: user 8 not found (not_found)\n"));
    let ran = run(&redis, &["call", "user_service", "get_user", r#"{"id": 8}"#, "--json"]).ended(1);
    let expected = serde_json::json!({
        "error": "user 8 not found", "kind": "answer", "code": "not_found", "details": {"id": 8},
    });
    assert_eq!(ran.error(), expected);
    let ran = run(&redis, &["call", "user_service", "get_usr"]).ended(1);
    assert!(ran.err.contains(r#"; did you mean "get_user"? (unknown_action)"#), "{ran:?}");
    service.stop().await.unwrap();
}

#[test]
fn wrong_usage_is_2() {
    let usage = |arguments: &[&str], reason: &str| {
        let ran = ran(&program(arguments).output().unwrap()).ended(2);
        assert!(ran.out.is_empty() && ran.err.contains(reason), "{arguments:?}: {ran:?}");
    };
    usage(&["cal"], "similar subcommand exists: 'call'");
    usage(&["call", "svc", "get", "seven"], "the payload is not JSON");
    usage(&["call", "svc", "get", "@/does/not/exist"], "/does/not/exist can't be read");
    usage(&["call", "svc", "get", "--timeout", "soon"], "expected a duration such as 200ms");
    usage(&["call", "svc", "get", "--header", "tenant"], "expected NAME=VALUE");
    usage(&["call", "svc", "get", "--on", "a", "--all"], "cannot be used with");
    usage(&["services", "--bus", "memory://x"], "can't be reached from another process");
    usage(&["services", "--bus", "http://x"], "can't be used");
}

#[test]
fn an_invalid_name_is_2() {
    let redis = RedisServer::start();
    let ran = run(&redis, &["call", "a\nb", "get"]).ended(2);
    assert!(ran.err.contains("control character"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_service_or_instance_is_3() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    for command in ["call", "info", "stats", "ping", "instances", "top", "bench"] {
        let mut arguments = vec![command, "user_servce", "--json"];
        if ["call", "bench"].contains(&command) {
            arguments.push("get_user");
        }
        let ran = run(&redis, &arguments).ended(3);
        let error = ran.error();
        let expected = format!(
            "no service \"user_servce\" is on the bus at {}; did you mean \"user_service\"?",
            redis.url()
        );
        assert_eq!((&error["kind"], &error["error"]), (&"no_service".into(), &expected.into()), "{command}");
    }
    let ran = run(&redis, &["call", "unlike", "get_user"]).ended(3);
    assert!(ran.err.ends_with("; `daebus services` lists those that are\n"), "{ran:?}");
    let ran = run(&redis, &["call", "user_service", "get_user", "--on", "user_service@2"]).ended(3);
    assert!(ran.err.contains("did you mean \"user_service@1\"?"), "{ran:?}");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_4() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let ran = run(&redis, &["call", "user_service", "slow", "--timeout", "50ms"]).ended(4);
    assert!(ran.err.contains("; the action may have run: the limit is --timeout, "), "{ran:?}");
    let ran = run(&redis, &["call", "user_service", "slow", "--timeout", "50ms", "--all", "--json"]).ended(4);
    assert_eq!((ran.objects().len(), &ran.error()["kind"]), (1, &"instances".into()));
    // The service answers `deadline_exceeded` long before the caller's own limit.
    let ran = run(&redis, &["call", "user_service", "limited", "--json"]).ended(4);
    let error = ran.error();
    assert_eq!(error["kind"], "timeout");
    assert!(
        error["error"].as_str().unwrap().starts_with("the handler did not finish within its time limit; "),
        "{ran:?}"
    );
    service.stop().await.unwrap();
}

#[test]
fn a_bus_that_is_away_or_refuses_is_5() {
    let redis = RedisServer::not_started(&[]);
    let ran = run(&redis, &["services"]).ended(5);
    let expected = format!(
        "error: the bus at {} can't be reached: start the server, or name another one with --bus or DAEBUS_URL\n",
        redis.url()
    );
    assert_eq!(ran.err, expected);
    let redis = RedisServer::start_with(&["--requirepass", "secret"]);
    let url = format!("redis://:wrong@127.0.0.1:{}", redis.port());
    let ran = run(&redis, &["services", "--bus", &url]).ended(5);
    assert!(!ran.err.contains("wrong"), "{ran:?}");
}

#[test]
fn ctrl_c_is_130_even_while_the_standard_input_is_read() {
    let redis = RedisServer::start();
    let mut call = Process::start(&mut daebus(&redis, &["call", "svc", "get", "-"]));
    // The handler of the signal is installed before the input is read.
    until("the signal is caught", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", call.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap_or_default() & 0b10 != 0)
    });
    call.signal("INT");
    assert_eq!(call.wait().code(), Some(130), "{}", call.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_output_is_no_failure() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let mut command = daebus(&redis, &["services"]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = ran(&child.wait_with_output().unwrap()).ended(0);
    assert_eq!(ran.err, "");
    service.stop().await.unwrap();
}
