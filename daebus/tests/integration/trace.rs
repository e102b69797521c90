//! `traceparent` and `tracestate`: from a request to the calls of its handler and to the handler's span.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use daebus::prelude::*;
use daebus_tests_support::within;

use crate::thread_log::ThreadLog;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-00";

/// Answers with the headers of its own request.
#[action("headers")]
async fn headers(request: Request) -> Value {
    json!(request.headers())
}

/// Answers with the headers that its nested call carries.
#[action("nested")]
#[route("/nested")]
async fn nested(callers: Callers) -> Result<Value, BoxError> {
    tracing::info!("nested");
    Ok(callers.to("svc").send_request("headers", ()).await?)
}

#[action("blocking")]
fn blocking(callers: Callers) -> Result<Value, BoxError> {
    Ok(daebus::block_on(callers.to("svc").send_request("headers", ()).into_future())?)
}

#[action("spawned")]
async fn spawned(callers: Callers) -> Result<Value, BoxError> {
    Ok(callers.to("svc").send_request("headers", ()).spawn().await?)
}

#[action("explicit")]
async fn explicit(callers: Callers) -> Result<Value, BoxError> {
    Ok(callers.to("svc").send_request("headers", ()).header("traceparent", OTHER).await?)
}

fn app(bus: &str) -> Daebus {
    Daebus::new("svc")
        .bus(format!("memory://{bus}"))
        .register(blueprint_of!["b"; headers, nested, blocking, spawned, explicit])
        .attach(Http::bind("127.0.0.1:0"))
}

fn both() -> Value {
    json!({"traceparent": PARENT, "tracestate": "rojo=1"})
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_calls_carry_the_trace_of_the_request() -> Result<(), BoxError> {
    let service = app("trace-calls").start().await?;
    let caller = service.callers().to("svc");
    let ask = async |action: &str, traceparent: &str| -> Result<Value, BoxError> {
        let call = caller.send_request::<Value>(action, ());
        Ok(within(call.header("traceparent", traceparent).header("tracestate", "rojo=1").into_future())
            .await?)
    };
    for action in ["nested", "blocking", "spawned"] {
        assert_eq!(ask(action, PARENT).await?, both(), "{action}");
        assert_eq!(ask(action, "invalid").await?, json!({}), "{action}: an invalid traceparent is dropped");
    }
    assert_eq!(ask("explicit", PARENT).await?, json!({"traceparent": OTHER}));
    // Other headers of a request are not passed on.
    let call = caller.send_request::<Value>("nested", ()).header("tenant", "a");
    assert_eq!(within(call.into_future()).await?, json!({}));
    Ok(service.stop().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_take_the_trace_from_the_headers_of_http() -> Result<(), BoxError> {
    let service = app("trace-http").start().await?;
    let url = format!("http://{}/nested", service.http_addr().ok_or("no address")?);
    let client = reqwest::Client::new();
    let answer = client.get(&url).header("Traceparent", PARENT).header("tracestate", "rojo=1");
    assert_eq!(answer.send().await?.json::<Value>().await?, both());
    // The lines of `tracestate` are one list.
    let answer = client.get(&url).header("traceparent", PARENT);
    let answer = answer.header("tracestate", "a=1").header("tracestate", "b=2").send().await?;
    assert_eq!(answer.json::<Value>().await?["tracestate"], "a=1,b=2");
    // Two lines of `traceparent` are no valid one.
    let answer = client.get(&url).header("traceparent", PARENT).header("traceparent", OTHER);
    assert_eq!(answer.send().await?.json::<Value>().await?, json!({}));
    Ok(service.stop().await?)
}

#[tokio::test]
async fn the_span_of_a_handler_names_the_trace() -> Result<(), BoxError> {
    let service = app("trace-span").start().await?;
    let (log, _recording) = ThreadLog::start();
    let call = service.callers().to("svc").send_request::<Value>("nested", ()).header("traceparent", PARENT);
    within(call.into_future()).await?;
    let line = log.lines(": nested").pop().unwrap();
    assert!(line.contains("trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\""), "{line}");
    assert!(line.contains(&format!("traceparent=\"{PARENT}\"")), "{line}");
    Ok(service.stop().await?)
}
