//! What every bus does, whichever it is: one list of statements, run on each.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here is a test that fails")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use daebus_caller::BusError;
use daebus_caller::bus::{
    self, Bus, BusState, BusUrl, Deliver, Message, Outbox, Queue, QueueLimits, QueueReceiver, SetOptions,
    Topic,
};
use daebus_tests::{PATIENCE, RedisServer, within};
use futures_util::future::join_all;
use tokio::task::unconstrained;

use super::coordination::*;
use super::{listen, next};

/// Two users of one bus.
pub(super) struct Place {
    pub(super) one: Arc<dyn Bus>,
    pub(super) two: Arc<dyn Bus>,
    /// One user's listeners on one topic are one receiver.
    counts_connections: bool,
    _server: Option<RedisServer>,
}

impl Place {
    async fn in_memory() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let url = format!("memory://conformance-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { one: connect(&url).await, two: connect(&url).await, counts_connections: false, _server: None }
    }

    pub(super) async fn on_redis(arguments: &[&str]) -> Self {
        // By default Redis drops a subscriber for which 32 MB wait.
        let arguments = [arguments, &["--client-output-buffer-limit", "pubsub", "0", "0", "0"]].concat();
        let server = RedisServer::start_with(&arguments);
        let url = server.url();
        Self {
            one: connect(&url).await,
            two: connect(&url).await,
            counts_connections: true,
            _server: Some(server),
        }
    }
}

async fn connect(url: &str) -> Arc<dyn Bus> {
    bus::connect(&BusUrl::parse(url).unwrap()).await.unwrap()
}

/// Waits until what was published before has arrived at `bus`, and says what `receiver` got.
async fn heard(bus: &Arc<dyn Bus>, publisher: &Arc<dyn Bus>, receiver: &mut QueueReceiver) -> Vec<String> {
    const MARKER: &str = "the-marker";
    let (_end, mut marker) = listen(bus, MARKER).await;
    publisher.publish(MARKER, Bytes::new()).await.unwrap();
    next(&mut marker).await;
    std::iter::from_fn(|| receiver.try_recv())
        .filter(|message| &*message.channel != MARKER)
        .map(|message| format!("{}={}", message.channel, String::from_utf8_lossy(&message.payload)))
        .collect()
}

async fn until_nobody_listens(bus: &Arc<dyn Bus>, channel: &str) {
    within(async {
        while bus.publish(channel, Bytes::new()).await.unwrap() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

macro_rules! conformance {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::within(super::$name(super::Place::in_memory().await)).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::within(super::$name(super::Place::on_redis(&[]).await)).await;
            })*
        }
        mod redis_on_one_thread {
            $(#[tokio::test]
            async fn $name() {
                super::within(super::$name(super::Place::on_redis(&[]).await)).await;
            })*
        }
        /// As Redis was before version 6.
        mod redis_without_hello {
            $(#[tokio::test]
            async fn $name() {
                let place = super::Place::on_redis(&["--rename-command", "HELLO", ""]).await;
                super::within(super::$name(place)).await;
            })*
        }
    };
}

conformance! {
    a_message_to_nobody_has_no_receivers
    a_message_reaches_who_listens
    receivers_are_counted
    a_subscription_is_confirmed_when_subscribe_returns
    twenty_thousand_messages_arrive_in_order
    patterns_match_as_redis_matches
    overlapping_subscriptions_hear_each_message_once
    equal_messages_in_a_row_all_arrive
    a_dropped_subscription_hears_no_more
    a_topic_can_be_left_and_joined_again_at_once
    one_of_two_listeners_may_leave
    payloads_are_bytes
    a_large_payload_arrives
    many_listeners_hear_all
    keys_hold_values
    keys_expire
    keys_count
    keys_hold_sets
    a_key_has_one_type
    a_closed_bus_says_so_and_leaves_the_others_alone
    a_dropped_bus_listens_no_more
    a_full_queue_of_requests_hands_them_back
    the_outbox_publishes_in_order
    several_keys_are_read_together
    the_time_to_live_of_a_key_is_returned
    a_refresh_extends_the_keys_of_its_own_run
    a_refresh_reports_another_run_and_an_absent_key
    an_info_is_amended_and_withdrawn_by_its_own_run_only
    a_claim_is_won_by_one_instance
    an_instance_without_its_info_claims_nothing
    a_lease_has_one_holder
    only_the_holder_renews_and_releases_a_lease
    sync_returns_after_everything_published_before_is_delivered
}

async fn a_message_to_nobody_has_no_receivers(place: Place) {
    assert_eq!(place.one.publish("nobody", Bytes::from("x")).await.unwrap(), 0);
    assert_eq!(place.one.subscribers("nobody").await.unwrap(), 0);
}

async fn a_message_reaches_who_listens(place: Place) {
    let (_end, mut receiver) = listen(&place.two, "c").await;
    assert_eq!(place.one.publish("c", Bytes::from("x")).await.unwrap(), 1);
    let message = next(&mut receiver).await;
    assert_eq!((&*message.channel, &message.payload[..]), ("c", &b"x"[..]));
    // A bus hears itself.
    assert_eq!(place.two.publish("c", Bytes::from("y")).await.unwrap(), 1);
    assert_eq!(next(&mut receiver).await.payload, "y");
}

async fn receivers_are_counted(place: Place) {
    let (_a, _receiver) = listen(&place.one, "c").await;
    let (_b, _receiver) = listen(&place.two, "c").await;
    let (_c, _receiver) = listen(&place.two, "c*").await;
    assert_eq!(place.one.publish("c", Bytes::new()).await.unwrap(), 3);
    assert_eq!(place.one.subscribers("c").await.unwrap(), 2, "patterns don't count");
    let (_d, _receiver) = listen(&place.two, "c").await;
    let expected = if place.counts_connections { 2 } else { 3 };
    assert_eq!(place.one.subscribers("c").await.unwrap(), expected);
}

async fn a_subscription_is_confirmed_when_subscribe_returns(place: Place) {
    for n in 0..300 {
        let name = format!("c{n}.");
        let topic = if n % 3 == 0 { format!("c{n}.*") } else { name.clone() };
        let (_end, mut receiver) = listen(&place.two, &topic).await;
        assert_eq!(place.one.publish(&name, Bytes::from("x")).await.unwrap(), 1, "{n}");
        assert_eq!(next(&mut receiver).await.payload, "x");
    }
}

async fn twenty_thousand_messages_arrive_in_order(place: Place) {
    let (_end, mut receiver) = listen(&place.two, "c").await;
    let (_end, mut by_pattern) = listen(&place.two, "?").await;
    for thousands in 0..20 {
        let numbers = thousands * 1000..(thousands + 1) * 1000;
        let publishes = numbers.map(|n: u32| place.one.publish("c", Bytes::from(n.to_string())));
        for outcome in join_all(publishes).await {
            assert_eq!(outcome.unwrap(), 2);
        }
    }
    for receiver in [&mut receiver, &mut by_pattern] {
        for n in 0..20_000 {
            assert_eq!(next(receiver).await.payload, n.to_string());
        }
    }
    assert_eq!(place.two.lost(), 0);
}

async fn patterns_match_as_redis_matches(place: Place) {
    let texts =
        ["a", "b", "ab", "abc", "a.b.c", "a*c", "[", "]", "^", "-", "\\", "a\\", "xa", "é", "aé", "a-c", ""];
    for (pattern, matches) in [
        ("*", "a b ab abc a.b.c a*c [ ] ^ - \\ a\\ xa é aé a-c"),
        ("a*", "a ab abc a.b.c a*c a\\ aé a-c"),
        ("*a", "a xa"),
        ("a*c", "abc a.b.c a*c a-c"),
        ("a\\*c", "a*c"),
        ("?", "a b [ ] ^ - \\"),
        ("??", "ab a\\ xa é"),
        ("[ab]", "a b"),
        ("[^a]", "b [ ] ^ - \\"),
        ("[a-c]", "a b"),
        ("[c-a]", "a b"),
        ("[a", "a"),
        ("[", ""),
        ("[^", "a b [ ] ^ - \\"),
        ("[]a", ""),
        ("[\\]]", "]"),
        ("\\", "\\"),
        ("a\\", "a\\"),
        ("[a-]x", "a ] ^"),
        ("a.*.c", "a.b.c"),
        ("**b**", "b ab abc a.b.c"),
    ] {
        let (queue, mut receiver) = Queue::drop_oldest(QueueLimits::default());
        let _end = place.two.subscribe(Topic::Pattern(pattern.into()), queue).await.unwrap();
        for text in texts {
            place.one.publish(text, Bytes::new()).await.unwrap();
        }
        let heard = heard(&place.two, &place.one, &mut receiver).await;
        let heard: Vec<_> = heard.iter().map(|heard| heard.trim_end_matches('=')).collect();
        assert_eq!(heard, matches.split_whitespace().collect::<Vec<_>>(), "{pattern:?}");
    }
}

async fn overlapping_subscriptions_hear_each_message_once(place: Place) {
    let mut listeners = Vec::new();
    for topic in ["news.today", "news.today", "news.*", "news.*", "*.today", "n*y", "other"] {
        listeners.push((topic, listen(&place.two, topic).await));
    }
    for n in 0..200 {
        place.one.publish("news.today", Bytes::from(n.to_string())).await.unwrap();
    }
    for (topic, (_end, receiver)) in &mut listeners {
        let heard = heard(&place.two, &place.one, receiver).await;
        let expected: Vec<String> =
            (0..200).filter(|_| *topic != "other").map(|n| format!("news.today={n}")).collect();
        assert_eq!(heard, expected, "{topic}");
    }
}

async fn equal_messages_in_a_row_all_arrive(place: Place) {
    // Without a listener on the channel itself: the server then sends nothing between the copies of two messages.
    let mut listeners = Vec::new();
    for topic in ["c*", "*", "?", "c"] {
        listeners.push((topic, listen(&place.two, topic).await));
        for _ in 0..3 {
            place.one.publish("c", Bytes::from("same")).await.unwrap();
        }
        // A new pattern may hear what was published before it and hasn't been read yet.
        let (_end, mut nothing) = listen(&place.two, "nothing").await;
        heard(&place.two, &place.one, &mut nothing).await;
    }
    for ((topic, (_end, receiver)), rounds) in listeners.iter_mut().zip([4, 3, 2, 1]) {
        let heard = heard(&place.two, &place.one, receiver).await;
        assert_eq!(heard, vec!["c=same"; rounds * 3], "{topic}");
    }
}

async fn a_dropped_subscription_hears_no_more(place: Place) {
    for topic in ["c", "c*"] {
        let (end, mut receiver) = listen(&place.two, topic).await;
        drop(end);
        // On a server it ends a moment later.
        until_nobody_listens(&place.one, "c").await;
        assert!(within(receiver.recv()).await.is_none());
    }
}

async fn a_topic_can_be_left_and_joined_again_at_once(place: Place) {
    for topic in ["c", "c*"] {
        let (mut end, mut receiver) = listen(&place.two, topic).await;
        for n in 0..200 {
            drop(end);
            if n % 2 == 0 {
                // Let the leaving get somewhat further, but not always as far.
                place.two.get("k").await.unwrap();
            }
            (end, receiver) = listen(&place.two, topic).await;
            assert_eq!(place.one.publish("c", Bytes::from(n.to_string())).await.unwrap(), 1, "{n}");
            assert_eq!(next(&mut receiver).await.payload, n.to_string());
            assert!(receiver.try_recv().is_none());
        }
        drop((end, receiver));
        until_nobody_listens(&place.one, "c").await;
    }
}

async fn one_of_two_listeners_may_leave(place: Place) {
    let (first, mut left) = listen(&place.two, "c").await;
    let (_second, mut stays) = listen(&place.two, "c").await;
    drop(first);
    place.one.publish("c", Bytes::from("x")).await.unwrap();
    assert_eq!(next(&mut stays).await.payload, "x");
    assert!(left.recv().await.is_none());
}

async fn payloads_are_bytes(place: Place) {
    let (_end, mut receiver) = listen(&place.two, "c").await;
    let all: Vec<u8> = (0..=255).collect();
    for payload in [&b""[..], b"12", b"\r\n", b"\xff\xfe", b"$-1\r\n", &all, b"QUEUED", b"OK"] {
        place.one.publish("c", Bytes::copy_from_slice(payload)).await.unwrap();
        assert_eq!(next(&mut receiver).await.payload, payload);
        place.one.set("k", Bytes::copy_from_slice(payload), SetOptions::default()).await.unwrap();
        assert_eq!(place.two.get("k").await.unwrap().unwrap(), payload);
    }
    for channel in ["with space", "ünïcode ✓", "a:b.c/d", "{tag}x"] {
        let (_end, mut receiver) = listen(&place.two, channel).await;
        assert_eq!(place.one.publish(channel, Bytes::new()).await.unwrap(), 1);
        assert_eq!(&*next(&mut receiver).await.channel, channel);
        assert_eq!(place.one.subscribers(channel).await.unwrap(), 1);
    }
}

async fn a_large_payload_arrives(place: Place) {
    let (_end, mut receiver) = listen(&place.two, "c").await;
    let large = Bytes::from(vec![7; 64 * 1024 * 1024]);
    assert_eq!(place.one.publish("c", large.clone()).await.unwrap(), 1);
    place.one.publish("c", Bytes::from("after")).await.unwrap();
    assert!(next(&mut receiver).await.payload == large);
    assert_eq!(next(&mut receiver).await.payload, "after");
}

async fn many_listeners_hear_all(place: Place) {
    let mut listeners = Vec::new();
    for n in 0..300 {
        listeners.push(listen(&place.two, &format!("c{}", n % 100)).await);
    }
    for n in 0..100 {
        place.one.publish(&format!("c{n}"), Bytes::from(n.to_string())).await.unwrap();
    }
    for (n, (_end, receiver)) in listeners.iter_mut().enumerate() {
        assert_eq!(next(receiver).await.payload, (n % 100).to_string());
        assert!(receiver.is_empty());
    }
}

async fn keys_hold_values(place: Place) {
    let (one, two) = (&place.one, &place.two);
    let if_absent = SetOptions { only_if_absent: true, ttl: None };
    assert_eq!(one.get("k").await.unwrap(), None);
    assert!(!one.delete("k").await.unwrap());
    assert!(one.set("k", Bytes::from("1"), if_absent).await.unwrap());
    assert!(!two.set("k", Bytes::from("2"), if_absent).await.unwrap());
    assert_eq!(two.get("k").await.unwrap().unwrap(), "1");
    assert!(two.set("k", Bytes::from("3"), SetOptions::default()).await.unwrap());
    assert_eq!(one.get("k").await.unwrap().unwrap(), "3");
    assert!(one.delete("k").await.unwrap());
    assert_eq!(two.get("k").await.unwrap(), None);
}

async fn keys_expire(place: Place) {
    let bus = &place.one;
    let for_millis = |millis| SetOptions { ttl: Some(Duration::from_millis(millis)), only_if_absent: true };
    let gone = async |key: &str| {
        while bus.get(key).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(bus.set("k", Bytes::from("v"), for_millis(500)).await.unwrap());
    assert!(!bus.set("k", Bytes::from("w"), for_millis(500)).await.unwrap());
    within(gone("k")).await;
    assert!(bus.set("k", Bytes::from("w"), for_millis(60_000)).await.unwrap());
    assert!(bus.expire("k", Duration::from_micros(1)).await.unwrap(), "rounded up to a millisecond");
    within(gone("k")).await;
    assert!(!bus.expire("k", Duration::from_secs(1)).await.unwrap());
    // Written again without a time to live, it stays.
    assert!(bus.set("other", Bytes::from("v"), for_millis(200)).await.unwrap());
    let for_less = SetOptions { ttl: Some(Duration::from_millis(100)), only_if_absent: false };
    assert!(bus.set("k", Bytes::from("v"), for_less).await.unwrap());
    assert!(bus.set("k", Bytes::from("v"), SetOptions::default()).await.unwrap());
    within(gone("other")).await;
    assert!(bus.get("k").await.unwrap().is_some());
    // As far as it goes.
    assert!(bus.expire("k", Duration::MAX).await.unwrap());
    let forever = SetOptions { ttl: Some(Duration::MAX), only_if_absent: false };
    assert!(bus.set("k", Bytes::from("v"), forever).await.unwrap());
    assert!(bus.get("k").await.unwrap().is_some());
    let never = SetOptions { ttl: Some(Duration::ZERO), only_if_absent: false };
    refused(bus.set("k", Bytes::from("v"), never).await, "invalid expire time");
}

async fn keys_count(place: Place) {
    assert_eq!(place.one.increment("n", 2).await.unwrap(), 2);
    assert_eq!(place.two.increment("n", -5).await.unwrap(), -3);
    assert_eq!(place.one.get("n").await.unwrap().unwrap(), "-3");
    place.one.set("n", Bytes::from("no number"), SetOptions::default()).await.unwrap();
    refused(place.one.increment("n", 1).await, "ERR value is not an integer or out of range");
    place.one.set("n", Bytes::from(i64::MAX.to_string()), SetOptions::default()).await.unwrap();
    refused(place.one.increment("n", 1).await, "ERR increment or decrement would overflow");
}

async fn keys_hold_sets(place: Place) {
    let bus = &place.one;
    let members = async || bus.set_members("s").await.unwrap().into_iter().collect::<BTreeSet<_>>();
    assert!(members().await.is_empty());
    for member in ["a", "b", "c"] {
        assert!(bus.set_add("s", member).await.unwrap());
        assert!(!bus.set_add("s", member).await.unwrap());
    }
    assert!(bus.set_remove("s", "c").await.unwrap());
    assert!(!bus.set_remove("s", "c").await.unwrap());
    assert_eq!(members().await, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    assert!(bus.set_remove("s", "a").await.unwrap());
    assert!(bus.set_remove("s", "b").await.unwrap());
    assert!(!bus.delete("s").await.unwrap(), "an empty set is gone");
}

async fn a_key_has_one_type(place: Place) {
    let bus = &place.one;
    bus.set_add("s", "m").await.unwrap();
    bus.set("k", Bytes::from("v"), SetOptions::default()).await.unwrap();
    refused(bus.get("s").await, "WRONGTYPE");
    refused(bus.increment("s", 1).await, "WRONGTYPE");
    refused(bus.set_add("k", "m").await, "WRONGTYPE");
    refused(bus.set_remove("k", "m").await, "WRONGTYPE");
    refused(bus.set_members("k").await, "WRONGTYPE");
    assert!(bus.expire("s", Duration::from_secs(9)).await.unwrap());
    assert!(bus.set("s", Bytes::from("v"), SetOptions::default()).await.unwrap(), "SET takes any key");
    assert!(bus.delete("k").await.unwrap());
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, BusError>, words: &str) {
    match outcome {
        Err(BusError::Refused { reason, .. }) => assert!(reason.contains(words), "{reason}"),
        other => panic!("{other:?}"),
    }
}

async fn a_closed_bus_says_so_and_leaves_the_others_alone(place: Place) {
    let (_end, mut receiver) = listen(&place.one, "c").await;
    let (_other, mut others) = listen(&place.two, "c").await;
    let mut state = place.one.state();
    assert_eq!(*state.borrow_and_update(), BusState::Ready);
    place.one.close().await;
    place.one.close().await;
    assert_eq!(*state.borrow_and_update(), BusState::Closed);
    assert!(matches!(place.one.publish("c", Bytes::new()).await, Err(BusError::Closed)));
    assert!(matches!(place.one.get("k").await, Err(BusError::Closed)));
    let nothing: Arc<dyn Deliver> = Arc::new(|_: Message| {});
    assert!(matches!(place.one.subscribe(Topic::parse("c"), nothing).await, Err(BusError::Closed)));
    assert!(within(receiver.recv()).await.is_none(), "its listeners know");
    within(async {
        while place.two.publish("c", Bytes::from("x")).await.unwrap() != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(next(&mut others).await.payload, "x");
}

async fn a_dropped_bus_listens_no_more(place: Place) {
    let (end, mut receiver) = listen(&place.two, "c").await;
    drop(place.two);
    until_nobody_listens(&place.one, "c").await;
    assert!(within(receiver.recv()).await.is_none());
    drop(end);
}

async fn a_full_queue_of_requests_hands_them_back(place: Place) {
    let refused = Arc::new(Mutex::new(Vec::new()));
    let limits = QueueLimits { messages: 3, bytes: 1000 };
    let (queue, mut receiver) = Queue::refuse(limits, {
        let refused = Arc::clone(&refused);
        move |message: Message| refused.lock().unwrap().push(message.payload)
    });
    let _end = place.two.subscribe(Topic::parse("c"), queue).await.unwrap();
    for payload in ["1", "2", "3", "4", "5"] {
        place.one.publish("c", Bytes::from(payload)).await.unwrap();
    }
    let heard = heard(&place.two, &place.one, &mut receiver).await;
    assert_eq!(heard, ["c=1", "c=2", "c=3"]);
    assert_eq!(*refused.lock().unwrap(), ["4", "5"]);
}

async fn the_outbox_publishes_in_order(place: Place) {
    let (_end, mut receiver) = listen(&place.two, "c").await;
    let outbox = Outbox::new(Arc::clone(&place.one));
    // All at once, and more than the outbox has in flight. Unconstrained: tokio's budget would let some of them yield.
    let payloads: Vec<_> = (0..3000).map(|n| Bytes::from(n.to_string())).collect();
    let publishes = payloads.iter().map(|payload| outbox.publish("c", payload.clone(), PATIENCE));
    for outcome in unconstrained(join_all(publishes)).await {
        assert_eq!(outcome.unwrap(), 1);
    }
    for payload in payloads {
        assert_eq!(next(&mut receiver).await.payload, payload);
    }
}

/// In RESP2 the driver takes such a reply for a message; then every later reply goes to the wrong command.
#[tokio::test]
async fn a_set_that_looks_like_a_message_is_read_as_a_set() {
    let place = Place::on_redis(&[]).await;
    for member in ["message", "a", "b"] {
        place.one.set_add("s", member).await.unwrap();
    }
    place.one.set("k", Bytes::from("v"), SetOptions::default()).await.unwrap();
    for _ in 0..10 {
        assert_eq!(place.one.set_members("s").await.unwrap().len(), 3);
        assert_eq!(place.one.get("k").await.unwrap().unwrap(), "v");
    }
}

/// Whatever the pattern: the in-process bus and the server agree.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_patterns_match_alike_on_both() {
    const LETTERS: [char; 9] = ['a', 'b', '*', '?', '[', ']', '^', '-', '\\'];
    let redis = Place::on_redis(&[]).await;
    let memory = Place::in_memory().await;
    let mut random = 42_u64;
    let mut word = |letters: usize| -> String {
        std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            LETTERS[usize::try_from(random >> 33).unwrap() % LETTERS.len()]
        })
        .take(letters)
        .collect()
    };
    for n in 0..400 {
        let pattern: Arc<str> = word(1 + n % 7).into();
        let texts: Vec<String> =
            (0..6).map(|length| word(length % 4 + 1)).chain(["a".into(), "ab".into()]).collect();
        let mut answers = Vec::new();
        for place in [&memory, &redis] {
            let (queue, mut receiver) = Queue::drop_oldest(QueueLimits::default());
            let _end = place.two.subscribe(Topic::Pattern(Arc::clone(&pattern)), queue).await.unwrap();
            for (n, text) in texts.iter().enumerate() {
                place.one.publish(text, Bytes::from(n.to_string())).await.unwrap();
            }
            answers.push(heard(&place.two, &place.one, &mut receiver).await);
        }
        assert_eq!(answers[0], answers[1], "{pattern:?} on {texts:?}, in memory and on Redis");
    }
}
