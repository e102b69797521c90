//! Calls to several instances on a real Redis: a restart of the server, and an account that can't read keys.

use std::time::Duration;

use daebus_caller::Caller;
use daebus_caller::bus::BusState;
use daebus_caller::wire::presence::MemberChange;
use daebus_tests::{RedisServer, eventually, within};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::caller_redis::connect;
use crate::caller_redis::suite::{HandMade, Service, echo, success};

#[tokio::test]
async fn instances_are_kept_while_a_server_that_lost_its_keys_gets_them_back() {
    let mut server = RedisServer::start();
    let service = connect(&server.url()).await;
    let a = HandMade::naming_itself(&service, "a").await;
    let b = HandMade::naming_itself(&service, "b").await;
    let bus = connect(&server.url()).await;
    let caller = Caller::on_bus(bus.clone(), "svc").unwrap().timeout(Duration::from_secs(20));
    within(caller.wait_for(2, Duration::from_secs(10))).await.unwrap();
    let mut members = caller.members();
    members.mark_unchanged();

    server.kill();
    within(bus.state().wait_for(|state| *state == BusState::Away)).await.unwrap();
    server.run();
    within(bus.state().wait_for(|state| *state == BusState::Ready)).await.unwrap();
    within(service.state().wait_for(|state| *state == BusState::Ready)).await.unwrap();
    assert_eq!(server.cli(&["DBSIZE"]).trim(), "0");
    let answers = async |calls| {
        let mut answers = std::collections::BTreeSet::new();
        for _ in 0..calls {
            answers.insert(within(caller.send_request::<String>("get", ()).into_future()).await.unwrap());
        }
        answers
    };
    assert_eq!(answers(4).await.len(), 2);
    for instance in [&a, &b] {
        instance.write_info().await;
        instance.announce(MemberChange::Joined).await;
    }
    assert_eq!(answers(4).await.len(), 2);
    assert!(!members.has_changed().unwrap(), "{:?}", members.borrow());
}

#[tokio::test]
async fn an_account_that_can_not_read_the_instances_calls_the_service_on_its_own_channel() {
    let server = RedisServer::start();
    let service = connect(&server.url()).await;
    let _instance = HandMade::join(&service, "a", |_| vec![success(&json!("a"))]).await;
    let _service = Service::start(&service, "svc", echo).await;
    server.cli(&["ACL", "SETUSER", "limited", "on", ">secret", "&*", "+@all"]);
    let url = server.url().replace("redis://", "redis://limited:secret@");
    let caller = Caller::on_bus(connect(&url).await, "svc").unwrap();
    let started = Instant::now();
    for n in 0..10 {
        let answer: Value = within(caller.send_request("get", n).into_future()).await.unwrap();
        assert_eq!(answer, n);
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(caller.members().borrow().is_empty());
}

/// The members channel and the infos are read with a handful of commands, however many calls are made.
#[tokio::test]
async fn calls_read_the_instances_once() {
    let server = RedisServer::start();
    let service = connect(&server.url()).await;
    let _a = HandMade::naming_itself(&service, "a").await;
    let caller = Caller::on_bus(connect(&server.url()).await, "svc").unwrap();
    let jobs: Vec<_> = (0..500).map(|_| caller.send_request::<String>("get", ()).spawn()).collect();
    for job in jobs {
        assert_eq!(within(job).await.unwrap(), "a");
    }
    let stats = server.cli(&["INFO", "commandstats"]);
    let calls = |command: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().unwrap().parse::<u64>().unwrap())
    };
    // The replies are published one by one, the requests in batches.
    eventually("the figures are there", async || calls("publish") > 500).await;
    assert_eq!((calls("smembers"), calls("mget")), (1, 1));
}
