//! `call` and `bench`.

use std::sync::atomic::Ordering;

use daebus::prelude::*;
use daebus_tests::{Process, RedisServer, until, within};
use futures_util::stream;

use crate::program::{daebus, run, run_with_input};
use crate::service;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_prints_the_answer() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let ran = run(&redis, &["call", "user_service", "get_user", r#"{"id": 7}"#]).ended(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("{\n  \"id\": 7,\n  \"name\": \"Ada\"\n}\n", ""));
    let ran = run(&redis, &["call", "--json", "user_service", "get_user", r#"{"id": 7}"#]).ended(0);
    assert_eq!(ran.objects(), [json!({"answer": {"id": 7, "name": "Ada"}})]);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_read_from_a_file_or_the_standard_input() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let call = ["call", "user_service", "get_user", "-", "--json"];
    let ran = run_with_input(&redis, &call, r#"{"id": 7}"#).ended(0);
    assert_eq!(ran.objects()[0]["answer"]["name"], "Ada");
    let path = std::env::temp_dir().join(format!("daebus-cli-call-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"id": 7}"#).unwrap();
    let ran = run(&redis, &["call", "user_service", "get_user", &format!("@{}", path.display()), "--json"]);
    std::fs::remove_file(path).unwrap();
    assert_eq!(ran.ended(0).objects()[0]["answer"]["name"], "Ada");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_printed_before_the_answer() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let ran = run(&redis, &["--json", "call", "user_service", "count", "2"]).ended(0);
    let expected =
        [json!({"progress": {"at": 1}}), json!({"progress": {"at": 2}}), json!({"answer": {"counted": 2}})];
    assert_eq!(ran.objects(), expected);
    let ran = run(&redis, &["call", "user_service", "count", "1"]).ended(0);
    assert_eq!(
        (ran.lines(), ran.err.trim_end()),
        (vec!["{".into(), "\"counted\": 1".into(), "}".into()], r#"progress: {"at":1}"#)
    );
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_printed_item_by_item() {
    #[action("range")]
    async fn range(Payload(to): Payload<u64>) -> impl Stream<Item = Result<Value, Fault>> {
        let item = |n| if n == 4 { Err(Fault::new("too_far", "4 is too far")) } else { Ok(json!({"n": n})) };
        stream::iter((1..=to).map(item))
    }
    #[workflow("ask")]
    async fn ask(mut dialog: Dialog) -> Result<String, BoxError> {
        Ok(dialog.ask("who?").await?)
    }
    let redis = RedisServer::start();
    let service = Daebus::new("streams").bus(redis.url()).register(blueprint_of!["streams"; range, ask]);
    let service = service.start().await.unwrap();
    let ran = run(&redis, &["call", "streams", "range", "2"]).ended(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("{\"n\":1}\n{\"n\":2}\n", ""));
    let ran = run(&redis, &["call", "--json", "streams", "range", "1"]).ended(0);
    assert_eq!(ran.objects(), [json!({"item": {"n": 1}})]);
    let ran = run(&redis, &["call", "streams", "range", "9"]);
    assert!(ran.out.ends_with("{\"n\":3}\n") && ran.err.contains("4 is too far"), "{} {}", ran.out, ran.err);
    let ran = run(&redis, &["call", "streams", "ask"]);
    assert!(ran.err.contains("the workflow asks \"who?\""), "{}", ran.err);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_sent() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let ran = run(&redis, &["call", "user_service", "tenant", "--header", "tenant=a=b"]).ended(0);
    assert_eq!(ran.out, "\"a=b\"\n");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_or_all_are_called() {
    let redis = RedisServer::start();
    let (one, _) = service::start(&redis, "user_service@1").await;
    let (other, _) = service::start(&redis, "user_service@2").await;
    let ran = run(&redis, &["call", "user_service", "$ping", "--on", "user_service@2", "--json"]).ended(0);
    assert_eq!(ran.objects()[0]["answer"]["id"], "user_service@2");
    let ran = run(&redis, &["call", "user_service", "get_user", r#"{"id": 7}"#, "--all", "--json"]).ended(0);
    let answer = json!({"id": 7, "name": "Ada"});
    let expected = ["user_service@1", "user_service@2"].map(|id| json!({"instance": id, "answer": answer}));
    assert_eq!(ran.objects(), expected);
    let ran = run(&redis, &["call", "user_service", "get_user", r#"{"id": 8}"#, "--all"]).ended(1);
    assert_eq!(ran.lines()[0], "user_service@1 error: user 8 not found");
    assert_eq!(ran.err, "error: 2 of 2 instances failed\n");
    one.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_the_call() {
    let redis = RedisServer::start();
    let (service, done) = service::start(&redis, "user_service@1").await;
    let mut call = Process::start(&mut daebus(&redis, &["call", "user_service", "slow", "--timeout", "1h"]));
    within(done.slow_has_begun.notified()).await;
    call.signal("INT");
    assert_eq!(call.wait().code(), Some(130), "{}", call.said());
    until("the handler is dropped", || done.slow_is_dropped.load(Ordering::SeqCst) == 1);
    until("the inbox is left", || redis.cli(&["PUBSUB", "CHANNELS", "caller:*"]).is_empty());
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_benchmark_counts_answers_and_failures() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let bench =
        ["bench", "user_service", "get_user", r#"{"id": 7}"#, "--duration", "200ms", "-c", "4", "--json"];
    let ran = run(&redis, &bench).ended(0);
    let measured = &ran.objects()[0];
    assert!(measured["answered"].as_u64().unwrap() >= 4, "{measured}");
    let latency = &measured["latency_seconds"];
    assert!(latency["p50"].as_f64().unwrap() <= latency["max"].as_f64().unwrap(), "{measured}");
    assert_eq!(measured["failed"], json!({}));
    assert_eq!(ran.err, "", "the progress bar needs a terminal");
    let ran =
        run(&redis, &["bench", "user_service", "get_user", r#"{"id": 7}"#, "-d", "0.1", "-c", "1"]).ended(0);
    assert!(
        ran.lines()[0].contains("calls/s") && ran.lines().iter().any(|line| line.starts_with("p99.9 ")),
        "{ran:?}"
    );
    service.stop().await.unwrap();
}
