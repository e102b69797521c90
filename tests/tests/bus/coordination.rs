//! Presence, claims and leases: the same statements for each bus, run by `conformance`.

use std::time::Duration;

use bytes::Bytes;
use daebus_caller::bus::{Acquired, Claimed, KeyExpiry, SetOptions, Standing};
use daebus_caller::wire::presence::{Presence, claim_key, lease_key};
use daebus_caller::wire::{Instance, InstanceId};
use daebus_caller::{BusError, bus::Bus};
use daebus_tests::within;
use uuid::Uuid;

use super::conformance::Place;
use super::listen;

const TTL: Duration = Duration::from_secs(15);
const INDEX_TTL: Duration = Duration::from_secs(60);

/// A run of the instance `id` of the service `svc`.
fn presence(id: &str, run: u128) -> Presence {
    Presence::new("svc", InstanceId::new(id).unwrap(), Uuid::from_u128(run))
}

fn info(presence: &Presence) -> Bytes {
    Instance::new(presence.id().clone(), "svc", presence.run()).write()
}

/// Writes the info of a run, to live for `ttl`.
async fn join(bus: &dyn Bus, presence: &Presence, ttl: Duration) {
    let options = SetOptions { ttl: Some(ttl), only_if_absent: true };
    assert!(bus.set(presence.info_key(), info(presence), options).await.unwrap());
}

async fn time_left(bus: &dyn Bus, key: &str) -> Duration {
    match bus.time_to_live(key).await.unwrap() {
        KeyExpiry::After(left) => left,
        other => panic!("{key}: {other:?}"),
    }
}

async fn until_absent(bus: &dyn Bus, key: &str) {
    within(async {
        while bus.time_to_live(key).await.unwrap() != KeyExpiry::Absent {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(super) async fn several_keys_are_read_together(place: Place) {
    let bus = &place.one;
    assert!(bus.get_many(&[]).await.unwrap().is_empty());
    bus.set("a", Bytes::from("1"), SetOptions::default()).await.unwrap();
    bus.set("b", Bytes::from("\u{0}\n"), SetOptions::default()).await.unwrap();
    bus.set_add("s", "member").await.unwrap();
    let keys = ["b", "none", "a", "s", "a"].map(str::to_owned);
    let values = place.two.get_many(&keys).await.unwrap();
    let expected = [Some("\u{0}\n"), None, Some("1"), None, Some("1")];
    assert_eq!(values, expected.map(|value| value.map(Bytes::from)));
}

pub(super) async fn the_time_to_live_of_a_key_is_returned(place: Place) {
    let bus = &place.one;
    assert_eq!(bus.time_to_live("k").await.unwrap(), KeyExpiry::Absent);
    bus.set("k", Bytes::from("v"), SetOptions::default()).await.unwrap();
    assert_eq!(bus.time_to_live("k").await.unwrap(), KeyExpiry::Never);
    bus.expire("k", TTL).await.unwrap();
    let left = time_left(&**bus, "k").await;
    assert!(left <= TTL && left > TTL / 2, "{left:?}");
}

pub(super) async fn a_refresh_extends_the_keys_of_its_own_run(place: Place) {
    let (bus, presence) = (&*place.one, presence("svc@1", 1));
    join(bus, &presence, TTL / 5).await;
    for _ in 0..2 {
        assert_eq!(bus.refresh(&presence, TTL, INDEX_TTL).await.unwrap(), Standing::Kept);
        assert!(time_left(bus, presence.info_key()).await > TTL / 2);
        assert!(time_left(bus, presence.instances_key()).await > INDEX_TTL / 2);
        assert_eq!(bus.set_members("daebus:instances:svc").await.unwrap(), ["svc@1"]);
        bus.delete(presence.instances_key()).await.unwrap();
    }
    assert_eq!(bus.get("daebus:info:svc@1").await.unwrap().unwrap(), info(&presence));
}

pub(super) async fn a_refresh_reports_another_run_and_an_absent_key(place: Place) {
    let (bus, first, second) = (&*place.one, presence("svc@1", 1), presence("svc@1", 2));
    assert_eq!(bus.refresh(&first, TTL, INDEX_TTL).await.unwrap(), Standing::Lapsed);
    join(bus, &second, TTL / 5).await;
    assert_eq!(bus.refresh(&first, TTL, INDEX_TTL).await.unwrap(), Standing::TakenOver);
    assert!(time_left(bus, first.info_key()).await <= TTL / 5);
    assert!(bus.set_members(first.instances_key()).await.unwrap().is_empty());
    bus.delete(first.info_key()).await.unwrap();
    bus.set_add(first.info_key(), "a set").await.unwrap();
    assert_eq!(bus.refresh(&first, TTL, INDEX_TTL).await.unwrap(), Standing::TakenOver);
}

pub(super) async fn an_info_is_amended_and_withdrawn_by_its_own_run_only(place: Place) {
    let (bus, first, second) = (&*place.one, presence("svc@1", 1), presence("svc@1", 2));
    let mut draining = Instance::new(first.id().clone(), "svc", first.run());
    draining.rev = 2;
    let amend = || bus.amend(&first, draining.write(), TTL);

    assert_eq!(amend().await.unwrap(), Standing::Lapsed);
    assert_eq!(bus.withdraw(&first).await.unwrap(), Standing::Lapsed);
    assert_eq!(bus.get(first.info_key()).await.unwrap(), None);

    join(bus, &second, TTL).await;
    bus.refresh(&second, TTL, INDEX_TTL).await.unwrap();
    assert_eq!(amend().await.unwrap(), Standing::TakenOver);
    assert_eq!(bus.withdraw(&first).await.unwrap(), Standing::TakenOver);
    assert_eq!(bus.get(first.info_key()).await.unwrap().unwrap(), info(&second));
    assert_eq!(bus.set_members(first.instances_key()).await.unwrap(), ["svc@1"]);

    assert_eq!(bus.withdraw(&second).await.unwrap(), Standing::Kept);
    assert_eq!(bus.get(first.info_key()).await.unwrap(), None);
    assert!(bus.set_members(first.instances_key()).await.unwrap().is_empty());

    join(bus, &first, TTL / 5).await;
    assert_eq!(amend().await.unwrap(), Standing::Kept);
    assert_eq!(bus.get(first.info_key()).await.unwrap().unwrap(), draining.write());
    assert!(time_left(bus, first.info_key()).await > TTL / 2);
    assert_eq!(bus.refresh(&first, TTL, INDEX_TTL).await.unwrap(), Standing::Kept);
}

pub(super) async fn a_claim_is_won_by_one_instance(place: Place) {
    let (one, two) = (presence("svc@1", 1), presence("svc@2", 2));
    join(&*place.one, &one, TTL).await;
    join(&*place.two, &two, TTL).await;
    let key = claim_key("svc", "hash");
    assert_eq!(place.one.claim(&one, &key, TTL).await.unwrap(), Claimed::Won);
    let by = one.holder().to_owned();
    assert_eq!(by, format!("svc@1:{}", one.run()));
    for (bus, instance) in [(&place.one, &one), (&place.two, &two)] {
        assert_eq!(bus.claim(instance, &key, TTL).await.unwrap(), Claimed::Held { by: by.clone() });
    }
    assert_eq!(place.two.get("daebus:claim:svc:hash").await.unwrap().unwrap(), by);
    assert!(time_left(&*place.one, &key).await > TTL / 2);
    let other = claim_key("svc", "other");
    assert_eq!(place.two.claim(&two, &other, Duration::from_millis(50)).await.unwrap(), Claimed::Won);
    until_absent(&*place.two, &other).await;
    assert_eq!(place.one.claim(&one, &other, TTL).await.unwrap(), Claimed::Won);
}

pub(super) async fn an_instance_without_its_info_claims_nothing(place: Place) {
    let (bus, first, second) = (&*place.one, presence("svc@1", 1), presence("svc@1", 2));
    let key = claim_key("svc", "hash");
    assert_eq!(bus.claim(&first, &key, TTL).await.unwrap(), Claimed::Lapsed);
    join(bus, &second, TTL).await;
    assert_eq!(bus.claim(&first, &key, TTL).await.unwrap(), Claimed::Lapsed);
    assert_eq!(bus.get(&key).await.unwrap(), None);
    assert_eq!(bus.claim(&second, &key, TTL).await.unwrap(), Claimed::Won);
}

pub(super) async fn a_lease_has_one_holder(place: Place) {
    let key = lease_key("svc", "report");
    let Acquired::Won { token: first, value } = place.one.acquire(&key, "svc@1:run", TTL).await.unwrap()
    else {
        panic!("the lease is free");
    };
    assert_eq!(value, format!("svc@1:run:{first}"));
    assert_eq!(place.one.get("daebus:lease:svc:report").await.unwrap().unwrap(), value);
    let held = Acquired::Held { by: value.clone() };
    assert_eq!(place.two.acquire(&key, "svc@2:run", TTL).await.unwrap(), held);
    assert_eq!(place.one.acquire(&key, "svc@1:run", TTL).await.unwrap(), held);
    assert!(place.one.release(&key, &value).await.unwrap());
    let brief = Duration::from_millis(50);
    let Acquired::Won { token: second, .. } = place.two.acquire(&key, "svc@2:run", brief).await.unwrap()
    else {
        panic!("the lease is free again");
    };
    assert!(second > first, "{second} {first}");
    until_absent(&*place.one, &key).await;
    assert!(matches!(place.one.acquire(&key, "svc@1:run", TTL).await.unwrap(), Acquired::Won { .. }));
}

pub(super) async fn only_the_holder_renews_and_releases_a_lease(place: Place) {
    let bus = &*place.one;
    assert!(!bus.renew("lease", "x", TTL).await.unwrap());
    assert!(!bus.release("lease", "x").await.unwrap());
    let Acquired::Won { value, .. } = bus.acquire("lease", "holder", TTL / 5).await.unwrap() else {
        panic!("the lease is free");
    };
    for other in ["", "holder", "holder:1", &value[..value.len() - 1]] {
        assert!(!place.two.renew("lease", other, TTL).await.unwrap());
        assert!(!place.two.release("lease", other).await.unwrap());
    }
    assert!(time_left(bus, "lease").await <= TTL / 5);
    assert!(bus.renew("lease", &value, TTL).await.unwrap());
    assert!(time_left(bus, "lease").await > TTL / 2);
    assert!(bus.release("lease", &value).await.unwrap());
    assert!(!bus.renew("lease", &value, TTL).await.unwrap());
}

pub(super) async fn sync_returns_after_everything_published_before_is_delivered(place: Place) {
    let (_end, mut receiver) = listen(&place.two, "c").await;
    let mut expected = 0;
    for round in 1..=50 {
        for _ in 0..round {
            place.one.publish("c", Bytes::from("x")).await.unwrap();
        }
        expected += round;
        place.two.sync().await.unwrap();
        assert_eq!(receiver.len(), expected);
    }
    assert!(receiver.try_recv().is_some());
    place.two.close().await;
    assert!(matches!(place.two.sync().await, Err(BusError::Closed)));
}

/// A server forgets its scripts when it restarts, and on SCRIPT FLUSH.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_the_server_has_forgotten_is_sent_again() {
    use daebus_caller::fred::interfaces::ClientLike;
    use daebus_caller::fred::types::{ClusterHash, CustomCommand};

    let place = Place::on_redis(&[]).await;
    let presence = presence("svc@1", 1);
    join(&*place.one, &presence, TTL).await;
    for n in 0..3 {
        let key = claim_key("svc", &n.to_string());
        assert_eq!(place.one.claim(&presence, &key, TTL).await.unwrap(), Claimed::Won);
        let flush = CustomCommand::new("SCRIPT", ClusterHash::FirstKey, false);
        place.two.redis().unwrap().custom::<(), _>(flush, vec!["FLUSH"]).await.unwrap();
    }
}
