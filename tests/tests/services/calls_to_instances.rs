//! A Rust caller and three instances of a service, as processes on a real Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use daebus::caller::InstanceState;
use daebus::prelude::*;
use daebus_tests::{Process, RedisServer, eventually, within};
use tokio::task::JoinHandle;

use crate::instances::instance;

const IDS: [&str; 3] = ["a", "b", "c"];

#[derive(Serialize, Deserialize)]
struct Hold {
    on: String,
    ms: u64,
}

/// The actions of an instance that may be repeated.
#[contract("cluster")]
trait Repeatable {
    #[action("hold", idempotent)]
    async fn hold(hold: Hold) -> String;
}

/// Three instances and a caller of them.
struct Cluster {
    redis: RedisServer,
    instances: BTreeMap<&'static str, Process>,
    caller: Caller,
}

impl Cluster {
    async fn start() -> Self {
        let redis = RedisServer::start();
        let caller = Caller::connect(&redis.url(), "cluster").await.unwrap().timeout(Duration::from_secs(30));
        let instances = IDS.map(|id| (id, instance(&redis, id))).into();
        caller.wait_for(3, Duration::from_secs(10)).await.unwrap();
        Self { redis, instances, caller }
    }

    /// Ids of the instances that the caller lists, in this state.
    fn listed(&self, state: InstanceState) -> BTreeSet<String> {
        let members = self.caller.members();
        let members = members.borrow();
        members.iter().filter(|member| member.state == state).map(|member| member.id.to_string()).collect()
    }

    /// A call to `on` that is in flight, and runs there for so long.
    async fn holding(&self, on: &str, ms: u64) -> daebus::caller::Job<String> {
        let mut begun = self.caller.listen::<Value>("holding").await.unwrap();
        let hold = Hold { on: on.to_owned(), ms };
        let job = self.caller.send_request("hold", hold).on_instance(on).spawn();
        within(begun.next()).await.unwrap();
        job
    }

    async fn work(&self, n: u64) -> Result<String, CallError> {
        self.caller.send_request("work", n).await
    }
}

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_reach_all_instances_in_turn_a_named_one_or_all_at_once() {
    let redis = RedisServer::start();
    let caller = Caller::connect(&redis.url(), "cluster").await.unwrap();
    let waiting = tokio::spawn({
        let caller = caller.clone();
        async move { caller.wait_for(3, Duration::from_secs(30)).await }
    });
    let _instances = IDS.map(|id| instance(&redis, id));
    within(waiting).await.unwrap().unwrap();
    assert!(caller.wait_for(4, Duration::from_millis(100)).await.is_err());
    let members = caller.members().borrow().clone();
    assert_eq!(members.iter().map(|member| member.id.as_str()).collect::<Vec<_>>(), IDS);
    assert!(members.iter().all(|member| member.is_running() && member.actions.contains(&"work".to_owned())));

    let mut runs = BTreeMap::<String, u32>::new();
    for n in 0..30_u64 {
        let name: String = caller.send_request("work", n).await.unwrap();
        *runs.entry(name).or_default() += 1;
    }
    assert_eq!(runs, IDS.map(|id| (id.to_owned(), 10)).into());
    for n in 100..103_u64 {
        let name: String = caller.send_request("work", n).on_instance("b").await.unwrap();
        assert_eq!(name, "b");
        let by_key = caller.send_request::<String>("work", n).key("tenant").await.unwrap();
        assert_eq!(by_key, caller.send_request::<String>("work", n).key("tenant").await.unwrap());
    }
    let error = caller.send_request::<String>("work", 7).on_instance("nowhere").await.unwrap_err();
    assert!(matches!(&error, CallError::InstanceLost { instance } if instance == "nowhere"), "{error:?}");
    let all = caller.send_request::<Value>("$ping", ()).on_all().await.unwrap();
    for (id, answer) in &all {
        assert_eq!(answer.as_ref().unwrap()["id"], id.as_str());
    }
    assert_eq!(all.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_a_killed_instance_fail_and_idempotent_ones_are_answered_elsewhere() {
    let mut cluster = Cluster::start().await;
    let lost = cluster.holding("a", 60_000).await;
    let repeatable = RepeatableCaller::new(cluster.caller.clone());
    // One of them reaches `a` in turn.
    let hold = Hold { on: "a".to_owned(), ms: 60_000 };
    let repeated: Vec<_> = IDS.map(|_| repeatable.hold(&hold).spawn()).into();
    let all = cluster.caller.send_request::<String>("hold", &hold).on_all();
    let all = tokio::spawn(all);
    eventually("each other instance has answered", async || cluster.caller.in_flight() == 3).await;

    cluster.instances.remove("a");
    let killed = Instant::now();
    // It expires 10 to 15 s after the process was killed.
    assert_eq!(cluster.redis.cli(&["PEXPIRE", "daebus:info:a", "500"]), "1");
    let error = within(lost).await.unwrap_err();
    assert!(matches!(&error, CallError::InstanceLost { instance } if instance == "a"), "{error:?}");
    // 25 s after it was killed in all.
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    for job in repeated {
        let name = within(job).await.unwrap();
        assert!(name == "b" || name == "c", "{name}");
    }
    let all = within(all).await.unwrap().unwrap();
    for (id, result) in all {
        match id.as_str() {
            "a" => assert!(matches!(result, Err(CallError::InstanceLost { .. })), "{result:?}"),
            other => assert_eq!(result.unwrap(), other),
        }
    }
    assert_eq!(cluster.listed(InstanceState::Running), ids(&["b", "c"]));
    for n in 0..20 {
        assert_ne!(cluster.work(n).await.unwrap(), "a");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_an_instance_that_left_fail_within_a_second() {
    let mut cluster = Cluster::start().await;
    let lost = cluster.holding("a", 60_000).await;
    // What a process publishes that is ended without answering.
    let info: Value = serde_json::from_str(&cluster.redis.cli(&["GET", "daebus:info:a"])).unwrap();
    cluster.instances.remove("a");
    let left = json!({"event": "left", "id": "a", "run": info["run"], "rev": info["rev"]});
    let begun = Instant::now();
    cluster.redis.cli(&["DEL", "daebus:info:a"]);
    cluster.redis.cli(&["PUBLISH", "daebus:members:cluster", &left.to_string()]);
    let error = within(lost).await.unwrap_err();
    assert!(matches!(&error, CallError::InstanceLost { instance } if instance == "a"), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_instance_gets_no_new_calls_and_answers_those_it_has() {
    let mut cluster = Cluster::start().await;
    let held = cluster.holding("a", 1500).await;
    cluster.instances["a"].signal("TERM");
    eventually("the caller knows of the drain", async || {
        cluster.listed(InstanceState::Draining) == ids(&["a"])
    })
    .await;
    for n in 0..30 {
        assert_ne!(cluster.work(n).await.unwrap(), "a");
    }
    assert_eq!(cluster.caller.send_request::<Value>("$ping", ()).on_all().await.unwrap().len(), 2);
    assert_eq!(within(held).await.unwrap(), "a");
    let mut a = cluster.instances.remove("a").unwrap();
    assert_eq!(a.wait().code(), Some(0), "{}", a.said());
    eventually("it has left", async || cluster.listed(InstanceState::Draining).is_empty()).await;
    assert_eq!(cluster.listed(InstanceState::Running), ids(&["b", "c"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_a_frozen_instance_fail_and_are_not_run_when_it_continues() {
    let cluster = Cluster::start().await;
    cluster.instances["a"].signal("STOP");
    let jobs: Vec<_> =
        (0..30_u64).map(|n| (n, cluster.caller.send_request::<String>("work", n).spawn())).collect();
    eventually("the others have answered", async || cluster.caller.in_flight() == 10).await;
    // It expires 10 to 15 s after the process was frozen.
    assert_eq!(cluster.redis.cli(&["PEXPIRE", "daebus:info:a", "500"]), "1");
    let mut lost = Vec::new();
    for (n, job) in jobs {
        match within(job).await {
            Ok(name) => assert_ne!(name, "a"),
            Err(CallError::InstanceLost { instance }) if instance == "a" => lost.push(n),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(lost.len(), 10);
    cluster.instances["a"].signal("CONT");
    within(cluster.caller.wait_for(3, Duration::from_secs(30))).await.unwrap();
    // It refuses what it may have received before it joined again.
    eventually("it takes requests again", async || {
        let answer = cluster.caller.send_request::<String>("work", 100).on_instance("a").await;
        answer.is_ok_and(|name| name == "a")
    })
    .await;
    for n in lost {
        assert_eq!(
            cluster.redis.cli(&["EXISTS", &format!("ran:{n}")]),
            "0",
            "{n} was run after it had failed"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_and_calls_are_restored_after_redis_has_lost_its_keys() {
    let mut cluster = Cluster::start().await;
    let mut members = cluster.caller.members();
    members.mark_unchanged();
    let held = cluster.holding("a", 1000).await;
    cluster.redis.kill();
    cluster.redis.run();
    let restarted = Instant::now();
    for n in 0..10 {
        // The handler writes a key, which fails while the instance's own connection is being restored.
        eventually("the call is answered", async || cluster.work(n).await.is_ok()).await;
    }
    eventually("all have joined again", async || {
        cluster.redis.cli(&["EXISTS", "daebus:info:a", "daebus:info:b", "daebus:info:c"]) == "3"
            && crate::instances::members(&cluster.redis).len() == 3
    })
    .await;
    // One refresh, and the time until the connection is back.
    assert!(restarted.elapsed() < Duration::from_secs(8), "{:?}", restarted.elapsed());
    let all = cluster.caller.send_request::<Value>("$ping", ()).on_all().await.unwrap();
    assert!(all.len() == 3 && all.values().all(Result::is_ok), "{all:?}");
    assert_eq!(cluster.listed(InstanceState::Running), ids(&IDS));
    let names: BTreeSet<String> = members.borrow().iter().map(|member| member.id.to_string()).collect();
    assert_eq!(names, ids(&IDS), "none was removed meanwhile");
    assert_eq!(within(held).await.unwrap(), "a", "the call that was in flight");
}

/// The number of each call, and its outcome.
type Outcomes = Vec<(u64, Result<String, CallError>)>;

/// Calls one after the other from several tasks, until it is stopped.
struct Load {
    is_over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Outcomes>>,
}

impl Load {
    fn start(caller: &Caller, tasks: u64) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let tasks = (0..tasks).map(|task| {
            let (caller, is_over) = (caller.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let n = task * 1_000_000 + outcomes.len() as u64;
                    outcomes.push((n, caller.send_request("work", n).await));
                }
                outcomes
            })
        });
        Self { tasks: tasks.collect(), is_over }
    }

    /// Returns the numbers of the calls that were answered, and the errors of the others.
    async fn stop(self) -> (Vec<u64>, Vec<CallError>) {
        self.is_over.store(true, Ordering::Relaxed);
        let (mut answered, mut errors) = (Vec::new(), Vec::new());
        for task in self.tasks {
            for (n, outcome) in within(task).await.unwrap() {
                match outcome {
                    Ok(_) => answered.push(n),
                    Err(error) => errors.push(error),
                }
            }
        }
        assert!(answered.len() > 100, "{}", answered.len());
        (answered, errors)
    }
}

/// Checks that the requests with these numbers were run once.
fn assert_run_once(redis: &RedisServer, numbers: &[u64]) {
    for numbers in numbers.chunks(1000) {
        let keys: Vec<String> = numbers.iter().map(|n| format!("ran:{n}")).collect();
        let command: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
        let runs = redis.cli(&command);
        let not_once: Vec<_> = keys.iter().zip(runs.lines()).filter(|(_, runs)| *runs != "1").collect();
        assert!(not_once.is_empty() && runs.lines().count() == keys.len(), "{not_once:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_during_a_rolling_restart() {
    let mut cluster = Cluster::start().await;
    let load = Load::start(&cluster.caller, 8);
    for id in IDS {
        let mut stopped = cluster.instances.remove(id).unwrap();
        stopped.signal("TERM");
        assert_eq!(stopped.wait().code(), Some(0), "{}", stopped.said());
        cluster.instances.insert(id, instance(&cluster.redis, id));
    }
    within(cluster.caller.wait_for(3, Duration::from_secs(10))).await.unwrap();
    let (answered, errors) = load.stop().await;
    assert!(errors.is_empty(), "{errors:?}");
    assert_run_once(&cluster.redis, &answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_calls_in_flight_fail_when_an_instance_is_killed_under_load() {
    let mut cluster = Cluster::start().await;
    let load = Load::start(&cluster.caller, 8);
    for n in 0..100 {
        within(cluster.work(50_000_000 + n)).await.unwrap();
    }
    cluster.instances.remove("b");
    // It expires 10 to 15 s after the process was killed.
    assert_eq!(cluster.redis.cli(&["PEXPIRE", "daebus:info:b", "500"]), "1");
    for n in 100..400 {
        assert_ne!(within(cluster.work(50_000_000 + n)).await.unwrap(), "b");
    }
    let (answered, errors) = load.stop().await;
    let is_lost =
        |error: &CallError| matches!(error, CallError::InstanceLost { instance } if instance == "b");
    assert!(errors.len() <= 8 && errors.iter().all(is_lost), "{errors:?}");
    assert_run_once(&cluster.redis, &answered);
}
