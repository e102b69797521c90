//! Limits in time: silence, idleness, opening, and the drain.

use daebus::CallError as Error;
use daebus_tests_support::{eventually, within};

use super::*;

#[tokio::test]
async fn a_silent_stream_stays_open_since_both_sides_report_that_they_are_alive() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut stream = numbers.silent().await.unwrap();
    app.advance(Duration::from_secs(3600)).await;
    assert_eq!(seen.dropped(), 0);
    assert!(futures_util::FutureExt::now_or_never(stream.next()).is_none());
    app.finish().await;
}

#[tokio::test]
async fn the_callers_idle_limit_ends_a_silent_stream() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut stream = numbers.silent().idle(Duration::from_secs(60)).await.unwrap();
    app.advance(Duration::from_secs(58)).await;
    assert_eq!(seen.dropped(), 0);
    app.advance(Duration::from_secs(3)).await;
    let error = within(stream.next()).await.unwrap().unwrap_err();
    let Error::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code(), Some("session_idle"));
    eventually("the handler's stream is dropped", async || seen.dropped() == 1).await;
    app.finish().await;
}

#[tokio::test]
async fn the_idle_limit_does_not_count_while_the_reader_holds_the_sender_back() {
    let (app, _) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut stream =
        numbers.count(&range(100, 300)).idle(Duration::from_secs(5)).window(4, 1000).await.unwrap();
    for expected in 100..=300 {
        if expected % 50 == 0 {
            app.advance(Duration::from_secs(60)).await;
        }
        assert_eq!(within(stream.next()).await.unwrap().unwrap(), expected);
    }
    assert!(within(stream.next()).await.is_none());
    app.finish().await;
}

#[tokio::test]
async fn the_timeout_of_an_action_limits_how_long_its_caller_is_idle() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let call = tokio::spawn(numbers.sum(stream::iter([1]).chain(stream::pending())).into_future());
    app.settle().await;
    app.advance(Duration::from_secs(58)).await;
    assert!(!call.is_finished());
    app.advance(Duration::from_secs(4)).await;
    let error = within(call).await.unwrap().unwrap_err();
    let Error::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code(), Some("session_idle"));
    assert_eq!(seen.errors(), ["no item arrived within 60s"]);
    app.finish().await;
}

#[tokio::test]
async fn a_drain_interrupts_streams_without_an_end() {
    let (app, _) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut silent = numbers.silent().await.unwrap();
    let finish = tokio::spawn(app.finish());
    let error = within(silent.next()).await.unwrap().unwrap_err();
    let Error::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code(), Some("interrupted"));
    within(finish).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_ends_soon_is_finished_in_the_drain() {
    let (app, _) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut stream = numbers.count(&range(100, 400)).await.unwrap();
    assert_eq!(within(stream.next()).await.unwrap().unwrap(), 100);
    let finish = tokio::spawn(app.finish());
    let rest: Vec<u64> = within(stream.map(Result::unwrap).collect()).await;
    assert_eq!(rest.len(), 300);
    within(finish).await.unwrap();
}

#[tokio::test]
async fn closing_the_caller_ends_its_streams() {
    let (app, seen) = app().await;
    let caller = app.caller();
    let mut stream = caller.stream::<u64>("silent", ()).await.unwrap();
    caller.close().await;
    assert!(matches!(within(stream.next()).await, Some(Err(Error::Closed))));
    assert!(matches!(caller.stream::<u64>("silent", ()).await, Err(Error::Closed)));
    eventually("the handler's stream is dropped", async || seen.dropped() == 1).await;
    app.finish().await;
}

#[tokio::test]
async fn a_peer_that_is_silent_for_15_s_is_lost() {
    let (app, seen) = app().await;
    let info: Value = app.caller().send_request("$ping", ()).await.unwrap();
    let channel = format!("daebus:to:{}", info["id"].as_str().unwrap());
    let inbox = app.caller().listen::<Value>("caller:peer").await.unwrap();
    app.publish(
        &channel,
        json!({
            "action": "sum", "payload": {}, "reply_to": "caller:peer", "request_id": "1",
            "session": {"credit": {"items": 1, "bytes": 1}}
        }),
    )
    .await;
    app.advance(Duration::from_secs(14)).await;
    assert_eq!(seen.errors(), [""; 0]);
    app.advance(Duration::from_secs(2)).await;
    assert_eq!(seen.errors(), ["the peer sent nothing for 15s"]);
    drop(inbox);
    app.finish().await;
}

#[tokio::test]
async fn a_service_that_is_silent_for_15_s_is_lost() {
    let (app, _) = app().await;
    let caller = app.caller();
    let mut stream = caller.stream::<u64>("silent", ()).await.unwrap();
    let began = tokio::time::Instant::now();
    // Its tasks end, and its info stays on the bus.
    drop(app);
    let error = within(stream.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::InstanceLost { .. }), "{error:?}");
    assert!(began.elapsed() <= Duration::from_secs(16), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_timeout_bounds_the_opening_only() {
    #[action("narrow", concurrency = 1)]
    async fn narrow() -> impl Stream<Item = Result<u64, BoxError>> {
        stream::pending()
    }
    let app = TestApp::new(Daebus::new("svc").register(blueprint_of!["svc"; narrow])).await;
    let caller = app.caller();
    let first = caller.stream::<u64>("narrow", ()).timeout(Duration::from_secs(2)).await.unwrap();
    app.advance(Duration::from_secs(60)).await;
    let error = caller.stream::<u64>("narrow", ()).timeout(Duration::from_secs(2)).await.unwrap_err();
    let is_late = match &error {
        Error::Timeout { .. } => true,
        Error::Fault(fault) => fault.code() == Some("deadline_exceeded"),
        _ => false,
    };
    assert!(is_late, "{error:?}");
    drop(first);
    app.settle().await;
    let third = caller.stream::<u64>("narrow", ()).timeout(Duration::from_secs(2)).await.unwrap();
    drop(third);
    app.finish().await;
}
