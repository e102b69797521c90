//! Routes that answer with a stream.

use super::*;

#[derive(Deserialize)]
struct Upto {
    to: u64,
}

#[route("/count")]
#[action("count")]
async fn count(Payload(Upto { to }): Payload<Upto>) -> impl Stream<Item = Result<u64, NumberError>> {
    stream::iter(1..=to).map(|n| if n == 4 { Err(NumberError::NoSuchNumber { n }) } else { Ok(n) })
}

#[route("/open/<n>", status = 206)]
async fn open(n: u64) -> Result<impl Stream<Item = Result<Value, NumberError>>, NumberError> {
    if n == 0 { Err(NumberError::NoSuchNumber { n }) } else { Ok(stream::iter([Ok(json!({"n": n}))])) }
}

#[route("/panics")]
async fn panics() -> impl Stream<Item = Result<u64, NumberError>> {
    stream::iter(0..2).map(|n| if n == 1 { panic!("at 1") } else { Ok(n) })
}

async fn start() -> TestApp {
    TestApp::new(Daebus::new("svc").register(blueprint_of!["svc"; count, open, panics])).await
}

#[tokio::test]
async fn a_route_answers_with_newline_delimited_json() {
    let app = start().await;
    let response = app.http().get("/count?to=3").await;
    assert_eq!(response.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(response.text(), "1\n2\n3\n");
    let response = app.http().get("/count?to=9").await;
    let error = json!({"error": "4 is not a number of this stream", "code": "no_such_number", "details": {"NoSuchNumber": {"n": 4}}});
    let lines: Vec<Value> = response.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [json!(1), json!(2), json!(3), error]);
    app.finish().await;
}

#[tokio::test]
async fn a_route_answers_with_server_sent_events_if_they_are_accepted() {
    let app = start().await;
    let response = app.http().get("/count?to=2").header("accept", "text/event-stream").await;
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert_eq!(response.text(), "data: 1\n\ndata: 2\n\n");
    let response = app.http().get("/count?to=4").header("accept", "text/html, text/event-stream;q=0.9").await;
    assert!(response.text().contains("event: error\ndata: {\"error\""), "{}", response.text());
    app.finish().await;
}

#[tokio::test]
async fn an_error_before_the_stream_has_its_status() {
    let app = start().await;
    app.http().get("/open/0").await.assert_status(400);
    let response = app.http().get("/open/3").await;
    response.assert_status(206);
    assert_eq!(response.text(), "{\"n\":3}\n");
    app.finish().await;
}

#[tokio::test]
async fn a_panic_in_the_stream_is_its_last_line() {
    let app = start().await;
    let response = app.http().get("/panics").await;
    assert!(response.text().starts_with("0\n{\"error\""), "{}", response.text());
    assert_eq!(app.panics().len(), 1);
    app.finish().await;
}
