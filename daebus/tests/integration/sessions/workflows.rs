//! Workflows.

use daebus::{CallError as Error, ReplyError};
use daebus_tests_support::{eventually, within};

use super::*;

type Updates = daebus::Workflow<String, DialogError>;

/// The next question; what is told before is collected.
async fn question(session: &mut Updates, told: &mut Vec<Value>) -> (Value, daebus::WorkflowReply) {
    loop {
        match within(session.next()).await {
            Some(WorkflowUpdate::Tell(update)) => told.push(update),
            Some(WorkflowUpdate::Ask { question, reply }) => return (question, reply),
            other => panic!("{other:?}"),
        }
    }
}

async fn done(session: &mut Updates) -> Result<String, Error<DialogError>> {
    match within(session.next()).await {
        Some(WorkflowUpdate::Done(outcome)) => {
            assert!(session.next().await.is_none());
            outcome
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_workflow_tells_asks_and_answers() {
    let (app, _) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut session = numbers.greet(&"hi".to_owned()).await.unwrap();
    let mut told = Vec::new();
    let (asked, reply) = question(&mut session, &mut told).await;
    assert_eq!((asked, &*told), (json!({"what": "name"}), &[json!("started")][..]));
    reply.send("Ada").await.unwrap();
    let (asked, reply) = question(&mut session, &mut told).await;
    assert_eq!((asked, &*told), (json!("times"), &[json!("started"), json!("named")][..]));
    reply.send(2).await.unwrap();
    assert_eq!(done(&mut session).await.unwrap(), "hi Adahi Ada");
    app.finish().await;
}

#[tokio::test]
async fn a_question_without_an_answer_ends_at_its_limit() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut session = numbers.greet(&"hi".to_owned()).await.unwrap();
    let (_, reply) = question(&mut session, &mut Vec::new()).await;
    app.advance(Duration::from_secs(29)).await;
    assert_eq!(seen.errors(), [""; 0]);
    app.advance(Duration::from_secs(2)).await;
    let error = done(&mut session).await.unwrap_err();
    assert!(matches!(error, Error::Service(DialogError::Unanswered { after_ms: 30_000 })), "{error:?}");
    assert!(matches!(reply.send("Ada").await, Err(ReplyError::Over(_))));
    app.finish().await;
}

#[tokio::test]
async fn a_person_may_take_minutes_to_answer() {
    let (app, _) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut session = numbers.greet(&"hi".to_owned()).await.unwrap();
    let (_, reply) = question(&mut session, &mut Vec::new()).await;
    reply.send("Ada").await.unwrap();
    let (_, reply) = question(&mut session, &mut Vec::new()).await;
    app.advance(Duration::from_secs(299)).await;
    reply.send(1).await.unwrap();
    assert_eq!(done(&mut session).await.unwrap(), "hi Ada");
    app.finish().await;
}

#[tokio::test]
async fn an_answer_of_the_wrong_type_is_an_error_on_both_sides() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut session = numbers.greet(&"hi".to_owned()).await.unwrap();
    let (_, reply) = question(&mut session, &mut Vec::new()).await;
    reply.send(json!([1])).await.unwrap();
    let error = done(&mut session).await.unwrap_err();
    assert!(matches!(error, Error::Service(DialogError::InvalidAnswer { .. })), "{error:?}");
    assert!(seen.errors()[0].starts_with("the answer can't be read"), "{:?}", seen.errors());
    app.finish().await;
}

#[tokio::test]
async fn a_second_answer_is_refused() {
    let (app, _) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut session = numbers.greet(&"hi".to_owned()).await.unwrap();
    let (_, first) = question(&mut session, &mut Vec::new()).await;
    first.send("Ada").await.unwrap();
    assert!(matches!(first.send("Bob").await, Err(ReplyError::Answered)));
    let (_, second) = question(&mut session, &mut Vec::new()).await;
    assert!(matches!(first.send("Bob").await, Err(ReplyError::Expired)));
    second.send(1).await.unwrap();
    assert_eq!(done(&mut session).await.unwrap(), "hi Ada");
    app.finish().await;
}

#[tokio::test]
async fn a_caller_that_drops_its_session_cancels_the_workflow() {
    let (app, seen) = app().await;
    let numbers = numbers::Caller::new(app.caller());
    let mut session = numbers.greet(&"hi".to_owned()).await.unwrap();
    let (_, reply) = question(&mut session, &mut Vec::new()).await;
    drop(session);
    eventually("the workflow is dropped", async || seen.dropped() == 1).await;
    assert!(matches!(reply.send("Ada").await, Err(ReplyError::Over(_))));
    app.finish().await;
}

#[tokio::test]
async fn the_untyped_caller_reads_json() {
    let (app, _) = app().await;
    let mut session = app.caller().workflow::<String>("greet", "hi").await.unwrap();
    let mut told = 0;
    let answer = loop {
        match within(session.next()).await.unwrap() {
            WorkflowUpdate::Tell(_) => told += 1,
            WorkflowUpdate::Ask { question, reply } if question == "times" => reply.send(1).await.unwrap(),
            WorkflowUpdate::Ask { reply, .. } => reply.send("Ada").await.unwrap(),
            WorkflowUpdate::Done(answer) => break answer.unwrap(),
        }
    };
    assert_eq!((answer.as_str(), told), ("hi Ada", 2));
    app.finish().await;
}
