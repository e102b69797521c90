//! Errors of a service that another service returns.

use daebus::prelude::*;
use daebus::testing::TestApp;

#[derive(Debug, thiserror::Error, Serialize, Deserialize, PartialEq, Fault)]
pub enum UserError {
    #[error("user {id} not found")]
    #[fault(status = 404)]
    NotFound { id: u64 },
    #[error("broken")]
    #[fault(internal)]
    Broken,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
#[error(transparent)]
#[fault(transparent)]
pub struct Wrapped(UserError);

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum OrderError {
    #[error("the basket is empty")]
    #[fault(status = 409)]
    Empty,
    #[error(transparent)]
    #[fault(transparent)]
    Wrapped(#[from] Wrapped),
    #[error(transparent)]
    #[fault(transparent)]
    #[serde(skip)]
    Called(#[from] CallError<OtherError>),
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
#[error("other {number}")]
#[fault(code = "other", status = 410)]
pub struct OtherError {
    number: u64,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum Plain {
    #[error("own")]
    Own,
    #[error(transparent)]
    #[fault(internal)]
    #[serde(skip)]
    Called(#[from] CallError<OtherError>),
}

#[blueprint("others")]
mod others {
    use super::*;

    #[action("fail")]
    pub(super) async fn fail(Payload(number): Payload<u64>) -> Result<u64, OtherError> {
        Err(OtherError { number })
    }
}

#[blueprint("orders")]
mod orders {
    use super::*;

    #[action("order")]
    #[route("/order", methods = ["POST"])]
    pub(super) async fn order(Payload(kind): Payload<String>, callers: Callers) -> Result<u64, OrderError> {
        let others = others::Caller::new(callers.to("orders"));
        let missing = others::Caller::new(callers.to("nobody"));
        match kind.as_str() {
            "empty" => Err(OrderError::Empty),
            "missing" => Err(Wrapped(UserError::NotFound { id: 7 }))?,
            "broken" => Err(Wrapped(UserError::Broken))?,
            "called" => Ok(others.fail(&3).await?),
            _ => Ok(missing.fail(&3).await?),
        }
    }

    #[action("plain")]
    pub(super) async fn plain(callers: Callers) -> Result<u64, Plain> {
        Ok(others::Caller::new(callers.to("orders")).fail(&3).await?)
    }

    #[action("direct")]
    pub(super) async fn direct(callers: Callers) -> Result<u64, CallError<OtherError>> {
        others::Caller::new(callers.to("orders")).fail(&5).await
    }

    #[action("boxed")]
    pub(super) async fn boxed(callers: Callers) -> Result<u64, BoxError> {
        Ok(others::Caller::new(callers.to("orders")).fail(&3).await?)
    }
}

async fn app() -> TestApp {
    let app = Daebus::new("orders").register(orders::blueprint()).register(others::blueprint());
    TestApp::new(app.attach(Http::bind("127.0.0.1:0"))).await
}

#[tokio::test]
async fn a_transparent_error_keeps_code_status_and_details() {
    let app = app().await;
    for (kind, status, code) in
        [("empty", 409, "empty"), ("missing", 404, "not_found"), ("called", 410, "other")]
    {
        let refused = app.http().post("/order").json(kind).await;
        assert_eq!(refused.assert_status(status).json::<Value>()["code"], code, "{kind}");
    }
    let orders = orders::Caller::new(app.caller());
    match orders.order(&"missing".into()).await {
        Err(CallError::Service(OrderError::Wrapped(Wrapped(error)))) => {
            assert_eq!(error, UserError::NotFound { id: 7 });
        }
        other => panic!("{other:?}"),
    }
    let error = orders.order(&"called".into()).await.unwrap_err();
    assert!(
        matches!(error, CallError::Service(OrderError::Called(CallError::Service(OtherError { number: 3 })))),
        "{error:?}"
    );
    let error = orders.order(&"empty".into()).await.unwrap_err();
    assert!(matches!(error, CallError::Service(OrderError::Empty)), "{error:?}");
    let error = orders.direct().await.unwrap_err();
    assert!(matches!(error, CallError::Service(OtherError { number: 5 })), "{error:?}");
    app.finish().await;
}

#[tokio::test]
async fn the_error_of_a_nested_call_is_internal_unless_it_is_passed_on() {
    let app = app().await;
    let orders = orders::Caller::new(app.caller());
    let errors = [
        orders.order(&"broken".into()).await.unwrap_err().to_string(),
        orders.order(&"nobody".into()).await.unwrap_err().to_string(),
        orders.plain().await.unwrap_err().to_string(),
        orders.boxed().await.unwrap_err().to_string(),
    ];
    for error in errors {
        assert_eq!(error, Fault::internal().to_string());
    }
    app.finish().await;
}

#[test]
fn a_transparent_error_has_the_codes_of_its_fields() {
    use daebus::caller::contract::FromFault;

    assert_eq!(OrderError::CODES, ["empty", "not_found", "other"]);
    assert_eq!(Wrapped::CODES, ["not_found"]);
}

#[test]
fn main_can_return_errors_of_several_kinds() {
    fn fails(kind: &str) -> daebus::Result<()> {
        match kind {
            "io" => Err(std::io::Error::other("the disk is full"))?,
            "call" => Err(CallError::Service(OtherError { number: 3 }))?,
            "box" => Err(BoxError::from("a sentence"))?,
            _ => Err(BoxError::from(daebus::Error::Interrupted { service: "svc".into() }))?,
        }
        Ok(())
    }
    for (kind, sentence) in [
        ("io", "the disk is full"),
        ("call", "other 3"),
        ("box", "a sentence"),
        ("own", "svc was stopped before it had started"),
    ] {
        let error = fails(kind).unwrap_err();
        assert_eq!(format!("{error:?}"), sentence);
        assert_eq!(error.to_string(), sentence);
    }
}

#[tokio::test]
async fn state_and_extensions_are_optional() {
    #[action("there")]
    #[route("/there")]
    async fn there(
        number: Option<State<u32>>,
        text: Option<State<String>>,
        flag: Option<daebus::Extension<bool>>,
    ) -> Json<(Option<u32>, Option<String>, bool)> {
        Json((number.map(|State(number)| number), text.map(|State(text)| text), flag.is_some()))
    }
    let app = Daebus::new("optional").state(7_u32).register(blueprint_of!["b"; there]);
    let app = TestApp::new(app.attach(Http::bind("127.0.0.1:0"))).await;
    let answer: Value = app.caller().send_request("there", json!({})).await.unwrap();
    assert_eq!(answer, json!([7, null, false]));
    app.http().get("/there").await.assert_json(json!([7, null, false]));
    app.finish().await;
}
