//! `services`, `instances`, `info`, `stats`, `ping` and `completions`.

use daebus_tests::RedisServer;
use serde_json::json;

use crate::program::{program, ran, run};
use crate::service;

#[tokio::test(flavor = "multi_thread")]
async fn services_and_instances_are_listed() {
    let redis = RedisServer::start();
    let ran = run(&redis, &["services"]).ended(0);
    assert!(ran.out.is_empty() && ran.err.starts_with("no service has a live instance"), "{ran:?}");
    let (one, _) = service::start(&redis, "user_service@1").await;
    let (other, _) = service::start(&redis, "user_service@2").await;

    let ran = run(&redis, &["services"]).ended(0);
    assert_eq!(ran.lines(), ["SERVICE INSTANCES VERSION ACTIONS", "user_service 2 1.2.0 5"]);
    let ran = run(&redis, &["services", "--json"]).ended(0);
    let expected = json!({"service": "user_service", "instances": 2, "draining": 0, "versions": ["1.2.0"], "actions": 5});
    assert_eq!(ran.objects(), [expected]);

    let ran = run(&redis, &["instances"]).ended(0);
    let lines = ran.lines();
    assert_eq!(lines[0], "INSTANCE SERVICE VERSION HOST PID UPTIME STATE");
    assert!(
        lines[1].starts_with("user_service@1 user_service 1.2.0 ") && lines[1].ends_with(" running"),
        "{ran:?}"
    );
    assert!(lines[1].contains(&std::process::id().to_string()), "{ran:?}");
    let ran = run(&redis, &["instances", "user_service", "--json"]).ended(0);
    let objects = ran.objects();
    assert_eq!((objects.len(), &objects[1]["id"]), (2, &json!("user_service@2")));
    assert!(objects[1]["uptime_seconds"].is_u64() && objects[1]["state"] == "running", "{objects:?}");
    one.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_described() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let ran = run(&redis, &["info", "user_service"]).ended(0);
    let lines = ran.lines();
    assert_eq!(lines[..2], ["user_service 1.2.0, 1 instance", "Keeps the users of the shop."]);
    for line in [
        "Actions",
        "get_user",
        "Finds a user by number.",
        "payload {id: integer}",
        "answer {id: integer, name: string}",
        "Channels",
        "user_events",
    ] {
        assert!(lines.iter().any(|printed| printed == line), "{line} is missing in {lines:#?}");
    }
    let ran = run(&redis, &["info", "user_service", "--json"]).ended(0);
    assert_eq!(ran.objects()[0]["type"], "daebus.v1.info_response");
    let ran = run(&redis, &["info", "user_service", "get_user", "--json"]).ended(0);
    assert_eq!(ran.objects()[0]["payload"]["required"], json!(["id"]));
    let ran = run(&redis, &["info", "user_service", "get_usr"]).ended(1);
    assert!(ran.err.contains(r#"user_service has no action "get_usr"; did you mean "get_user"?"#), "{ran:?}");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_printed_per_instance() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    run(&redis, &["call", "user_service", "get_user", r#"{"id": 7}"#]).ended(0);
    run(&redis, &["call", "user_service", "get_user", r#"{"id": 8}"#]).ended(1);
    let ran = run(&redis, &["stats", "user_service"]).ended(0);
    let lines = ran.lines();
    assert!(lines[0].starts_with("user_service@1 up "), "{ran:?}");
    assert_eq!(lines[1], "HANDLER KIND REQUESTS ERRORS IN FLIGHT MEAN P99 LAST ERROR");
    let line = lines.iter().find(|line| line.starts_with("get_user ")).unwrap();
    assert!(line.starts_with("get_user action 2 1 0 ") && line.ends_with(" user 8 not found"), "{line}");
    let ran = run(&redis, &["stats", "user_service", "--json"]).ended(0);
    assert_eq!((&ran.objects()[0]["id"], ran.objects().len()), (&json!("user_service@1"), 1));
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_instance_is_pinged() {
    let redis = RedisServer::start();
    let (one, _) = service::start(&redis, "user_service@1").await;
    let (other, _) = service::start(&redis, "user_service@2").await;
    let ran = run(&redis, &["ping", "user_service", "-n", "2", "--interval", "1ms"]).ended(0);
    let lines = ran.lines();
    assert_eq!(lines[0], "INSTANCE ANSWERED MIN MEAN MAX ERROR");
    assert!(
        lines[1].starts_with("user_service@1 2/2 ") && lines[2].starts_with("user_service@2 2/2 "),
        "{ran:?}"
    );
    let ran = run(&redis, &["ping", "user_service", "-n", "1", "--json"]).ended(0);
    assert!(ran.objects().iter().all(|row| row["answered"] == 1 && row["mean_seconds"].is_f64()), "{ran:?}");
    one.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[test]
fn completions_need_no_bus() {
    let ran = ran(&program(&["completions", "bash"]).output().unwrap()).ended(0);
    assert!(ran.out.contains("complete -F _daebus"), "{ran:?}");
}
