//! Several instances of a service on the in-process bus, with a paused clock.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::collections::BTreeSet;
use std::sync::Arc;

use daebus::caller::bus::{self, Bus, BusUrl, Message, SetOptions, Subscription, Topic};
use daebus::prelude::*;
use daebus::{Service, member_joined, member_left};
use daebus_tests_support::{eventually, next, within};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

#[derive(Clone)]
struct Runs(mpsc::UnboundedSender<(String, u64)>);

/// The name of an instance in its test.
#[derive(Clone)]
struct Name(String);

/// A handler that ends when the test permits it.
#[derive(Clone)]
struct Gate(Arc<Semaphore>);

#[action("work")]
async fn work(Payload(n): Payload<u64>, State(Name(name)): State<Name>, State(runs): State<Runs>) -> String {
    runs.0.send((name.clone(), n)).unwrap();
    name
}

#[action("hold")]
async fn hold(State(gate): State<Gate>, State(Name(name)): State<Name>, State(runs): State<Runs>) {
    runs.0.send((name, 0)).unwrap();
    gate.0.acquire().await.unwrap().forget();
}

#[member_joined]
async fn joined(member: Instance, State(events): State<Events>) {
    events.0.send(format!("joined {}", member.id)).unwrap();
}

#[member_left]
async fn left(member: Instance, State(events): State<Events>) {
    events.0.send(format!("left {}", member.id)).unwrap();
}

/// Without attributes, as [`joined`] and [`left`] have them.
fn hooks() -> Blueprint {
    Blueprint::new("hooks").member_joined(joined).member_left(left)
}

#[derive(Clone)]
struct Events(mpsc::UnboundedSender<String>);

/// A bus with a Python-like caller, on which instances of one service start.
struct Cluster {
    url: String,
    bus: Arc<dyn Bus>,
    runs: mpsc::UnboundedReceiver<(String, u64)>,
    ran: mpsc::UnboundedSender<(String, u64)>,
    replies: mpsc::UnboundedReceiver<Value>,
    gate: Gate,
    _inbox: Subscription,
}

impl Cluster {
    async fn new(name: &str) -> Self {
        let url = format!("memory://instances-{name}");
        let bus = bus::connect(&BusUrl::parse(&url).unwrap()).await.unwrap();
        let (ran, runs) = mpsc::unbounded_channel();
        let (received, replies) = mpsc::unbounded_channel();
        let take =
            move |message: Message| received.send(serde_json::from_slice(&message.payload).unwrap()).unwrap();
        let inbox = bus.subscribe(Topic::Channel("caller:x".into()), Arc::new(take)).await.unwrap();
        let gate = Gate(Arc::new(Semaphore::new(0)));
        Self { url, bus, runs, ran, replies, gate, _inbox: inbox }
    }

    fn app(&self, name: &str) -> Daebus {
        Daebus::new("svc")
            .bus(&self.url)
            .instance_id(name)
            .state(Runs(self.ran.clone()))
            .state(Name(name.to_owned()))
            .state(self.gate.clone())
            .register(blueprint_of!["work"; work, hold])
    }

    async fn start(&self, name: &str) -> Service {
        self.app(name).start().await.unwrap()
    }

    /// Publishes a request as a Python caller does.
    async fn request(&self, channel: &str, action: &str, id: u64) {
        let request = json!({"action": action, "payload": id, "request_id": id, "reply_to": "caller:x"});
        self.bus.publish(channel, request.to_string().into()).await.unwrap();
    }

    async fn info(&self, id: &str) -> Option<Value> {
        let info = self.bus.get(&format!("daebus:info:{id}")).await.unwrap();
        info.map(|info| serde_json::from_slice(&info).unwrap())
    }

    async fn lose_info(&self, id: &str) {
        assert!(self.bus.delete(&format!("daebus:info:{id}")).await.unwrap());
    }

    /// The replies that arrive within a second.
    async fn all_replies(&mut self) -> Vec<Value> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        std::iter::from_fn(|| self.replies.try_recv().ok()).collect()
    }

    fn all_runs(&mut self) -> Vec<(String, u64)> {
        std::iter::from_fn(|| self.runs.try_recv().ok()).collect()
    }
}

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
async fn everyone_answers_if_the_application_asks_for_it() {
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
async fn hooks_report_who_joins_and_who_leaves() {
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
async fn an_action_of_another_instance_is_left_to_it() {
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
    let mut info = cluster.info("a").await.unwrap();
    info["run"] = json!("00000000-0000-0000-0000-000000000007");
    info["host"] = json!("other-host");
    cluster.bus.set("daebus:info:a", info.to_string().into(), SetOptions::default()).await.unwrap();
    within(service.shutdown().requested()).await;
    let error = service.stop().await.expect_err("another process has the id").to_string();
    assert!(error.contains("other-host"), "{error}");
    assert_eq!(cluster.info("a").await.unwrap()["host"], "other-host", "the other one's info stays");
}

/// Reports runs of singletons as `instance token`.
#[background("report", 60, singleton)]
async fn report(lease: daebus::Lease, State(Name(name)): State<Name>, State(runs): State<Runs>) {
    runs.0.send((name, lease.token())).unwrap();
}

/// Runs until it is cancelled.
#[background("endless", every = "60s", immediate, singleton)]
async fn endless(State(Name(name)): State<Name>, State(runs): State<Runs>) {
    runs.0.send((name.clone(), 1)).unwrap();
    let _cancelled = Cancelled(name, runs.0.clone());
    std::future::pending().await
}

struct Cancelled(String, mpsc::UnboundedSender<(String, u64)>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        let _ = self.1.send((self.0.clone(), 0));
    }
}

#[listen("orders", singleton)]
async fn order(Payload(n): Payload<u64>, State(Name(name)): State<Name>, State(runs): State<Runs>) {
    runs.0.send((name, n)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_singleton_runs_on_one_instance_and_moves_when_that_stops_or_is_killed() {
    let mut cluster = Cluster::new("singleton").await;
    let mut services = Vec::new();
    for name in ["a", "b", "c"] {
        let app = cluster.app(name).register(blueprint_of!["singleton"; report]);
        services.push((name, app.start().await.unwrap()));
    }
    let mut tokens = Vec::new();
    for kill in [false, true, false] {
        tokio::time::sleep(Duration::from_secs(301)).await;
        let runs = cluster.all_runs();
        assert_eq!(runs.len(), 5, "{runs:?}");
        let holder = runs[0].clone();
        assert!(runs.iter().all(|run| *run == holder), "{runs:?}");
        tokens.push(holder.1);
        let position = services.iter().position(|(name, _)| *name == holder.0).unwrap();
        let (_, service) = services.remove(position);
        let began = Instant::now();
        if kill {
            drop(service);
        } else {
            service.stop().await.unwrap();
        }
        // Longer than the longest handover.
        tokio::time::sleep_until(began + Duration::from_secs(50)).await;
        cluster.all_runs();
        if services.is_empty() {
            break;
        }
    }
    assert!(tokens.is_sorted_by(|one, next| one < next), "{tokens:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_is_cancelled_when_the_lease_is_lost() {
    let mut cluster = Cluster::new("lease-lost").await;
    let app = cluster.app("a").register(blueprint_of!["singleton"; endless]);
    let service = app.start().await.unwrap();
    assert_eq!(next(&mut cluster.runs).await, ("a".to_owned(), 1));
    let other = SetOptions { ttl: Some(Duration::from_secs(3600)), only_if_absent: false };
    cluster.bus.set("daebus:lease:svc:endless", "other:run:1".into(), other).await.unwrap();
    let begun = Instant::now();
    assert_eq!(next(&mut cluster.runs).await, ("a".to_owned(), 0), "cancelled");
    assert!(begun.elapsed() <= Duration::from_secs(5));
    let asked = service.tasks().run_now("endless").await;
    assert!(matches!(asked, Err(daebus::TaskError::NotHolder { .. })), "{asked:?}");
    service.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_instance_handles_each_message_of_a_singleton_listener() {
    let mut cluster = Cluster::new("listen-singleton").await;
    let mut services = Vec::new();
    for name in ["a", "b"] {
        let app = cluster.app(name).register(blueprint_of!["singleton"; order]);
        services.push(app.start().await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in 0..20_u64 {
        cluster.bus.publish("orders", n.to_string().into()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let runs = cluster.all_runs();
    assert!(runs.len() == 20 && runs.iter().all(|(name, _)| *name == runs[0].0), "{runs:?}");
    for service in services {
        service.stop().await.unwrap();
    }
}
