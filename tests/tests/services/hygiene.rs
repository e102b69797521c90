//! The crates `daebus-tests-renamed` and `daebus-tests-contract` compile where little is as usual; this runs what
//! they hold. That a contract crate stays free of the server is asked of cargo.

#![allow(missing_docs)]

use std::process::Command;

use daebus::prelude::*;
use daebus_tests_behind_facade::behind;
use daebus_tests_contract::{GetUser, UserError, UsersCaller};
use daebus_tests_renamed::{Option as Custom, blueprint, contracted, options};

#[tokio::test]
async fn a_service_from_a_crate_without_a_prelude_answers() {
    let app = Daebus::new("user_service")
        .bus("memory://hygiene")
        .state("a text")
        .register(options::blueprint())
        .register(blueprint())
        .register(contracted::users::blueprint());
    let service = app.start().await.unwrap();

    let options = options::Caller::connect("memory://hygiene", "user_service").await.unwrap();
    options.r#type(&Custom { value: 1 }).await.unwrap();
    let refused = options.pattern(&Custom { value: 0 }).await.unwrap_err();
    assert!(matches!(refused, CallError::Service(daebus_tests_renamed::No)), "{refused:?}");
    assert!(options.switch().await.unwrap());
    options.nothing().await.unwrap();
    options.context(&Custom { value: 1 }).await.unwrap();
    for action in ["argument0", "value", "one", "two", "more"] {
        let answer = options.caller().send_request::<Value>(action, json!({"at": 1})).await;
        assert!(
            !matches!(&answer, Err(CallError::Fault(fault)) if fault.code() == Some("unknown_action")),
            "{action}: {answer:?}"
        );
    }

    let users = UsersCaller::connect("memory://hygiene").await.unwrap();
    let missing = users.get_user(&GetUser { id: 3 }).await.unwrap_err();
    assert!(matches!(missing, CallError::Service(UserError::NotFound { id: 3 })), "{missing:?}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_service_behind_a_facade_crate_answers() {
    let service = Daebus::new("behind")
        .bus("memory://behind-facade")
        .register(behind::blueprint())
        .register(daebus_tests_behind_facade::collected())
        .attach(Http::bind("127.0.0.1:0"))
        .attach(WebSocket::new())
        .start()
        .await
        .unwrap();
    let (by_blueprint, by_contract) = daebus_tests_behind_facade::callers(service.callers().to("behind"));
    assert_eq!(by_blueprint.double(&4).await.unwrap(), 8);
    let refused = by_contract.double(&u64::MAX).await.unwrap_err();
    assert!(matches!(refused, CallError::Service(daebus_tests_behind_facade::Enum::No)), "{refused:?}");
    service.stop().await.unwrap();
}

#[test]
fn handlers_stay_callable_under_their_own_names() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        options::r#type(Payload(Custom { value: 1 })).await;
        options::nothing().unwrap();
    });
}

#[test]
fn a_contract_crate_pulls_in_no_server() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "-p", "daebus-tests-contract"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("daebus-caller v"), "{tree}");
    for line in tree.lines() {
        let package = line.split(' ').next().unwrap_or_default();
        assert!(!["daebus", "axum", "tower", "tracing-subscriber"].contains(&package), "{line}");
    }
}
