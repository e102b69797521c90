//! The addresses of WebSockets, and configuration mistakes.

use std::net::TcpListener;

use daebus::prelude::*;
use daebus_tests_support::within;
use futures_util::StreamExt;
use tokio_tungstenite::connect_async;

use super::peer::{Peer, serve};

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

async fn count(sockets: Sockets) -> Json<usize> {
    Json(sockets.count())
}

fn blueprint() -> Blueprint {
    Blueprint::new("b").socket("echo", echo)
}

fn bare(name: &str) -> Daebus {
    Daebus::new("svc").bus(format!("memory://socket-setup-{name}"))
}

async fn mistakes(app: Daebus) -> String {
    app.start().await.err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn websockets_share_the_address_of_http() {
    let service = serve("share", WebSocket::new().path("/live"), blueprint()).await;
    assert_eq!(service.socket_addr(), service.http_addr());
    let mut peer = Peer::connect_to(&service, "/live").await;
    assert_eq!(peer.ask(json!({"type": "echo", "data": 1})).await["data"], 1);
    assert_eq!(Peer::try_connect(&service, "/ws", &[]).await.err().unwrap().0, 404);
    let url = format!("http://{}/live", service.socket_addr().unwrap());
    let response = reqwest::get(&url).await.unwrap();
    assert_eq!(response.status().as_u16(), 426);
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert!(response.text().await.unwrap().contains("only WebSocket clients connect here"));
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn websockets_can_have_their_own_port() {
    for web_socket in [WebSocket::new().path("/").port(0), WebSocket::new().path("/").bind("127.0.0.1:0")] {
        let service = serve("own", web_socket, blueprint()).await;
        let (http, own) = (service.http_addr().unwrap(), service.socket_addr().unwrap());
        assert_ne!(http.port(), own.port());
        assert_eq!(http.ip(), own.ip());
        let mut peer = Peer::connect_to(&service, "/").await;
        assert_eq!(peer.ask(json!({"type": "echo", "data": 1})).await["data"], 1);
        let (stopped, ()) = tokio::join!(service.stop(), async {
            assert_eq!(peer.receive().await["type"], "server_shutdown");
            while let Some(Ok(_)) = peer.0.next().await {}
        });
        stopped.unwrap();
    }
}

#[tokio::test]
async fn websockets_with_their_own_port_need_no_http() {
    let app = bare("alone").register(blueprint()).attach(WebSocket::new().bind("127.0.0.1:0"));
    let service = app.start().await.unwrap();
    assert_eq!(service.http_addr(), None);
    let mut peer = Peer::connect(&service).await;
    assert_eq!(peer.ask(json!({"type": "echo", "data": 1})).await["data"], 1);
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_websocket_port_has_the_limits_of_http() {
    let http = Http::bind("127.0.0.1:0").max_connections(1).max_connections_per_address(2);
    let app = bare("limits").register(blueprint()).attach(http).attach(WebSocket::new().port(0));
    let service = app.start().await.unwrap();
    // `WebSocket::max_connections` applies, not that of HTTP.
    let (first, second) = (Peer::connect(&service).await, Peer::connect(&service).await);
    let url = format!("ws://{}/ws", service.socket_addr().unwrap());
    assert!(within(connect_async(url)).await.is_err(), "a third connection of one address");
    drop((first, second));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn socket_handlers_without_an_attached_websocket_are_a_mistake() {
    let app = bare("without").register(blueprint().action("count", count));
    let mistakes = mistakes(app).await;
    for handler in ["setup::echo", "setup::count"] {
        let line = mistakes.lines().find(|line| line.contains(handler)).unwrap_or_default();
        assert!(line.contains("setup.rs:") && line.contains(".attach(WebSocket::new())"), "{mistakes}");
    }
}

#[tokio::test]
async fn two_handlers_of_one_type_are_refused_with_both_positions() {
    let app = bare("two")
        .register(Blueprint::new("a").socket("connect", echo))
        .register(Blueprint::new("b").socket_connect(count))
        .attach(WebSocket::new().bind("127.0.0.1:0"));
    let mistakes = mistakes(app).await;
    assert!(
        mistakes.contains("\"connect\"") && mistakes.contains("echo") && mistakes.contains("count"),
        "{mistakes}"
    );
    assert_eq!(mistakes.matches("setup.rs:").count(), 2, "{mistakes}");
}

#[tokio::test]
async fn invalid_settings_are_reported() {
    for (web_socket, words) in [
        (WebSocket::new(), "no HTTP server whose address"),
        (WebSocket::new().port(0).bind("127.0.0.1:0"), "both a port and an address"),
        (WebSocket::new().bind("127.0.0.1:0").path("live"), "doesn't begin with `/`"),
        (WebSocket::new().bind("127.0.0.1:0").rate_limit(0, Duration::from_secs(1)), "at least one message"),
        (WebSocket::new().bind("127.0.0.1:0").rate_limit(1, Duration::ZERO), "at least one message"),
        (WebSocket::new().bind("127.0.0.1:0").rate_limit(1, Duration::MAX), "at most a year"),
    ] {
        let found = mistakes(bare("wrong").attach(web_socket)).await;
        assert!(found.contains(words), "{words}: {found}");
    }
    let twice = bare("twice").attach(WebSocket::new().port(0)).attach(WebSocket::new().port(0));
    assert!(mistakes(twice).await.contains("two WebSocket are attached"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let found = mistakes(bare("taken").attach(WebSocket::new().bind(&address))).await;
    assert!(found.contains(&address) && found.contains("WebSockets"), "{found}");
}
