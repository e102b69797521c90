//! Claims of requests that several instances receive.

use std::collections::BTreeSet;
use std::sync::Arc;

use daebus::caller::bus::{Message, SetOptions, Topic};
use daebus::prelude::*;
use daebus_tests_support::{eventually, next};
use futures_util::poll;
use tokio::time::Instant;

use super::Cluster;

#[tokio::test(start_paused = true)]
async fn one_of_several_instances_answers_each_request() {
    let mut cluster = Cluster::new("one-answers").await;
    let services = [cluster.start("a").await, cluster.start("b").await, cluster.start("c").await];
    for id in 0..200 {
        cluster.request("svc", "work", id).await;
    }
    let replies = cluster.all_replies().await;
    let answered: BTreeSet<u64> = replies.iter().map(|reply| reply["request_id"].as_u64().unwrap()).collect();
    assert_eq!((replies.len(), answered.len()), (200, 200));
    let names: BTreeSet<String> = cluster.all_runs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(replies.iter().all(|reply| reply["instance"] == reply["payload"]));
    for service in services {
        service.stop().await.unwrap();
    }
    assert!(cluster.bus.set_members("daebus:instances:svc").await.unwrap().is_empty());
    assert_eq!(cluster.info("a").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_single_instance_claims_nothing() {
    let mut cluster = Cluster::new("single").await;
    let service = cluster.start("a").await;
    let begun = Instant::now();
    cluster.request("svc", "work", 1).await;
    assert_eq!(next(&mut cluster.replies).await["payload"], "a");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let hash = daebus::caller::wire::selection::claim_hash("caller:x", "1");
    assert_eq!(cluster.bus.get(&format!("daebus:claim:svc:{hash}")).await.unwrap(), None);
    service.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_instance_answers_with_everyone() {
    let mut cluster = Cluster::new("everyone").await;
    let a = cluster.app("a").everyone().start().await.unwrap();
    let b = cluster.app("b").everyone().start().await.unwrap();
    cluster.request("svc", "work", 1).await;
    assert_eq!(cluster.all_replies().await.len(), 2);
    a.stop().await.unwrap();
    b.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_without_an_id_are_run_by_every_instance() {
    let mut cluster = Cluster::new("one-way").await;
    let services = [cluster.start("a").await, cluster.start("b").await];
    let request = json!({"action": "work", "payload": 7});
    cluster.bus.publish("svc", request.to_string().into()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.all_runs().len(), 2);
    for service in services {
        service.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_requests_of_a_killed_instance_are_answered_by_the_others() {
    let mut cluster = Cluster::new("killed").await;
    let (a, b) = (cluster.start("a").await, cluster.start("b").await);
    drop(a);
    for id in 0..50 {
        cluster.request("svc", "work", id).await;
    }
    assert_eq!(cluster.all_replies().await.len(), 50, "the survivor waits for the rank of the killed one");
    eventually("the presence has expired", async || {
        cluster.bus.set_members("daebus:instances:svc").await.unwrap() == ["b"]
    })
    .await;
    let begun = Instant::now();
    cluster.request("svc", "work", 100).await;
    next(&mut cluster.replies).await;
    assert_eq!(begun.elapsed(), Duration::ZERO, "the survivor is alone");
    b.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lapsed_instance_leaves_requests_to_the_others() {
    let mut cluster = Cluster::new("lapsed").await;
    let services = [cluster.start("a").await, cluster.start("b").await];
    cluster.lose_info("a").await;
    for id in 0..50 {
        cluster.request("svc", "work", id).await;
    }
    let replies = cluster.all_replies().await;
    assert_eq!(replies.len(), 50);
    assert!(replies.iter().all(|reply| reply["payload"] == "b"), "{replies:?}");
    assert!(cluster.info("a").await.is_some(), "the claim has shown that the presence was lost");
    for id in 100..150 {
        cluster.request("svc", "work", id).await;
    }
    let replies = cluster.all_replies().await;
    assert_eq!(replies.len(), 50);
    assert!(replies.iter().any(|reply| reply["payload"] == "a"));
    for service in services {
        service.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_actions_are_answered_once_and_always_on_the_instances_channel() {
    let mut cluster = Cluster::new("unknown").await;
    let services = [cluster.start("a").await, cluster.start("b").await];
    cluster.request("svc", "nothing", 1).await;
    let replies = cluster.all_replies().await;
    assert_eq!(replies.len(), 1, "{replies:?}");
    assert_eq!(replies[0]["payload"]["code"], "unknown_action");
    cluster.request("daebus:to:b", "nothing", 2).await;
    let reply = next(&mut cluster.replies).await;
    assert_eq!((&reply["refused"], &reply["instance"]), (&json!(true), &json!("b")), "{reply}");
    // A service of another language may have the action.
    let topic = Topic::Channel("svc".into());
    let _python = cluster.bus.subscribe(topic, Arc::new(|_: Message| {})).await.unwrap();
    cluster.request("svc", "nothing", 3).await;
    assert!(cluster.all_replies().await.is_empty());
    for service in services {
        service.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn requests_for_an_action_of_another_instance_are_left_to_that_instance() {
    #[action("special")]
    async fn special() -> u32 {
        7
    }
    let mut cluster = Cluster::new("special").await;
    let a = cluster.start("a").await;
    let b = cluster.app("b").register(blueprint_of!["special"; special]).start().await.unwrap();
    for id in 0..20 {
        cluster.request("svc", "special", id).await;
    }
    let replies = cluster.all_replies().await;
    assert!(replies.len() == 20 && replies.iter().all(|reply| reply["payload"] == 7), "{replies:?}");
    a.stop().await.unwrap();
    b.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_draining_instance_leaves_requests_to_an_instance_that_runs() {
    let mut cluster = Cluster::new("drain-left").await;
    let a = cluster.start("a").await;
    // An instance that has joined, and doesn't claim within the time of this test.
    let mut info = cluster.info("a").await.unwrap();
    (info["id"], info["run"]) = (json!("slow"), json!("00000000-0000-0000-0000-000000000007"));
    cluster.bus.set("daebus:info:slow", info.to_string().into(), SetOptions::default()).await.unwrap();
    let joined = json!({"event": "joined", "id": "slow", "run": info["run"], "rev": info["rev"]});
    cluster.bus.publish("daebus:members:svc", joined.to_string().into()).await.unwrap();
    cluster.request("svc", "work", 0).await;
    assert_eq!(next(&mut cluster.replies).await["payload"], "a", "the other one does not claim");
    // Received before the instance leaves the service's channel, and handled when it drains.
    for id in 1..20 {
        cluster.request("svc", "work", id).await;
    }
    let mut stopping = Box::pin(a.stop());
    assert!(poll!(&mut stopping).is_pending());
    assert_eq!(cluster.all_replies().await, Vec::<Value>::new());
    assert_eq!(cluster.info("a").await.unwrap()["state"], "draining");
    stopping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn claimed_requests_that_have_not_begun_at_the_end_of_the_drain_are_refused() {
    let mut cluster = Cluster::new("claimed-not-begun").await;
    let a = cluster.app("a").concurrency(1).drain(Duration::from_secs(5)).start().await.unwrap();
    let b = cluster.start("b").await;
    cluster.request("daebus:to:a", "hold", 0).await;
    next(&mut cluster.runs).await;
    for id in 1..30 {
        cluster.request("svc", "work", id).await;
    }
    let by_b = cluster.all_replies().await;
    assert!(!by_b.is_empty() && by_b.len() < 29, "each instance has claimed some: {by_b:?}");
    a.stop().await.unwrap_err();
    let by_a = cluster.all_replies().await;
    let of = |code: &str| by_a.iter().filter(|reply| reply["payload"]["code"] == code).collect::<Vec<_>>();
    assert_eq!((of("interrupted").len(), of("shutting_down").len()), (1, 29 - by_b.len()), "{by_a:?}");
    assert!(of("shutting_down").iter().all(|reply| reply["refused"] == true), "{by_a:?}");
    b.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_room_leaves_the_request_to_another() {
    let mut cluster = Cluster::new("room").await;
    let a = cluster.app("a").concurrency(1).backlog(0).start().await.unwrap();
    let b = cluster.start("b").await;
    cluster.request("daebus:to:a", "hold", 0).await;
    next(&mut cluster.runs).await;
    for id in 1..30 {
        cluster.request("svc", "work", id).await;
    }
    let replies = cluster.all_replies().await;
    assert!(replies.len() == 29 && replies.iter().all(|reply| reply["payload"] == "b"), "{replies:?}");
    cluster.gate.0.add_permits(1);
    a.stop().await.unwrap();
    b.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_that_were_claimed_make_room_for_others() {
    let mut cluster = Cluster::new("claim-room").await;
    // Eight units of 1 KiB, one per request.
    let app = |name| cluster.app(name).intake_queue(1000, 8 * 1024);
    let services = [app("a").start().await.unwrap(), app("b").start().await.unwrap()];
    for round in 0..5 {
        for id in 0..6 {
            cluster.request("svc", "work", round * 6 + id).await;
        }
        assert_eq!(cluster.all_replies().await.len(), 6, "round {round}");
    }
    for service in services {
        service.stop().await.unwrap();
    }
}
