//! One side of a session against a peer whose messages are written by hand.

use std::sync::Arc;

use daebus_tests_support::{eventually, within};
use parking_lot::Mutex;
use tokio::time::advance;

use super::*;
use crate::bus::{Batching, Bus, MemoryBus, Message, Outbox, Subscription, Topic};
use crate::wire::{FromCaller, SessionAddress};

/// What the peer has received.
type Sent = Arc<Mutex<Vec<SessionMessage>>>;

async fn side(window: Window) -> (Session, Sent, Arc<dyn Bus>, Subscription) {
    let bus: Arc<dyn Bus> = MemoryBus::new();
    let sent = Sent::default();
    let received = Arc::clone(&sent);
    let deliver = move |message: Message| {
        let text = std::str::from_utf8(&message.payload).unwrap();
        let read = FromCaller::read(&message.payload, text).unwrap().unwrap();
        received.lock().push(read.message.unwrap());
    };
    let subscription = bus.subscribe(Topic::Channel("peer".into()), Arc::new(deliver)).await.unwrap();
    let address = SessionAddress::Instance {
        reply_to: "caller:x".into(),
        request_id: "1".into(),
        service: "svc".into(),
    };
    let transport = Transport {
        outbox: Outbox::new(Arc::clone(&bus)),
        channel: "peer".into(),
        batching: Batching::Alone,
        address,
    };
    (Session::new(transport, window), sent, bus, subscription)
}

fn item(seq: u64) -> SessionMessage {
    SessionMessage::Item { seq, payload: RawJson::from_value("x").unwrap() }
}

async fn received(session: &Session) -> Received {
    within(std::future::poll_fn(|context| session.poll_received(context))).await
}

fn credits(sent: &Sent) -> Vec<u64> {
    let items = |message: &SessionMessage| match message {
        SessionMessage::Credit(credit) => Some(credit.items),
        _ => None,
    };
    sent.lock().iter().filter_map(items).collect()
}

#[tokio::test(start_paused = true)]
async fn credit_is_sent_when_half_of_the_window_is_taken_and_repeated_while_nothing_else_is_sent() {
    let (session, sent, _bus, _subscription) = side(Window { items: 4, bytes: 1000 }).await;
    session.start();
    let keeper = tokio::spawn({
        let session = session.clone();
        async move { session.keep().await }
    });
    for seq in 1..=4 {
        session.receive(item(seq));
    }
    for _ in 0..2 {
        assert!(matches!(received(&session).await, Received::Item(_)));
    }
    eventually("half of the window is reported", async || credits(&sent) == [6]).await;
    assert!(matches!(received(&session).await, Received::Item(_)));
    advance(Duration::from_millis(25)).await;
    eventually("one item is reported a little later", async || credits(&sent) == [6, 7]).await;
    advance(Duration::from_millis(5100)).await;
    eventually("the credit is repeated", async || credits(&sent) == [6, 7, 7]).await;
    session.fail(SessionError::Over);
    within(keeper).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_lost_after_15_s_and_the_reason_is_reported() {
    let (session, sent, _bus, _subscription) = side(Window::default()).await;
    session.start();
    let began = Instant::now();
    within(session.keep()).await;
    assert_eq!(began.elapsed().as_secs(), 15);
    assert_eq!(session.failure(), Some(SessionError::Lost { after: LOST }));
    assert!(matches!(received(&session).await, Received::Failed(SessionError::Lost { .. })));
    session.report_failure().await;
    let end = sent.lock().last().cloned();
    let Some(SessionMessage::End { seq: 0, error: Some(fault) }) = end else { panic!("{end:?}") };
    assert_eq!(fault.code(), Some("session_lost"));
}

#[tokio::test(start_paused = true)]
async fn items_before_an_error_are_still_read() {
    let (session, ..) = side(Window::default()).await;
    session.receive(item(1));
    session.receive(item(3));
    session.receive(item(2));
    assert!(matches!(received(&session).await, Received::Item(_)));
    let gap = SessionError::Gap { expected: 2, received: 3 };
    for _ in 0..2 {
        assert!(matches!(received(&session).await, Received::Failed(error) if error == gap));
    }
    assert_eq!(session.send_item(RawJson::empty_object()).await, Err(gap));
}

#[tokio::test(start_paused = true)]
async fn a_final_reply_with_a_wrong_number_is_an_error() {
    let (session, ..) = side(Window::default()).await;
    session.receive(item(1));
    session.receive(SessionMessage::Final { seq: Some(2), outcome: Ok(None) });
    assert!(matches!(received(&session).await, Received::Item(_)));
    assert!(matches!(received(&session).await, Received::Failed(SessionError::Gap { .. })));
    let (session, ..) = side(Window::default()).await;
    session.receive(SessionMessage::Final { seq: None, outcome: Err(Fault::new("session_unknown", "no")) });
    assert!(matches!(received(&session).await, Received::End(Err(_))), "an error needs no number");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_wakes_its_reader() {
    let (session, _sent, _bus, _subscription) = side(Window::default()).await;
    let reader = tokio::spawn({
        let session = session.clone();
        async move { received(&session).await }
    });
    // The reader waits before the session ends.
    tokio::task::yield_now().await;
    session.finish(Ok(None));
    tokio::time::timeout(Duration::from_secs(1), reader).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_repeated() {
    let (session, sent, _bus, _subscription) = side(Window::default()).await;
    session.start();
    session.send_end(None).await.unwrap();
    let keep = session.keep();
    assert!(tokio::time::timeout(Duration::from_secs(6), keep).await.is_err());
    let ends = sent.lock().iter().filter(|message| matches!(message, SessionMessage::End { .. })).count();
    assert_eq!(ends, 2);
}

#[tokio::test(start_paused = true)]
async fn an_item_without_a_receiver_ends_the_session() {
    let (session, _sent, _bus, subscription) = side(Window::default()).await;
    session.grant(Credit { items: 2, bytes: 100 });
    session.send_item(RawJson::empty_object()).await.unwrap();
    subscription.leave().await;
    assert_eq!(session.send_item(RawJson::empty_object()).await, Err(SessionError::Gone));
}

#[tokio::test(start_paused = true)]
async fn a_later_question_takes_the_place_of_one_that_was_not_read() {
    let (session, ..) = side(Window::default()).await;
    for ask in 1..=3 {
        session.receive(SessionMessage::Ask { ask, payload: RawJson::empty_object() });
    }
    assert!(matches!(received(&session).await, Received::Ask { ask: 3, .. }));
    session.receive(SessionMessage::Ask { ask: 2, payload: RawJson::empty_object() });
    assert!(matches!(received(&session).await, Received::Failed(SessionError::Malformed { .. })));
}
