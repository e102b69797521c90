//! When handlers of routes run, wait, are refused and are cancelled, over TCP.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus::prelude::*;
use daebus_tests_support::{eventually, next, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

/// Blocks handlers until it is opened, and reports how they end.
#[derive(Clone)]
struct Gate {
    running: Arc<AtomicUsize>,
    open: Arc<Semaphore>,
    ends: mpsc::UnboundedSender<&'static str>,
}

impl Gate {
    fn shut() -> (Self, mpsc::UnboundedReceiver<&'static str>) {
        let (ends, ended) = mpsc::unbounded_channel();
        (Self { running: Arc::default(), open: Arc::new(Semaphore::new(0)), ends }, ended)
    }

    async fn pass(self) -> &'static str {
        let mut run = Run { gate: self.clone(), end: "cancelled" };
        self.running.fetch_add(1, Ordering::SeqCst);
        self.open.acquire().await.unwrap().forget();
        run.end = "completed";
        "passed"
    }

    async fn runs(&self, handlers: usize) {
        eventually("the handlers run", async || self.running.load(Ordering::SeqCst) == handlers).await;
    }
}

struct Run {
    gate: Gate,
    end: &'static str,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.gate.running.fetch_sub(1, Ordering::SeqCst);
        let _ = self.gate.ends.send(self.end);
    }
}

#[route("/async", methods = ["GET", "POST"])]
async fn waits(State(gate): State<Gate>) -> &'static str {
    gate.pass().await
}

#[route("/plain")]
fn waits_on_a_thread(State(gate): State<Gate>) -> &'static str {
    daebus::block_on(gate.pass())
}

#[route("/one", concurrency = 1)]
async fn one_at_a_time(State(gate): State<Gate>) -> &'static str {
    gate.pass().await
}

#[route("/completes", cancel_on_disconnect = false)]
async fn completes(State(gate): State<Gate>) -> &'static str {
    gate.pass().await
}

#[route("/cancels", methods = ["POST"], cancel_on_disconnect = true)]
async fn cancels(State(gate): State<Gate>) -> &'static str {
    gate.pass().await
}

#[route("/payload", methods = ["POST"])]
async fn payload(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

#[action("free")]
#[route("/free")]
async fn free() {}

#[action("wait")]
async fn wait(State(gate): State<Gate>) -> String {
    gate.pass().await.to_owned()
}

async fn start(
    name: &str,
    gate: &Gate,
    limits: impl FnOnce(Daebus) -> Daebus,
) -> (daebus::Service, SocketAddr) {
    let app = Daebus::new("svc").bus(format!("memory://{name}")).state(gate.clone());
    let app = app.register(
        blueprint_of!["b"; waits, waits_on_a_thread, one_at_a_time, completes, cancels, free, payload, wait],
    );
    let service = limits(app.attach(Http::bind("127.0.0.1:0"))).start().await.unwrap();
    let addr = service.http_addr().unwrap();
    (service, addr)
}

async fn get(addr: SocketAddr, path: &'static str) -> reqwest::Response {
    reqwest::get(format!("http://{addr}{path}")).await.unwrap()
}

#[tokio::test]
async fn routes_are_subject_to_the_limits_of_the_service() {
    for path in ["/async", "/plain"] {
        let (gate, _ended) = Gate::shut();
        let limits = |app: Daebus| app.concurrency(2).backlog(1);
        let (service, addr) = start(&format!("runs{}", path.replace('/', "-")), &gate, limits).await;
        let mut asked: Vec<_> = (0..2).map(|_| tokio::spawn(get(addr, path))).collect();
        gate.runs(2).await;
        asked.push(tokio::spawn(get(addr, path)));
        // The third waits, so that the fourth exceeds the backlog.
        eventually("a request is refused", async || get(addr, "/free").await.status() == 503).await;
        let refused = get(addr, path).await;
        assert_eq!(refused.status(), 503, "{path}");
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "overloaded");
        let caller = service.callers().to("svc");
        let overloaded = caller.send_request::<String>("wait", ()).await.unwrap_err();
        assert!(
            matches!(&overloaded, CallError::Fault(fault) if fault.code() == Some("overloaded")),
            "{overloaded:?}"
        );
        assert_eq!(gate.running.load(Ordering::SeqCst), 2);
        gate.open.add_permits(3);
        for asked in asked {
            assert_eq!(within(asked).await.unwrap().status(), 200);
        }
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_route_can_have_its_own_concurrency_limit() {
    let (gate, _ended) = Gate::shut();
    let (service, addr) = start("runs-own-limit", &gate, |app| app).await;
    let asked: Vec<_> = (0..3).map(|_| tokio::spawn(get(addr, "/one"))).collect();
    for _ in 0..3 {
        gate.runs(1).await;
        assert_eq!(get(addr, "/free").await.status(), 200);
        assert_eq!(gate.running.load(Ordering::SeqCst), 1);
        gate.open.add_permits(1);
        eventually("the handler has passed", async || gate.open.available_permits() == 0).await;
    }
    for asked in asked {
        assert_eq!(within(asked).await.unwrap().status(), 200);
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_slow_upload_does_not_count_as_a_running_handler() {
    let (gate, _ended) = Gate::shut();
    let (service, addr) = start("runs-slow-body", &gate, |app| app.concurrency(1)).await;
    let mut slow = TcpStream::connect(addr).await.unwrap();
    let head = "POST /payload HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(b"[1,").await.unwrap();
    for _ in 0..3 {
        assert_eq!(within(get(addr, "/free")).await.status(), 200);
    }
    slow.write_all(b"2]").await.unwrap();
    let mut answer = String::new();
    within(slow.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("[1,2]"), "{answer}");
    let large = json!(vec!["x".repeat(1000); 500]);
    let request = reqwest::Client::new().post(format!("http://{addr}/payload")).json(&large);
    assert_eq!(request.send().await.unwrap().json::<Value>().await.unwrap(), large);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn clients_that_send_no_body_do_not_use_up_the_backlog() {
    let (gate, _ended) = Gate::shut();
    let (service, addr) = start("runs-no-body", &gate, |app| app.concurrency(1).backlog(100)).await;
    let mut refused = 0;
    let mut silent = Vec::new();
    for _ in 0..110 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"POST /payload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").await.unwrap();
        silent.push(stream);
    }
    // The service has 101 places.
    eventually("the requests beyond the places are refused", async || {
        silent.retain(|stream| {
            let is_refused = stream.try_read(&mut [0; 64]).is_ok();
            refused += usize::from(is_refused);
            !is_refused
        });
        refused >= 9
    })
    .await;
    let caller = service.callers().to("svc");
    within(async { caller.send_request::<()>("free", ()).await }).await.unwrap();
    drop(silent);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_body_timeout_excludes_the_time_in_the_backlog() {
    const BODY: Duration = Duration::from_millis(300);
    let (gate, _ended) = Gate::shut();
    let app = Daebus::new("svc").bus("memory://runs-upload").state(gate.clone()).concurrency(1);
    let app = app.register(blueprint_of!["b"; waits, payload]);
    let service = app.attach(Http::bind("127.0.0.1:0").body_timeout(BODY)).start().await.unwrap();
    let addr = service.http_addr().unwrap();
    let first = tokio::spawn(get(addr, "/async"));
    gate.runs(1).await;
    let large = json!(vec!["x".repeat(1000); 1500]);
    let request = reqwest::Client::new().post(format!("http://{addr}/payload")).json(&large);
    let upload = tokio::spawn(request.send());
    tokio::time::sleep(BODY * 3).await;
    gate.open.add_permits(1);
    assert_eq!(within(first).await.unwrap().status(), 200);
    let answer = within(upload).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(answer.json::<Value>().await.unwrap(), large);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_disconnect_cancels_handlers_of_get_and_head_only() {
    let (gate, mut ended) = Gate::shut();
    let (service, addr) = start("runs-disconnect", &gate, |app| app).await;
    for (method, path, expected) in [
        ("GET", "/async", "cancelled"),
        ("HEAD", "/async", "cancelled"),
        ("POST", "/async", "completed"),
        ("GET", "/completes", "completed"),
        ("POST", "/cancels", "cancelled"),
    ] {
        let mut client = TcpStream::connect(addr).await.unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        gate.runs(1).await;
        drop(client);
        if expected == "completed" {
            // Another handler is cancelled in the meantime, as this one would have been.
            let mut other = TcpStream::connect(addr).await.unwrap();
            other.write_all(b"GET /async HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            gate.runs(2).await;
            drop(other);
            assert_eq!(next(&mut ended).await, "cancelled");
            gate.runs(1).await;
            gate.open.add_permits(1);
        }
        assert_eq!(next(&mut ended).await, expected, "{method} {path}");
    }
    service.stop().await.unwrap();
}
