//! Errors of the start of a service.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use daebus::prelude::*;
use daebus::{Error, caller::bus};

async fn one(State(_): State<u32>) {}
async fn two(State(_): State<Vec<String>>) {}

async fn error_of(app: Daebus) -> String {
    app.start().await.expect_err("it can't start").to_string()
}

#[tokio::test]
async fn all_mistakes_are_reported_together_with_their_positions() {
    let blueprint = Blueprint::new("b").action("same", one).action("same", two).action("$mine", one);
    let error = error_of(Daebus::new("svc").bus("memory://start").register(blueprint)).await;
    for part in [
        "start::one",
        "start::two",
        "u32",
        "Vec<alloc::string::String>",
        "\"same\"",
        "\"$mine\"",
        "start.rs:",
    ] {
        assert!(error.contains(part), "{part} is missing in:\n{error}");
    }
}

#[tokio::test]
async fn mistakes_of_every_part_are_in_one_report() {
    #[route("/same")]
    async fn first() {}
    #[route("/same")]
    async fn second() {}
    #[action("needs_state")]
    async fn needs_state(_: State<u32>) {}

    let cors = Cors::new().allowed_origins(["localhost:3000"]);
    let app = Daebus::new("caller:me")
        .bus("http://me:secret@127.0.0.1")
        .register(blueprint_of!["b"; first, second, needs_state])
        .attach(Http::bind("nowhere").cors(cors))
        .attach(WebSocket::new().path("/same"));
    let error = error_of(app).await;
    for part in [
        "the service name \"caller:me\" is reserved",
        "State<u32> is missing",
        "start::first",
        "start::second",
        "the origin \"localhost:3000\"",
        "\"nowhere\" is not an address: write 0.0.0.0:8080",
        "the scheme http:// is unknown",
        "WebSocket",
    ] {
        assert!(error.contains(part), "{part} is missing in:\n{error}");
    }
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn the_service_that_fails_to_start_is_named() {
    #[action("ping")]
    async fn ping() {}
    #[on_stop]
    async fn stopped(State(stopped): State<tokio::sync::mpsc::UnboundedSender<()>>) {
        let _ = stopped.send(());
    }

    let (sender, mut stopped) = tokio::sync::mpsc::unbounded_channel::<()>();
    let good = Daebus::new("good").bus("memory://run-all").state(sender);
    let good = good.register(blueprint_of!["good"; ping, stopped]);
    let bad = Daebus::new("bad").bus("http://127.0.0.1").register(blueprint_of!["bad"; ping]);
    let error = daebus::run_all([good, bad]).await.expect_err("one can't start").to_string();
    assert!(error.starts_with("bad can't start: the bus URL"), "{error}");
    // The other service has been stopped if it had started.
    assert!(stopped.try_recv().is_ok());
    daebus::run_all([]).await.unwrap();
}

#[tokio::test]
async fn addresses_may_be_a_port_or_a_url() -> Result<(), BoxError> {
    for address in ["0", "http://127.0.0.1:0"] {
        let app = Daebus::new("svc").bus("memory://start-address").attach(Http::bind(address));
        let service = app.start().await?;
        assert!(service.http_addr().is_some(), "{address}");
        service.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn two_states_of_one_type_are_a_mistake() {
    let error = error_of(Daebus::new("svc").bus("memory://start").state(1u32).state(2u32)).await;
    assert!(error.contains("u32") && error.contains("twice"), "{error}");
}

#[tokio::test]
async fn an_invalid_service_name_is_refused() {
    for name in ["", "caller:me", "a.responses", "a.workflows", "daebus:x", "tab\there"] {
        let error = Daebus::new(name).bus("memory://start").start().await.expect_err(name);
        assert!(matches!(error, Error::Name(_)), "{name:?}: {error}");
    }
}

#[tokio::test]
async fn an_invalid_bus_url_is_reported_without_its_password() {
    let error = error_of(Daebus::new("svc").bus("http://me:secret@127.0.0.1")).await;
    assert!(error.contains("redis://") && !error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_failing_on_start_prevents_the_start() -> Result<(), BoxError> {
    async fn fails() -> Result<(), BoxError> {
        Err("the disk is full".into())
    }
    async fn answers() {}
    let blueprint = Blueprint::new("b").on_start(fails).action("answers", answers);
    let error = error_of(Daebus::new("svc").bus("memory://on_start").register(blueprint)).await;
    assert!(error.contains("the disk is full") && error.contains("start::"), "{error}");
    let bus = bus::connect(&bus::BusUrl::parse("memory://on_start")?).await?;
    assert_eq!(bus.subscribers("svc").await?, 0);
    Ok(())
}
