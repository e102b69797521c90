//! A kiosk: a page that shows a service in another process, live, and calls it. The browser reaches the bus through the
//! gateway, so the kiosk has no handler for what it shows.
//!
//! ```text
//! cargo run -p daebus-examples --bin greenhouse    # beside a Redis on this machine
//! cargo run -p daebus-examples --bin kiosk         # then open http://127.0.0.1:8080
//! ```
//!
//! `DAEBUS_HTTP` is the address to listen on; `127.0.0.1:0` takes a free port, which a line on the standard output names.
//! `DAEBUS_URL` names another Redis. Stop the greenhouse, the kiosk or Redis, and start it again: the page reports it and
//! recovers by itself.

mod page;

use daebus::prelude::*;
use daebus::{Error, Gateway, Service};
use tokio::signal::ctrl_c;

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let gateway = Gateway::new()
        .call("greenhouse", ["get_state", "switch_lamp"])
        .subscribe(["greenhouse.reading", "greenhouse.lamp"]);
    let service = Daebus::new("kiosk")
        .bus(daebus_examples::bus_url()?)
        .register(page::blueprint())
        .attach(daebus_examples::local_http()?)
        .attach(WebSocket::new().gateway(gateway))
        .start()
        .await?;
    if let Some(address) = service.http_addr() {
        println!("the kiosk is at http://{address}");
    }
    until_stopped(service).await
}

/// Waits for a signal, as `run` does, which doesn't return the address.
async fn until_stopped(service: Service) -> daebus::Result<()> {
    #[cfg(unix)]
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(Error::Signal)?;
    #[cfg(unix)]
    let terminated = terminate.recv();
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        interrupted = ctrl_c() => interrupted.map_err(Error::Signal)?,
        _ = terminated => {}
    }
    service.stop().await
}
