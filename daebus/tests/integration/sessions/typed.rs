//! Streams and workflows in contracts, and `each`.

use daebus::CallError as Error;
use daebus_tests_support::within;

use super::*;

#[contract("numbers")]
pub trait Numbers {
    /// Counts.
    #[action("count")]
    async fn count(range: Range) -> impl Stream<Item = Result<u64, NumberError>>;
    #[action("sum")]
    async fn sum(items: impl Stream<Item = i64>) -> i64;
    #[action("relay")]
    async fn relay(
        prefix: String,
        items: impl Stream<Item = String>,
    ) -> impl Stream<Item = Result<String, NumberError>>;
    #[workflow("greet", tell = String, ask = Question)]
    async fn greet(greeting: String) -> Result<String, DialogError>;
    #[action("add")]
    async fn add(n: i64) -> Result<i64, NumberError>;
    /// Adds each number.
    #[action("add", each)]
    async fn add_all(numbers: impl Stream<Item = i64>) -> Result<(), NumberError>;
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub enum Question {
    Name,
}

#[blueprint("typed", contract = Numbers)]
mod implementation {
    use super::*;

    #[action("count")]
    pub async fn count(Payload(range): Payload<Range>) -> impl Stream<Item = Result<u64, NumberError>> {
        stream::iter(range.from..=range.to).map(Ok)
    }

    #[action("sum")]
    pub async fn sum(items: Incoming<i64>) -> i64 {
        items.map(Result::unwrap_or_default).fold(0, |sum, item| async move { sum + item }).await
    }

    #[action("relay")]
    pub async fn relay(
        Payload(prefix): Payload<String>,
        items: Incoming<String>,
    ) -> impl Stream<Item = Result<String, NumberError>> {
        items.map(move |item| Ok(format!("{prefix}{}", item.unwrap_or_default())))
    }

    #[workflow("greet", tell = String, ask = Question)]
    pub async fn greet(
        Payload(greeting): Payload<String>,
        mut dialog: Dialog,
    ) -> Result<String, DialogError> {
        dialog.tell("asking").await?;
        let name: String = dialog.ask(Question::Name).await?;
        Ok(format!("{greeting} {name}"))
    }

    #[action("add")]
    pub async fn add(Payload(n): Payload<i64>, State(seen): State<Seen>) -> Result<i64, NumberError> {
        seen.fails(n);
        tokio::task::yield_now().await;
        if n < 0 { Err(NumberError::NoSuchNumber { n: 0 }) } else { Ok(n) }
    }
}

async fn typed() -> (TestApp, NumbersCaller, Seen) {
    let seen = Seen::default();
    let app = Daebus::new("numbers").state(seen.clone()).register(implementation::blueprint());
    let app = TestApp::new(app).await;
    let caller = NumbersCaller::new(app.caller());
    (app, caller, seen)
}

#[tokio::test]
async fn a_contract_has_streams_in_both_directions() {
    let (app, numbers, _) = typed().await;
    let counted: Vec<u64> =
        within(numbers.count(&range(1, 3)).await.unwrap().map(Result::unwrap).collect()).await;
    assert_eq!(counted, [1, 2, 3]);
    assert_eq!(within(numbers.sum(stream::iter([1, 2, 3])).into_future()).await.unwrap(), 6);
    let relayed =
        numbers.relay(&"> ".to_owned(), stream::iter(["a".to_owned(), "b".to_owned()])).await.unwrap();
    let relayed: Vec<String> = within(relayed.map(Result::unwrap).collect()).await;
    assert_eq!(relayed, ["> a", "> b"]);
    app.finish().await;
}

#[tokio::test]
async fn a_contract_has_workflows_with_their_types() {
    let (app, numbers, _) = typed().await;
    let mut session = numbers.greet(&"hello".to_owned()).await.unwrap();
    let mut told = Vec::new();
    let answer = loop {
        match within(session.next()).await.unwrap() {
            WorkflowUpdate::Tell(update) => told.push(update),
            WorkflowUpdate::Ask { question, reply } => {
                assert_eq!(question, Question::Name);
                reply.send("Ada").await.unwrap();
            }
            WorkflowUpdate::Done(answer) => break answer.unwrap(),
        }
    };
    assert_eq!((answer.as_str(), told), ("hello Ada", vec!["asking".to_owned()]));
    app.finish().await;
}

#[tokio::test]
async fn each_sends_every_item_to_the_ordinary_action_in_order() {
    let (app, numbers, seen) = typed().await;
    within(numbers.add_all(stream::iter(0..100)).into_future()).await.unwrap();
    let expected: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(seen.errors(), expected);
    within(numbers.add_all(stream::iter(0..100)).in_flight(16).into_future()).await.unwrap();
    assert_eq!(seen.errors().len(), 200);
    app.finish().await;
}

#[tokio::test]
async fn each_ends_with_the_first_error() {
    let (app, numbers, seen) = typed().await;
    let error = within(numbers.add_all(stream::iter([1, -1, 2])).into_future()).await.unwrap_err();
    assert!(matches!(error, Error::Service(NumberError::NoSuchNumber { n: 0 })), "{error:?}");
    assert_eq!(seen.errors(), ["1", "-1"]);
    app.finish().await;
}
