//! Calls that fail, by what the service says or by what is said to it.

use std::collections::HashMap;
use std::time::Duration;

use daebus_caller::contract::FromFault;
use daebus_caller::{BusError, CallError, Caller, Fault};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Ground, Service, echo, success};

pub(crate) async fn errors_are_told_apart(ground: Ground) {
    // Answers with the request's payload as its error.
    let _service = Service::start(&ground.service, "svc", |request| {
        vec![json!({"status": "error", "payload": request["payload"], "final": true})]
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let fails = async |payload: Value| caller.send_request::<Value>("get", payload).await.unwrap_err();

    // As Python says it.
    let error = fails(json!({"error": "user 7 not found"})).await;
    assert!(matches!(&error, CallError::Service(fault) if fault.code().is_none()));
    assert_eq!(error.to_string(), "user 7 not found");
    let error = fails(json!({"error": "user 7 not found", "code": "not_found", "details": {"id": 7}})).await;
    assert!(
        matches!(&error, CallError::Service(fault) if fault.code() == Some("not_found") && fault.details()["id"] == 7)
    );
    for code in [
        "unknown_action",
        "invalid_payload",
        "internal",
        "overloaded",
        "shutting_down",
        "interrupted",
        "deadline_exceeded",
        "cancelled",
    ] {
        let error = fails(json!({"error": "no", "code": code})).await;
        assert!(matches!(&error, CallError::Fault(fault) if fault.code() == Some(code)), "{code}: {error:?}");
        assert!(!error.is_not_run(), "{code}: only the mark says so, never the code");
    }
    // Without words it is an error still.
    assert!(matches!(fails(json!({"oops": 1})).await, CallError::Service(_)));
}

pub(crate) async fn a_typed_error_reaches_its_caller(ground: Ground) {
    #[derive(Debug, Deserialize, PartialEq)]
    enum UserError {
        NotFound { id: u64 },
    }
    impl FromFault for UserError {
        const CODES: &'static [&'static str] = &["not_found"];
        fn from_fault(fault: Fault) -> Result<Self, Fault> {
            daebus_caller::contract::error_of(fault, Self::CODES)
        }
    }
    let _service = Service::start(&ground.service, "svc", |request| {
        vec![json!({"status": "error", "payload": request["payload"], "final": true})]
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let fails = async |payload: Value| {
        caller.__call::<Value, UserError, Value>("get", &payload, false).await.unwrap_err()
    };
    let error = fails(json!({"error": "no", "code": "not_found", "details": {"NotFound": {"id": 7}}})).await;
    assert!(matches!(error, CallError::Service(UserError::NotFound { id: 7 })), "{error:?}");
    for other in [
        json!({"error": "no", "code": "not_found", "details": {"id": 7}}),
        json!({"error": "no", "code": "gone", "details": {"NotFound": {"id": 7}}}),
        json!({"error": "no"}),
        json!({"error": "no", "code": "internal"}),
    ] {
        let error = fails(other).await;
        assert!(matches!(&error, CallError::Fault(fault) if fault.error() == "no"), "{error:?}");
    }
}

pub(crate) async fn an_answer_that_does_not_fit_names_the_field(ground: Ground) {
    #[derive(Debug, Deserialize)]
    struct Row {
        #[allow(dead_code)]
        email: String,
    }
    #[derive(Debug, Deserialize)]
    struct Rows {
        #[allow(dead_code)]
        rows: Vec<Row>,
    }
    let _service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let payload = json!({"rows": [{"email": "a"}, {"email": 5}]});
    let error = caller.send_request::<Rows>("get", payload).await.unwrap_err();
    let CallError::Decode { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.field, "rows[1].email");
    assert!(
        error.to_string().starts_with("the answer of svc.get can't be read: `rows[1].email`: "),
        "{error}"
    );
}

pub(crate) async fn a_payload_that_is_no_json_is_not_sent(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let keys_are_no_text = HashMap::from([((1, 2), 3)]);
    let error = caller.send_request::<Value>("get", &keys_are_no_text).retry(3).await.unwrap_err();
    assert!(matches!(error, CallError::Encode { .. }), "{error:?}");
    let error = caller.send_message("channel", &keys_are_no_text).await.unwrap_err();
    assert!(matches!(error, BusError::Encode { .. }), "{error:?}");
    let _: Value = caller.send_request("next", ()).await.unwrap();
    assert_eq!(service.next().await["action"], "next");
}

pub(crate) async fn a_name_that_can_be_no_service_is_told_by_the_call(ground: Ground) {
    let caller = Caller::on_bus(ground.caller.clone(), "svc").unwrap();
    for name in ["", "daebus:x", "caller:x", "x.responses", "a\nb"] {
        assert!(matches!(Caller::on_bus(ground.caller.clone(), name), Err(BusError::Name(_))), "{name:?}");
        assert!(matches!(Caller::connect(&ground.url, name).await, Err(BusError::Name(_))), "{name:?}");
        let other = caller.to(name);
        assert_eq!(other.service(), name);
        let error = other.send_request::<Value>("get", ()).retry(3).await.unwrap_err();
        assert!(matches!(error, CallError::Bus(BusError::Name(_))), "{error:?}");
        assert!(matches!(other.send_to_service((), None).await, Err(BusError::Name(_))));
    }
    assert!(matches!(caller.send_message("daebus:x", ()).await, Err(BusError::Name(_))));
    assert!(matches!(caller.listen::<Value>("").await, Err(BusError::Name(_))));
}

pub(crate) async fn rubbish_in_the_inbox_hurts_nobody(ground: Ground) {
    let _service = Service::start(&ground.service, "svc", |request| {
        let mut replies: Vec<Value> =
            ["", "{", "[1]", "null", "{}", r#"{"request_id": 7}"#, r#"{"request_id": "x"}"#]
                .into_iter()
                .map(Value::from)
                .collect();
        replies.push("[".repeat(1_000_000).into());
        replies.extend(echo(request));
        replies
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let answer: Value = caller.send_request("get", json!({"n": 1})).await.unwrap();
    assert_eq!(answer, json!({"n": 1}));
}

pub(crate) async fn nobody_there_is_known_at_once(ground: Ground) {
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let started = Instant::now();
    let error = caller.send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(&error, CallError::NoService { service } if service == "svc"), "{error:?}");
    assert!(started.elapsed() < Duration::from_millis(250), "took {:?}", started.elapsed());
    assert_eq!(caller.in_flight(), 0);
}

pub(crate) async fn nobody_but_a_monitor_is_known_after_a_quarter_second(ground: Ground) {
    let (monitor, _receiver) =
        daebus_caller::bus::Queue::drop_oldest(daebus_caller::bus::QueueLimits::default());
    let _subscription =
        ground.monitor.subscribe(daebus_caller::bus::Topic::parse("*"), monitor).await.unwrap();
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let started = Instant::now();
    let error = caller.send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(&error, CallError::NoService { .. }), "{error:?}");
    assert!(started.elapsed() >= Duration::from_millis(250), "took {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(3), "took {:?}", started.elapsed());
    assert_eq!(caller.in_flight(), 0);
}

pub(crate) async fn a_service_that_leaves_while_it_works_is_waited_for(ground: Ground) {
    let (monitor, _receiver) =
        daebus_caller::bus::Queue::drop_oldest(daebus_caller::bus::QueueLimits::default());
    let _subscription =
        ground.monitor.subscribe(daebus_caller::bus::Topic::parse("*"), monitor).await.unwrap();
    let mut service = Service::start_slow(&ground.service, "svc", |_| async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        vec![success(&json!({"late": true}))]
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let job = caller.send_request::<Value>("get", ()).spawn();
    service.next().await;
    service.leave();
    assert_eq!(job.await.unwrap(), json!({"late": true}));
}
