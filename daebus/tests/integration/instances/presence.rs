//! Instances that join, drain, lapse and leave.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use daebus::prelude::*;
use daebus_tests_support::{eventually, next, within};
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Cluster;

#[member_joined]
async fn joined(member: Instance, State(events): State<Events>) {
    events.0.send(format!("joined {}", member.id)).unwrap();
}

#[member_left]
async fn left(member: Instance, State(events): State<Events>) {
    events.0.send(format!("left {}", member.id)).unwrap();
}

/// The handlers of [`joined`] and [`left`], mounted without attributes.
fn hooks() -> Blueprint {
    Blueprint::new("hooks").member_joined(joined).member_left(left)
}

#[derive(Clone)]
struct Events(mpsc::UnboundedSender<String>);

#[tokio::test(start_paused = true)]
async fn hooks_report_instances_that_join_and_leave() {
    let cluster = Cluster::new("hooks").await;
    let (events, mut reported) = mpsc::unbounded_channel();
    let a = cluster.start("a").await;
    let watching = cluster.app("w").state(Events(events)).register(hooks());
    let watching = watching.start().await.unwrap();
    assert_eq!(next(&mut reported).await, "joined a");
    let b = cluster.start("b").await;
    assert_eq!(next(&mut reported).await, "joined b");
    a.stop().await.unwrap();
    assert_eq!(next(&mut reported).await, "left a");
    let killed = Instant::now();
    drop(b);
    assert_eq!(next(&mut reported).await, "left b");
    assert!(killed.elapsed() <= Duration::from_secs(25), "{:?}", killed.elapsed());
    watching.stop().await.unwrap();
    assert!(reported.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_lost_presence_is_restored_within_one_refresh() {
    let mut cluster = Cluster::new("restored").await;
    let a = cluster.start("a").await;
    let run = cluster.info("a").await.unwrap()["run"].clone();
    cluster.lose_info("a").await;
    cluster.bus.delete("daebus:instances:svc").await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(cluster.info("a").await.unwrap()["run"], run);
    assert_eq!(cluster.bus.set_members("daebus:instances:svc").await.unwrap(), ["a"]);
    cluster.request("svc", "work", 1).await;
    assert_eq!(cluster.all_replies().await.len(), 1, "it is alone");
    a.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lapsed_instance_refuses_the_requests_of_its_own_channel() {
    let mut cluster = Cluster::new("lapsed-own").await;
    let services = [cluster.start("a").await, cluster.start("b").await];
    // `b` reports `a`, as it does when it finds the info expired.
    let run = cluster.info("a").await.unwrap()["run"].clone();
    cluster.lose_info("a").await;
    let left = json!({"event": "left", "id": "a", "run": run, "rev": 9});
    cluster.bus.publish("daebus:members:svc", left.to_string().into()).await.unwrap();
    cluster.request("daebus:to:a", "work", 1).await;
    let reply = next(&mut cluster.replies).await;
    assert_eq!((&reply["refused"], &reply["instance"]), (&json!(true), &json!("a")), "{reply}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster.request("daebus:to:a", "work", 2).await;
    assert_eq!(next(&mut cluster.replies).await["payload"], "a");
    for service in services {
        service.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn requests_to_draining_instances_only_are_refused_once() {
    let mut cluster = Cluster::new("draining").await;
    let (a, b) = (cluster.start("a").await, cluster.start("b").await);
    for name in ["a", "b"] {
        cluster.request(&format!("daebus:to:{name}"), "hold", 0).await;
        next(&mut cluster.runs).await;
    }
    let ends: Vec<_> = [a, b].into_iter().map(|service| tokio::spawn(service.stop())).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(cluster.info("a").await.unwrap()["state"], "draining");
    assert!(cluster.bus.subscribers("svc").await.unwrap() >= 1, "the last one stays");
    for id in 1..20 {
        cluster.request("svc", "work", id).await;
    }
    let replies = cluster.all_replies().await;
    assert_eq!(replies.len(), 19, "{replies:?}");
    for reply in replies {
        assert_eq!((&reply["payload"]["code"], &reply["refused"]), (&json!("shutting_down"), &json!(true)));
    }
    cluster.gate.0.add_permits(2);
    for end in ends {
        within(end).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_drains_gets_no_request_of_the_service() {
    let mut cluster = Cluster::new("drain-one").await;
    let (a, b) = (cluster.start("a").await, cluster.start("b").await);
    cluster.request("daebus:to:a", "hold", 0).await;
    next(&mut cluster.runs).await;
    let end = tokio::spawn(a.stop());
    eventually("it has left the channel", async || cluster.bus.subscribers("svc").await.unwrap() == 1).await;
    cluster.request("daebus:to:a", "work", 1).await;
    let reply = next(&mut cluster.replies).await;
    assert_eq!((&reply["payload"]["code"], &reply["refused"]), (&json!("shutting_down"), &json!(true)));
    cluster.request("svc", "work", 2).await;
    assert_eq!(next(&mut cluster.replies).await["payload"], "b");
    cluster.gate.0.add_permits(1);
    within(end).await.unwrap().unwrap();
    b.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_configured_id_is_refused_while_it_is_in_use_and_taken_over_when_it_has_expired() {
    let cluster = Cluster::new("configured").await;
    let first = cluster.start("node-1").await;
    let error = cluster.app("node-1").start().await.expect_err("the id is in use").to_string();
    assert!(error.contains("node-1") && error.contains(&std::process::id().to_string()), "{error}");
    assert!(cluster.info("node-1").await.is_some(), "the first one keeps it");
    let killed = Instant::now();
    drop(first);
    let second = cluster.start("node-1").await;
    assert!(killed.elapsed() <= Duration::from_secs(16), "{:?}", killed.elapsed());
    second.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_id_was_taken_stops_with_an_error() {
    let cluster = Cluster::new("taken").await;
    let service = cluster.start("a").await;
    cluster.take_id("a").await;
    within(service.shutdown().requested()).await;
    let error = service.stop().await.expect_err("another process has the id").to_string();
    assert!(error.contains("other-host"), "{error}");
    assert_eq!(cluster.info("a").await.unwrap()["host"], "other-host", "the other one's info stays");
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_id_was_taken_does_not_answer_requests_to_that_id() {
    let mut cluster = Cluster::new("taken-channel").await;
    let service = cluster.start("a").await;
    cluster.request("daebus:to:a", "hold", 0).await;
    next(&mut cluster.runs).await;
    cluster.take_id("a").await;
    within(service.shutdown().requested()).await;
    let end = tokio::spawn(service.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    cluster.request("daebus:to:a", "work", 1).await;
    assert_eq!(cluster.all_replies().await, Vec::<Value>::new());
    cluster.gate.0.add_permits(1);
    within(end).await.unwrap().unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_refused_its_id_runs_no_request_to_that_id() {
    let mut cluster = Cluster::new("refused-id").await;
    let first = cluster.start("node-1").await;
    let starting = tokio::spawn(cluster.app("node-1").start());
    for id in 0..20 {
        cluster.request("daebus:to:node-1", "work", id).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    within(starting).await.unwrap().expect_err("the id is in use");
    assert_eq!((cluster.all_replies().await.len(), cluster.all_runs().len()), (20, 20));
    first.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_was_frozen_refuses_requests_before_it_has_refreshed_its_presence() {
    let mut cluster = Cluster::new("frozen").await;
    let services = [cluster.start("a").await, cluster.start("b").await];
    tokio::time::sleep(Duration::from_secs(1)).await;
    // No task runs before the request is published.
    let _ = tokio::time::advance(Duration::from_secs(20)).now_or_never();
    cluster.request("daebus:to:a", "work", 1).await;
    let reply = next(&mut cluster.replies).await;
    assert_eq!((&reply["refused"], &reply["instance"]), (&json!(true), &json!("a")), "{reply}");
    assert_eq!(cluster.all_runs(), []);
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster.request("daebus:to:a", "work", 2).await;
    assert_eq!(next(&mut cluster.replies).await["payload"], "a");
    for service in services {
        service.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_a_claim_at_the_end_of_the_drain_time_are_refused() {
    let mut cluster = Cluster::new("drain-end").await;
    let drain = Duration::from_secs(1);
    let a = cluster.app("a").drain(drain).start().await.unwrap();
    let b = cluster.app("b").drain(drain).start().await.unwrap();
    for name in ["a", "b"] {
        cluster.request(&format!("daebus:to:{name}"), "hold", 0).await;
        next(&mut cluster.runs).await;
    }
    let ends: Vec<_> = [a, b].into_iter().map(|service| tokio::spawn(service.stop())).collect();
    tokio::time::sleep(drain.saturating_sub(Duration::from_millis(50))).await;
    for id in 1..20 {
        cluster.request("svc", "work", id).await;
    }
    let replies = cluster.all_replies().await;
    let refused = replies.iter().filter(|reply| reply["request_id"] != 0);
    let refused: Vec<_> = refused.map(|reply| (&reply["payload"]["code"], &reply["refused"])).collect();
    assert_eq!(refused, vec![(&json!("shutting_down"), &json!(true)); 19]);
    for end in ends {
        within(end).await.unwrap().unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_starts_while_writes_are_refused_is_visible_to_the_others() {
    let mut cluster = Cluster::new("no-writes").await;
    let a = cluster.start("a").await;
    cluster.refuse_writes();
    let b = cluster.start("b").await;
    for id in 0..50 {
        cluster.request("svc", "work", id).await;
    }
    assert_eq!((cluster.all_replies().await.len(), cluster.all_runs().len()), (50, 50));
    a.stop().await.unwrap();
    b.stop().await.unwrap();
}
