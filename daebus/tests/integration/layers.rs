//! Layers around handlers: which handlers they wrap, and in which order.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use daebus::prelude::*;
use daebus::testing::TestApp;
use daebus::{Context, Next, Outcome, layer};
use daebus_tests_support::next;
use tokio::sync::mpsc;

fn app(bus: &str) -> Daebus {
    Daebus::new("svc").bus(format!("memory://{bus}"))
}

#[tokio::test]
async fn layers_can_reject_a_request_and_pass_values_to_the_handler() -> Result<(), BoxError> {
    async fn authenticate(mut cx: Context, next: Next) -> Outcome {
        let Some(tenant) = cx.headers().get("tenant").cloned() else {
            return Err(Fault::new("unauthenticated", "which tenant?").with_status(401).into());
        };
        cx.extensions_mut().insert(tenant);
        next.run(cx).await
    }
    async fn whoami(Extension(tenant): Extension<String>) -> Json<String> {
        Json(tenant)
    }
    let blueprint = Blueprint::new("b").action("whoami", whoami).layer(layer::from_fn(authenticate));
    let service = app("layers").register(blueprint).start().await?;
    let caller = service.callers().to("svc");
    let error = caller.send_request::<String>("whoami", ()).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Service(fault) if fault.code() == Some("unauthenticated")),
        "{error:?}"
    );
    assert_eq!(caller.send_request::<String>("whoami", ()).header("tenant", "a").await?, "a");
    Ok(service.stop().await?)
}

/// The names of the layers that a message has passed, outermost first.
#[derive(Clone, Default)]
struct Passed(Vec<&'static str>);

/// A layer that appends its name to [`Passed`].
macro_rules! mark {
    ($name:literal) => {
        layer::from_fn(|mut cx: Context, next: Next| async move {
            let mut passed = cx.extensions().get::<Passed>().cloned().unwrap_or_default();
            passed.0.push($name);
            cx.extensions_mut().insert(passed);
            next.run(cx).await
        })
    };
}

/// Two layers on the blueprint and two on the application.
fn layered(bus: &str, blueprint: Blueprint) -> Daebus {
    let blueprint = blueprint.layer(mark!("blueprint's first")).layer(mark!("blueprint's last"));
    app(bus).layer(mark!("application's first")).layer(mark!("application's last")).register(blueprint)
}

const OUTERMOST_FIRST: [&str; 4] =
    ["application's last", "application's first", "blueprint's last", "blueprint's first"];

#[tokio::test]
async fn layers_wrap_handlers_the_last_added_outermost() -> Result<(), BoxError> {
    async fn passed(Extension(passed): Extension<Passed>) -> Json<Vec<&'static str>> {
        Json(passed.0)
    }
    let service = layered("layer-order", Blueprint::new("b").action("passed", passed)).start().await?;
    let passed: Vec<String> = service.callers().to("svc").send_request("passed", ()).await?;
    assert_eq!(passed, OUTERMOST_FIRST);
    Ok(service.stop().await?)
}

#[tokio::test]
async fn layers_wrap_listeners_as_well() -> Result<(), BoxError> {
    async fn report(
        Extension(passed): Extension<Passed>,
        State(reports): State<mpsc::UnboundedSender<Vec<&'static str>>>,
    ) {
        reports.send(passed.0).unwrap();
    }
    let (sender, mut reports) = mpsc::unbounded_channel::<Vec<&'static str>>();
    let app = layered("layered-listener", Blueprint::new("b").listen("channel", report));
    let service = app.state(sender).start().await?;
    assert_eq!(service.callers().to("svc").send_message("channel", ()).await?, 1);
    assert_eq!(next(&mut reports).await, OUTERMOST_FIRST);
    Ok(service.stop().await?)
}

#[tokio::test]
async fn layers_wrap_routes_and_sockets_in_the_same_order() {
    #[route("/passed")]
    async fn route(Extension(passed): Extension<Passed>) -> Json<Vec<&'static str>> {
        Json(passed.0)
    }
    #[socket("passed")]
    async fn socket(Extension(passed): Extension<Passed>) -> Vec<&'static str> {
        passed.0
    }
    let app = TestApp::new(layered("layered-route", blueprint_of!["b"; route, socket])).await;
    app.http().get("/passed").await.assert_json(json!(OUTERMOST_FIRST));
    let mut client = app.socket().await;
    let passed: Vec<String> = client.ask("passed", json!({})).await.decode();
    assert_eq!(passed, OUTERMOST_FIRST);
    app.finish().await;
}
