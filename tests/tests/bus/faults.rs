//! What the bus on Redis does when the server, the network or an account fails.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here is a test that fails")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use daebus_caller::BusError;
use daebus_caller::bus::{self, Bus, BusState, BusUrl, Deliver, Message, Outbox, SetOptions, Topic};
use daebus_tests::{PATIENCE, RedisServer, eventually, within};
use futures_util::future::join_all;

use super::{listen, next};

async fn connect(server: &RedisServer) -> Arc<dyn Bus> {
    try_connect(&server.url()).await.unwrap()
}

async fn try_connect(url: &str) -> Result<Arc<dyn Bus>, BusError> {
    within(bus::connect(&BusUrl::parse(url).unwrap())).await
}

async fn until(bus: &Arc<dyn Bus>, state: BusState) {
    within(bus.state().wait_for(|now| *now == state)).await.unwrap();
}

fn connections(server: &RedisServer) -> usize {
    server.cli(&["CLIENT", "LIST"]).matches(&format!("name=daebus:{}", std::process::id())).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_finds_every_subscription_restored() {
    let mut server = RedisServer::start();
    let bus = connect(&server).await;
    let (_a, mut by_channel) = listen(&bus, "c").await;
    let (_b, mut by_pattern) = listen(&bus, "c*").await;
    let (_c, mut by_another) = listen(&bus, "?").await;
    for round in 0..3 {
        server.kill();
        until(&bus, BusState::Away).await;
        let started = Instant::now();
        for _ in 0..1000 {
            let outcome = bus.publish("c", Bytes::from("never")).await;
            assert!(matches!(outcome, Err(BusError::Away { .. })), "{outcome:?}");
        }
        assert!(matches!(bus.get("k").await, Err(BusError::Away { .. })));
        let nothing: Arc<dyn Deliver> = Arc::new(|_: Message| {});
        assert!(matches!(bus.subscribe(Topic::parse("x"), nothing).await, Err(BusError::Away { .. })));
        assert!(started.elapsed() < Duration::from_secs(1), "that it is away is said at once");

        server.run();
        until(&bus, BusState::Ready).await;
        assert_eq!(bus.publish("c", Bytes::from(round.to_string())).await.unwrap(), 3);
        for receiver in [&mut by_channel, &mut by_pattern, &mut by_another] {
            assert_eq!(next(receiver).await.payload, round.to_string());
            assert!(receiver.is_empty(), "once, and nothing of what was published meanwhile");
        }
    }
}

#[tokio::test]
async fn the_last_reconnect_is_known_and_the_first_connection_is_none() {
    let mut server = RedisServer::start();
    let bus = connect(&server).await;
    assert_eq!(bus.last_reconnect(), None);
    let mut last = tokio::time::Instant::now();
    for _ in 0..2 {
        server.kill();
        until(&bus, BusState::Away).await;
        server.run();
        until(&bus, BusState::Ready).await;
        let reconnected = bus.last_reconnect().unwrap();
        assert!(reconnected > last && reconnected <= tokio::time::Instant::now());
        last = reconnected;
    }
}

#[tokio::test]
async fn who_leaves_while_the_server_is_away_stays_away() {
    let mut server = RedisServer::start();
    let bus = connect(&server).await;
    let (stays, _receiver) = listen(&bus, "stays").await;
    let (leaves, _receiver) = listen(&bus, "leaves").await;
    server.kill();
    until(&bus, BusState::Away).await;
    drop(leaves);
    server.run();
    until(&bus, BusState::Ready).await;
    assert_eq!(bus.subscribers("stays").await.unwrap(), 1);
    assert_eq!(bus.subscribers("leaves").await.unwrap(), 0);
    drop(stays);
}

/// Under load, with the server killed four times: what was confirmed arrives once, what is in doubt at most once, and
/// what was refused never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_delivered_twice_and_only_a_dying_server_loses_messages() {
    const BATCH: u32 = 50;
    let mut server = RedisServer::start();
    let bus = connect(&server).await;
    let (_end, mut receiver) = listen(&bus, "c").await;
    let publisher = connect(&server).await;
    let (confirmed, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let publishing = tokio::spawn({
        let (confirmed, enough) = (Arc::clone(&confirmed), Arc::clone(&enough));
        async move {
            let mut outcomes = Vec::new();
            while !enough.load(Ordering::Relaxed) {
                let first = u32::try_from(outcomes.len()).unwrap();
                let batch =
                    (first..first + BATCH).map(|n| publisher.publish("c", Bytes::from(n.to_string())));
                for outcome in join_all(batch).await {
                    confirmed.fetch_add(usize::from(outcome.is_ok()), Ordering::Relaxed);
                    outcomes.push(outcome);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            outcomes
        }
    });
    for kills in 1..=5 {
        let before = confirmed.load(Ordering::Relaxed);
        eventually("the publisher goes on", async || confirmed.load(Ordering::Relaxed) >= before + 1000)
            .await;
        if kills < 5 {
            server.kill();
            server.run();
        }
    }
    enough.store(true, Ordering::Relaxed);
    let outcomes = within(publishing).await.unwrap();
    // Nothing published before the marker comes after it.
    until(&bus, BusState::Ready).await;
    bus.publish("c", Bytes::from("end")).await.unwrap();
    let mut arrived: Vec<u32> = Vec::new();
    loop {
        let message = next(&mut receiver).await;
        if message.payload == "end" {
            break;
        }
        arrived.push(std::str::from_utf8(&message.payload).unwrap().parse().unwrap());
    }
    assert_eq!(receiver.dropped(), 0);
    assert!(arrived.is_sorted_by(|one, next| one < next), "twice, or out of order");
    let arrived: BTreeSet<u32> = arrived.into_iter().collect();
    let failed: BTreeSet<u32> = (0..).zip(&outcomes).filter(|(_, it)| it.is_err()).map(|(n, _)| n).collect();
    for (n, outcome) in (0..).zip(&outcomes) {
        let here = arrived.contains(&n);
        match outcome {
            // The server may die between its answer to the publisher and the message to the receiver.
            Ok(1) => assert!(here || failed.range(n..n + 2 * BATCH).next().is_some(), "{n} is lost"),
            // Nobody is subscribed: the publisher has reconnected first.
            Ok(receivers) => assert_eq!((*receivers, here), (0, false), "{n}"),
            Err(BusError::Away { .. }) => assert!(!here, "{n} was refused and arrives all the same"),
            Err(BusError::Unknown { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let mut server = RedisServer::not_started(&[]);
    let url = server.url();
    let connecting = tokio::spawn(async move { try_connect(&url).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!connecting.is_finished());
    server.run();
    let bus = connecting.await.unwrap().unwrap();
    assert_eq!(*bus.state().borrow(), BusState::Ready);
    assert_eq!(bus.publish("c", Bytes::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn waiting_for_a_server_can_be_given_up() {
    let mut server = RedisServer::not_started(&[]);
    let url = BusUrl::parse(&server.url()).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), bus::connect(&url)).await.is_err());
    server.run();
    let connected = server.cli(&["INFO", "stats"]);
    assert!(connected.contains("total_connections_received:"), "{connected}");
    // Longer than any wait between attempts so soon after the first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(connections(&server), 0);
}

#[tokio::test]
async fn a_refused_subscription_says_so_and_shifts_no_reply() {
    let server = RedisServer::start();
    server.cli(&["ACL", "SETUSER", "limited", "on", ">secret", "+@all", "~*", "resetchannels", "&ok*"]);
    let url = format!("redis://limited:secret@127.0.0.1:{}", server.port());
    let bus = try_connect(&url).await.unwrap();
    let (_end, mut receiver) = listen(&bus, "ok").await;
    for n in 0..50 {
        for topic in ["no", "no*"] {
            let nothing: Arc<dyn Deliver> = Arc::new(|_: Message| {});
            let outcome = bus.subscribe(Topic::parse(topic), nothing).await;
            let Err(BusError::Refused { reason, location }) = outcome else { panic!("{topic}: {outcome:?}") };
            assert!(reason.contains("NOPERM"), "{reason}");
            assert!(!location.contains("secret"), "{location}");
        }
        // All at once: those that may, may.
        // A pattern must be allowed as it stands.
        let topics = [format!("ok{n}"), "no".into(), "ok*".into(), "no*".into()];
        let outcomes = join_all(topics.iter().map(|topic| {
            let nothing: Arc<dyn Deliver> = Arc::new(|_: Message| {});
            bus.subscribe(Topic::parse(topic), nothing)
        }))
        .await;
        let allowed: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
        assert_eq!(allowed, [true, false, true, false], "{outcomes:?}");

        bus.set("k", Bytes::from(n.to_string()), SetOptions::default()).await.unwrap();
        assert_eq!(bus.get("k").await.unwrap().unwrap(), n.to_string());
        // The pattern may still be leaving.
        assert!(bus.publish("ok", Bytes::from(n.to_string())).await.unwrap() >= 1);
        assert_eq!(next(&mut receiver).await.payload, n.to_string());
    }
    assert!(matches!(bus.publish("no", Bytes::new()).await, Err(BusError::Refused { .. })));
    assert_eq!(*bus.state().borrow(), BusState::Ready);
}

#[tokio::test]
async fn what_will_never_work_is_refused_with_advice() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    let port = server.port();
    for (url, advice) in [
        (format!("redis://:wrong@127.0.0.1:{port}"), "not the server's"),
        (format!("redis://nobody:right@127.0.0.1:{port}"), "not the server's"),
        (format!("redis://127.0.0.1:{port}"), "put the password into the URL"),
        (format!("redis://:right@127.0.0.1:{port}/99"), "the server has none of that number"),
    ] {
        let error = try_connect(&url).await.unwrap_err();
        assert!(matches!(error, BusError::Refused { .. }), "{url}: {error}");
        assert!(error.to_string().contains(advice), "{url}: {error}");
        assert!(!error.to_string().contains("wrong@") && !error.to_string().contains("right@"), "{error}");
    }
    try_connect(&format!("redis://:right@127.0.0.1:{port}/1")).await.unwrap();
    // A password on a server that wants none is no harm.
    let open = RedisServer::start();
    try_connect(&format!("redis://:some@127.0.0.1:{}", open.port())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_is_noticed_within_twelve_seconds() {
    let server = RedisServer::start();
    let bus = connect(&server).await;
    let (_end, mut receiver) = listen(&bus, "c").await;
    server.pause();
    let started = Instant::now();
    let outcome = within(bus.publish("c", Bytes::from("in doubt"))).await;
    assert!(matches!(outcome, Err(BusError::Unknown { .. })), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    until(&bus, BusState::Away).await;
    assert!(started.elapsed() < Duration::from_millis(12_500), "{:?}", started.elapsed());
    assert!(matches!(bus.publish("c", Bytes::from("never")).await, Err(BusError::Away { .. })));
    server.resume();
    until(&bus, BusState::Ready).await;
    assert_eq!(bus.publish("c", Bytes::from("after")).await.unwrap(), 1);
    // The one in doubt lay in the server's socket: it may arrive, once.
    let mut heard = next(&mut receiver).await;
    if heard.payload == "in doubt" {
        heard = next(&mut receiver).await;
    }
    assert_eq!(heard.payload, "after");
    bus.close().await;
}

#[tokio::test]
async fn a_killed_connection_is_replaced() {
    let server = RedisServer::start();
    let bus = connect(&server).await;
    let (_end, mut receiver) = listen(&bus, "c").await;
    for (n, kind) in ["pubsub", "normal", "pubsub"].into_iter().enumerate() {
        let mut states = bus.state();
        server.cli(&["CLIENT", "KILL", "TYPE", kind]);
        within(states.wait_for(|state| *state == BusState::Away)).await.unwrap();
        until(&bus, BusState::Ready).await;
        assert_eq!(bus.publish("c", Bytes::from(n.to_string())).await.unwrap(), 1);
        assert_eq!(next(&mut receiver).await.payload, n.to_string());
        assert_eq!(connections(&server), 2);
    }
}

#[tokio::test]
async fn the_outbox_bridges_a_restart() {
    let mut server = RedisServer::start();
    let bus = connect(&server).await;
    let outbox = Outbox::new(Arc::clone(&bus));
    server.kill();
    until(&bus, BusState::Away).await;
    let publishing = tokio::spawn(async move { outbox.publish("c", Bytes::new(), PATIENCE).await });
    server.run();
    assert_eq!(within(publishing).await.unwrap().unwrap(), 0);
}

/// From the server in one go, as no publisher could: on one thread, where the reader has no other to run on.
#[tokio::test]
async fn a_burst_is_not_lost_on_one_thread() {
    burst().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_not_lost_on_two_threads() {
    burst().await;
}

async fn burst() {
    const BURST: &str = "for i = 1, 20000 do redis.call('PUBLISH', 'c', i) end return 'done'";
    let server = Arc::new(RedisServer::start());
    let bus = connect(&server).await;
    let (_a, mut by_channel) = listen(&bus, "c").await;
    let (_b, mut by_pattern) = listen(&bus, "c*").await;
    let (_c, mut by_another) = listen(&bus, "*").await;
    for _ in 0..3 {
        let server = Arc::clone(&server);
        tokio::task::spawn_blocking(move || assert_eq!(server.cli(&["EVAL", BURST, "0"]), "done"))
            .await
            .unwrap();
        for receiver in [&mut by_channel, &mut by_pattern, &mut by_another] {
            for n in 1..=20_000 {
                assert_eq!(next(receiver).await.payload, n.to_string());
            }
        }
    }
    assert_eq!(bus.lost(), 0);
}

/// A receiver that breaks the rule and blocks holds up the server, which keeps the messages for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_receiver_loses_nothing_and_a_panicking_one_harms_nobody() {
    let server = RedisServer::start();
    let bus = connect(&server).await;
    let slow: Arc<dyn Deliver> = Arc::new(|_: Message| std::thread::sleep(Duration::from_micros(50)));
    let panics: Arc<dyn Deliver> =
        Arc::new(|message: Message| assert!(message.payload != "7", "as it should"));
    let _slow = bus.subscribe(Topic::parse("c"), slow).await.unwrap();
    let _panics = bus.subscribe(Topic::parse("c"), panics).await.unwrap();
    let (_end, mut receiver) = listen(&bus, "c").await;
    let publisher = connect(&server).await;
    for thousands in 0..10 {
        let batch =
            (0..1000).map(|n| publisher.publish("c", Bytes::from((thousands * 1000 + n).to_string())));
        join_all(batch).await;
    }
    for n in 0..10_000 {
        assert_eq!(next(&mut receiver).await.payload, n.to_string());
    }
    assert_eq!(bus.lost(), 0);
}

/// Redis's own limit, `client-output-buffer-limit pubsub 32mb 8mb 60`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_too_large_for_the_server_costs_a_reconnect_and_no_more() {
    let server = RedisServer::start();
    let bus = connect(&server).await;
    let publisher = connect(&server).await;
    let (_end, mut receiver) = listen(&bus, "c").await;
    let mut states = bus.state();
    publisher.publish("c", Bytes::from(vec![0; 64 * 1024 * 1024])).await.unwrap();
    within(states.wait_for(|state| *state == BusState::Away)).await.unwrap();
    until(&bus, BusState::Ready).await;
    publisher.publish("c", Bytes::from("after")).await.unwrap();
    assert_eq!(next(&mut receiver).await.payload, "after");
}

#[tokio::test]
async fn a_bus_that_is_closed_or_dropped_leaves_nothing_behind() {
    let server = RedisServer::start();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for closed in [true, false] {
        let bus = connect(&server).await;
        let (end, receiver) = listen(&bus, "c*").await;
        assert_eq!(connections(&server), 2);
        if closed {
            bus.close().await;
        } else {
            drop(bus);
        }
        eventually("its connections end", async || connections(&server) == 0).await;
        eventually("its tasks end", async || tasks() == before).await;
        drop((end, receiver));
    }
}

#[tokio::test]
async fn a_bus_can_be_closed_while_its_server_is_away_or_silent() {
    let mut server = RedisServer::start();
    let bus = connect(&server).await;
    server.kill();
    until(&bus, BusState::Away).await;
    tokio::time::timeout(Duration::from_secs(1), bus.close()).await.expect("closing is quick");
    assert!(matches!(bus.publish("c", Bytes::new()).await, Err(BusError::Closed)));

    server.run();
    let bus = connect(&server).await;
    server.pause();
    let publishing = {
        let bus = Arc::clone(&bus);
        tokio::spawn(async move { bus.publish("c", Bytes::new()).await })
    };
    tokio::task::yield_now().await;
    tokio::time::timeout(Duration::from_secs(1), bus.close()).await.expect("closing is quick");
    let outcome =
        tokio::time::timeout(Duration::from_secs(1), publishing).await.expect("so is what waits").unwrap();
    assert!(matches!(outcome, Err(BusError::Unknown { .. } | BusError::Closed)), "{outcome:?}");
    server.resume();
}

#[tokio::test]
async fn the_drivers_own_client_is_there_while_the_bus_is() {
    use daebus_caller::fred::interfaces::KeysInterface;
    let mut server = RedisServer::start();
    let bus = connect(&server).await;
    let client = bus.redis().unwrap();
    let _: () = client.set("k", "v", None, None, false).await.unwrap();
    assert_eq!(bus.get("k").await.unwrap().unwrap(), "v");
    server.kill();
    until(&bus, BusState::Away).await;
    assert!(bus.redis().is_none());
}
