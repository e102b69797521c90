//! Schedules and listeners that run on one instance.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use daebus::caller::bus::SetOptions;
use daebus::prelude::*;
use daebus_tests_support::{eventually, next};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Cluster, Name, Runs};

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
    std::future::pending::<()>().await;
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

#[listen("slow", singleton)]
async fn slow(Payload(n): Payload<u64>, State(Name(name)): State<Name>, State(runs): State<Runs>) {
    tokio::time::sleep(Duration::from_millis(10)).await;
    runs.0.send((name, n)).unwrap();
}

async fn tick() {}

async fn tock() {}

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
        // Longer than the maximum time of a handover.
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

#[tokio::test(start_paused = true)]
async fn a_singleton_listener_handles_waiting_messages_when_its_instance_stops() {
    let mut cluster = Cluster::new("listen-stop").await;
    let service = cluster.app("a").register(blueprint_of!["singleton"; slow]).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in 0..100_u64 {
        cluster.bus.publish("slow", n.to_string().into()).await.unwrap();
    }
    service.stop().await.unwrap();
    assert_eq!(cluster.all_runs().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn an_added_schedule_has_a_lease_of_its_name_until_it_is_removed() {
    let cluster = Cluster::new("added").await;
    let service = cluster.start("a").await;
    let tasks = service.tasks();
    tasks.schedule("one", daebus::Schedule::every(Duration::from_secs(60)).singleton(), tick).unwrap();
    tasks.schedule("two", daebus::Schedule::every(Duration::from_secs(60)).singleton(), tock).unwrap();
    let has_lease =
        async |name: &str| cluster.bus.get(&format!("daebus:lease:svc:{name}")).await.unwrap().is_some();
    eventually("both are held", async || has_lease("one").await && has_lease("two").await).await;
    tasks.unschedule("one").unwrap();
    eventually("the lease is released", async || !has_lease("one").await).await;
    assert!(has_lease("two").await);
    service.stop().await.unwrap();
}
