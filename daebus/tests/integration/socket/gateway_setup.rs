//! Mistakes in the configuration of a gateway, and what the log has of it.

use std::time::Duration;

use daebus::Gateway;
use daebus::prelude::*;

use super::peer::app;
use crate::thread_log::ThreadLog;

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

async fn mistakes(gateway: Gateway, blueprint: Blueprint) -> String {
    let app = app("gateway-mistakes", WebSocket::new().gateway(gateway), blueprint);
    app.start().await.err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn all_mistakes_are_reported_together() {
    let gateway = Gateway::new()
        .call("caller:x", ["get"])
        .call("svc", ["$ping", "", "get_*", "get"])
        .call("empty", [""; 0])
        .subscribe(["*", "daebus:*", "caller:1", "*.responses", "a.workflows", "__key*", "", "boxes.*"])
        .publish(["c*", "chat"])
        .call_timeout(Duration::ZERO);
    let blueprint =
        Blueprint::new("b").socket("publish", echo).socket("subscribe", echo).socket("fine", echo);
    let found = mistakes(gateway, blueprint).await;
    for expected in [
        "Gateway::call: the service name \"caller:x\" is reserved",
        "Gateway::call: \"svc\", \"$ping\"",
        "Gateway::call: \"svc\", \"\"",
        "Gateway::call: \"svc\", \"get_*\"",
        "Gateway::call: no action of \"empty\" is named",
        "Gateway::subscribe: the pattern \"*\" covers reserved names",
        "Gateway::subscribe: the channel name \"daebus:*\" is reserved",
        "Gateway::subscribe: the channel name \"caller:1\" is reserved",
        "Gateway::subscribe: the pattern \"*.responses\" covers",
        "Gateway::subscribe: the channel name \"a.workflows\" is reserved",
        "Gateway::subscribe: the pattern \"__key*\" covers",
        "Gateway::subscribe: an empty channel name",
        "Gateway::publish: the pattern \"c*\" covers",
        "Gateway::call_timeout: the timeout must be greater than zero",
        "messages of the type \"publish\" are the gateway's",
        "messages of the type \"subscribe\" are the gateway's",
    ] {
        assert!(found.contains(expected), "{expected}\n\nin:\n{found}");
    }
    for correct in ["boxes", "\"chat\"", "\"get\"", "fine"] {
        assert!(!found.contains(correct), "{correct}\n\nin:\n{found}");
    }
}

#[tokio::test]
async fn a_handler_may_have_these_types_without_a_gateway() {
    let blueprint = Blueprint::new("b").socket("publish", echo).socket("broadcast", echo);
    let service = app("gateway-none", WebSocket::new(), blueprint).start().await.unwrap();
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_log_has_the_list_when_the_service_starts() {
    let (log, _guard) = ThreadLog::start();
    for (name, gateway, expected) in [
        ("gateway-log-nothing", Gateway::new(), "the gateway allows WebSocket clients: nothing"),
        (
            "gateway-log",
            Gateway::new().call("math", ["add"]).subscribe(["news", "sensor.*"]).publish(["chat"]),
            r#"the gateway allows WebSocket clients: call "math" ["add"], subscribe to ["news", "sensor.*"], publish on ["chat"]"#,
        ),
    ] {
        let app = app(name, WebSocket::new().gateway(gateway), Blueprint::new("b"));
        app.start().await.unwrap().stop().await.unwrap();
        assert_eq!(log.lines(expected).len(), 1, "{expected}");
    }
}
