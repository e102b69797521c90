//! Streams in both directions.

use daebus::caller::CallError as Error;
use daebus_tests_support::{eventually, within};

use super::*;

#[tokio::test]
async fn a_returned_stream_arrives_in_order_and_ends() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut stream = numbers.count(&range(100, 1100)).await.unwrap();
    for expected in 100..=1100 {
        assert_eq!(within(stream.next()).await.unwrap().unwrap(), expected);
    }
    assert!(within(stream.next()).await.is_none());
    assert!(stream.next().await.is_none(), "it has ended");
    assert_eq!(seen.dropped(), 1);
    app.finish().await;
}

#[tokio::test]
async fn an_error_ends_the_stream_with_its_type() {
    let (app, _) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut stream = numbers.count(&range(12, 20)).await.unwrap();
    assert_eq!(within(stream.next()).await.unwrap().unwrap(), 12);
    let error = within(stream.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Service(NumberError::NoSuchNumber { n: 13 })), "{error:?}");
    assert!(stream.next().await.is_none());
    app.finish().await;
}

#[tokio::test]
async fn a_handler_may_fail_before_its_stream() {
    let (app, _) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut stream = numbers.closed(&0).await.unwrap();
    let error = within(stream.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Service(NumberError::NoSuchNumber { n: 0 })), "{error:?}");
    let mut stream = numbers.closed(&5).await.unwrap();
    assert_eq!(within(stream.next()).await.unwrap().unwrap(), 5);
    assert!(within(stream.next()).await.is_none());
    app.finish().await;
}

#[tokio::test]
async fn a_handler_takes_a_stream_and_answers_with_a_value() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let sum = within(numbers.sum(stream::iter(1..=1000)).into_future()).await.unwrap();
    assert_eq!((sum, seen.received()), (500_500, 1000));
    let none = within(numbers.sum(stream::empty()).into_future()).await.unwrap();
    assert_eq!(none, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_handler_takes_and_returns_a_stream() {
    let (app, _) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let stream = numbers.double(stream::iter(0..500)).await.unwrap();
    let doubled: Vec<i64> = within(stream.map(Result::unwrap).collect()).await;
    assert_eq!(doubled, (0..500).map(|n| n * 2).collect::<Vec<_>>());
    app.finish().await;
}

#[tokio::test]
async fn a_slow_reader_holds_the_handler_back() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut stream = numbers.count(&range(100, 100_000)).await.unwrap();
    app.advance(Duration::from_secs(600)).await;
    // The handler has one more item, which waits for credit.
    assert_eq!(seen.yielded(), 65);
    for expected in 100..110 {
        assert_eq!(within(stream.next()).await.unwrap().unwrap(), expected);
    }
    app.advance(Duration::from_secs(600)).await;
    assert_eq!(seen.yielded(), 75);
    let mut narrow = numbers.count(&range(100, 100_000)).window(2, 1000).await.unwrap();
    assert_eq!(within(narrow.next()).await.unwrap().unwrap(), 100);
    app.advance(Duration::from_secs(60)).await;
    assert_eq!(seen.yielded(), 75 + 4);
    drop((stream, narrow));
    app.finish().await;
}

#[tokio::test]
async fn a_slow_reader_bounds_the_bytes_and_a_larger_item_goes_alone() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut stream = numbers.large(&(10, 300_000)).await.unwrap();
    app.advance(Duration::from_secs(60)).await;
    assert_eq!(seen.yielded(), 4, "three of 300 kB fit into 1 MiB");
    let mut count = 0;
    while let Some(item) = within(stream.next()).await {
        assert_eq!(item.unwrap().len(), 300_000);
        count += 1;
    }
    assert_eq!(count, 10);
    let huge = numbers.large(&(5, 3_000_000)).await.unwrap();
    let lengths: Vec<usize> = within(huge.map(|item| item.unwrap().len()).collect()).await;
    assert_eq!(lengths, [3_000_000; 5]);
    app.finish().await;
}

#[tokio::test]
async fn a_slow_handler_holds_the_callers_stream_back() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let polled = Seen::default();
    let items = {
        let polled = polled.clone();
        stream::iter(0..1000).map(move |n| {
            polled.yields();
            n.to_string()
        })
    };
    let call = tokio::spawn(numbers.slow(&600_000, items).into_future());
    app.settle().await;
    app.advance(Duration::from_secs(500)).await;
    assert_eq!((seen.received(), polled.yielded()), (0, 65));
    app.advance(Duration::from_secs(200)).await;
    assert_eq!(within(call).await.unwrap().unwrap(), 1000);
    app.finish().await;
}

#[tokio::test]
async fn dropping_the_stream_cancels_the_handler() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let stream = numbers.silent().await.unwrap();
    assert_eq!(numbers.caller().in_flight(), 1);
    drop(stream);
    eventually("the handler's stream is dropped", async || seen.dropped() == 1).await;
    assert_eq!(numbers.caller().in_flight(), 0);
    let call = tokio::spawn(numbers.sum(stream::pending()).into_future());
    app.settle().await;
    call.abort();
    eventually("the handler is dropped", async || seen.dropped() == 2).await;
    app.finish().await;
}

#[tokio::test]
async fn the_callers_stream_is_dropped_when_the_handler_ends() {
    let (app, _) = app().await;
    let caller = app.caller();
    let polled = Seen::default();
    let guard = Dropped(polled.clone());
    let items = stream::pending::<i64>().map(move |item| {
        let _ = &guard;
        item
    });
    // The handler doesn't read the stream.
    let mut stream = caller.stream::<Value>("closed", 7).items(items).await.unwrap();
    assert_eq!(within(stream.next()).await.unwrap().unwrap(), json!(7));
    assert!(within(stream.next()).await.is_none());
    eventually("the items are dropped", async || polled.dropped() == 1).await;
    app.finish().await;
}

#[tokio::test]
async fn an_item_that_does_not_fit_the_type_is_an_error_with_its_number() {
    let (app, seen) = app().await;
    let call =
        app.caller().stream::<Value>("sum", ()).items(stream::iter([json!(1), json!("two"), json!(3)]));
    let mut stream = call.await.unwrap();
    let error = within(stream.next()).await.unwrap().unwrap_err();
    let Error::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code(), Some("invalid_payload"));
    assert!(seen.errors()[0].starts_with("item 2 of the stream can't be read"), "{:?}", seen.errors());
    app.finish().await;
}

#[tokio::test]
async fn an_ordinary_action_may_be_called_with_a_session() {
    let (app, _) = app().await;
    let mut stream = app.caller().stream::<Value>("add", 7).await.unwrap();
    assert!(within(stream.next()).await.is_none(), "it has no items");
    app.finish().await;
}

#[tokio::test]
async fn a_call_without_a_session_is_refused_by_an_action_that_streams() {
    let (app, seen) = app().await;
    for action in ["count", "sum", "greet"] {
        let error = app.caller().send_request::<Value>(action, json!({})).await.unwrap_err();
        let Error::Service(fault) = error else { panic!("{error:?}") };
        assert_eq!((fault.code(), fault.is_refused()), (Some("session_required"), true), "{action}");
    }
    assert_eq!((seen.yielded(), seen.dropped()), (0, 0), "nothing has run");
    app.finish().await;
}

#[tokio::test]
async fn an_unknown_action_and_an_unknown_service_are_reported() {
    let (app, _) = app().await;
    let error = app.caller().stream::<Value>("nothing", ()).await.unwrap_err();
    let Error::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code(), Some("unknown_action"));
    let error = app.caller().to("nobody").stream::<Value>("count", ()).await.unwrap_err();
    assert!(matches!(error, Error::NoService { .. }), "{error:?}");
    let error = app.caller().stream::<Value>("count", ()).on_instance("numbers@0").await.unwrap_err();
    assert!(matches!(error, Error::InstanceLost { .. }), "{error:?}");
    app.finish().await;
}

#[tokio::test]
async fn a_panic_ends_the_stream_with_internal() {
    #[action("fragile")]
    async fn fragile() -> impl Stream<Item = Result<u64, BoxError>> {
        stream::iter(0..10).map(|n| if n == 3 { panic!("at 3") } else { Ok(n) })
    }
    let app = TestApp::new(Daebus::new("svc").register(blueprint_of!["svc"; fragile])).await;
    let mut stream = app.caller().stream::<u64>("fragile", ()).await.unwrap();
    for n in 0..3 {
        assert_eq!(within(stream.next()).await.unwrap().unwrap(), n);
    }
    let error = within(stream.next()).await.unwrap().unwrap_err();
    let Error::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code(), Some("internal"));
    assert_eq!(app.panics().len(), 1);
    app.finish().await;
}
