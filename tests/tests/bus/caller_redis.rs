//! The caller on a real Redis: the list that `daebus-caller` has for its in-process bus, and what only Redis does.

use std::sync::Arc;

use daebus_caller::bus::{self, BusState, BusUrl};
use daebus_caller::{Bus, CallError, Caller, Fault};
use daebus_tests::RedisServer;
use serde_json::{Value, json};

#[path = "../../../daebus-caller/tests/integration/suite/mod.rs"]
pub(crate) mod suite;

use suite::{BOUND, Ground, Service, echo, eventually, silence, within};

/// A server of the test's own, with three connections to it.
async fn ground() -> Ground {
    let server = RedisServer::start();
    let url = server.url();
    Ground {
        service: connect(&url).await,
        caller: connect(&url).await,
        monitor: connect(&url).await,
        url,
        _server: Box::new(server),
    }
}

pub(crate) async fn connect(url: &str) -> Arc<dyn Bus> {
    bus::connect(&BusUrl::parse(url).unwrap()).await.unwrap()
}

crate::caller_suite!(ground);

#[tokio::test]
async fn calls_go_on_after_the_server_was_away() {
    within(async {
        let mut server = RedisServer::start();
        let mut service = Service::start(&connect(&server.url()).await, "svc", echo).await;
        let bus = connect(&server.url()).await;
        let caller = Caller::on_bus(bus.clone(), "svc").unwrap().timeout(2 * BOUND);
        let _: Value = caller.send_request("before", ()).await.unwrap();
        server.kill();
        // What is published before the loss is noticed may or may not have arrived, and is never sent again.
        bus.state().wait_for(|state| *state == BusState::Away).await.unwrap();
        let mut job = caller.send_request::<Value>("while_away", json!({"n": 1})).spawn();
        eventually("in flight", async || caller.in_flight() == 1).await;
        assert!(!job.is_finished());
        server.run();
        // The service may come back later than its caller: then the request is published again.
        let answer = within(&mut job).await;
        assert_eq!(answer.unwrap(), json!({"n": 1}));
        assert_eq!(service.next().await["action"], "before");
        assert_eq!(service.next().await["action"], "while_away");
        assert!(service.heard.try_recv().is_err(), "asked once only");
        assert_eq!(caller.in_flight(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_is_away_within_the_time_to_connect() {
    let server = RedisServer::not_started(&[]);
    let started = tokio::time::Instant::now();
    let error = Caller::connect(&server.url(), "svc").await.unwrap_err();
    assert!(
        matches!(&error, daebus_caller::BusError::Away { location } if *location == server.url()),
        "{error:?}"
    );
    assert!((9..13).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn dropping_every_caller_leaves_no_connection_on_the_server() {
    within(async {
        let server = RedisServer::start();
        let mut service = Service::start(&connect(&server.url()).await, "svc", silence).await;
        let connections = || server.cli(&["CLIENT", "LIST"]).lines().count();
        let before = connections();
        let caller = Caller::connect(&server.url(), "svc").await.unwrap();
        let job = caller.send_request::<Value>("slow", ()).timeout(BOUND * 2).spawn();
        service.next().await;
        assert!(connections() > before);
        drop(caller);
        // A call in flight keeps the connection, and takes it with it.
        job.abort();
        assert!(matches!(job.await, Err(CallError::<Fault>::Fault(_))));
        eventually("the connections are gone", async || connections() <= before).await;
    })
    .await;
}
