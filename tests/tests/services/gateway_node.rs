//! `daebus.js`, and a client with the rules of Python Daebus' TypeScript client, in Node against a gateway.

use daebus::prelude::*;
use daebus::{Gateway, Sockets};
use daebus_tests::{Process, node, workspace};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
enum UserError {
    #[error("user {id} not found")]
    NotFound { id: u64 },
}

async fn add(Payload((a, b)): Payload<(i64, i64)>) -> Json<i64> {
    Json(a + b)
}

async fn fail() -> Result<(), UserError> {
    Err(UserError::NotFound { id: 7 })
}

async fn count(progress: Progress<u32>) -> Json<&'static str> {
    for n in 1..=3 {
        progress.send(n).await.unwrap();
    }
    Json("done")
}

async fn hang() {
    std::future::pending::<()>().await;
}

async fn nothing() {}

async fn publish(Payload((channel, data)): Payload<(String, Value)>, out: Broadcast) -> Result<(), BoxError> {
    out.send(&channel, data).await?;
    Ok(())
}

async fn disconnect_all(sockets: Sockets) {
    for client in sockets.list() {
        client.disconnect(1012, "as the test asks for");
    }
}

/// Runs a file of `clients/js/test` against a service of its own.
async fn run(file: &'static str) {
    let actions = ["add", "fail", "count", "hang", "nothing", "publish", "disconnect_all", "missing"];
    let gateway = Gateway::new()
        .call("svc", actions)
        .call("nobody", ["add"])
        .subscribe(["news", "chat", "sensor.*"])
        .publish(["chat"])
        .max_calls(1000);
    let blueprint = Blueprint::new("b")
        .action("add", add)
        .action("fail", fail)
        .action("count", count)
        .action("hang", hang)
        .action("nothing", nothing)
        .action("publish", publish)
        .action("disconnect_all", disconnect_all);
    let service = Daebus::new("svc")
        .bus(format!("memory://gateway-{file}"))
        .register(blueprint)
        .attach(Http::bind("127.0.0.1:0"))
        .attach(WebSocket::new().rate_limit(500, Duration::from_secs(5000)).queue(2000).gateway(gateway));
    let service = service.start().await.unwrap();
    let address = format!("ws://{}/ws", service.socket_addr().unwrap());
    let mut command = node(&workspace().join("clients/js/test").join(file));
    command.env("DAEBUS_GATEWAY", address);
    let mut process = Process::start(&mut command);
    let ended = tokio::task::spawn_blocking(move || {
        process.line("# fail 0");
        (process.wait(), process.said())
    });
    let (status, said) = ended.await.unwrap();
    assert!(status.success(), "{said}");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_client_works_in_node() {
    run("client.test.mjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_client_of_python_works() {
    run("python.test.mjs").await;
}
