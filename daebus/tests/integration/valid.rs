//! Payloads that are validated before the handler runs.

use daebus::prelude::*;
use daebus::testing::TestApp;
use garde::Validate;

#[derive(Debug, Serialize, Deserialize, JsonSchema, Validate)]
pub struct NewUser {
    #[garde(length(chars, min = 3))]
    name: String,
    #[garde(range(min = 18))]
    age: u8,
    #[serde(default)]
    #[garde(dive)]
    addresses: Vec<Address>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Address {
    #[garde(length(min = 1))]
    city: String,
}

impl NewUser {
    fn new(name: &str, age: u8) -> Self {
        Self { name: name.to_owned(), age, addresses: Vec::new() }
    }
}

#[contract("users")]
pub trait Users {
    #[action("create_user")]
    async fn create_user(user: NewUser) -> String;

    #[event("user_events")]
    fn user_event(event: NewUser);
}

#[blueprint("users", contract = Users)]
pub mod users {
    use super::*;

    #[action("create_user")]
    #[route("/users", methods = ["GET", "POST"])]
    #[socket("create_user")]
    pub async fn create_user(Valid(user): Valid<NewUser>) -> String {
        user.name
    }

    #[listen(event = UsersCaller::USER_EVENT)]
    async fn on_user(Valid(user): Valid<NewUser>, broadcast: Broadcast) -> Result<(), BoxError> {
        broadcast.send("heard", user.name).await?;
        Ok(())
    }
}

fn all_invalid() -> Value {
    json!({"name": "Al", "age": 7, "addresses": [{"city": "Paris"}, {"city": ""}]})
}

/// The fields of the invalid payload and the reasons.
fn fields() -> Value {
    json!({"fields": [
        {"field": "addresses[1].city", "reason": "length is lower than 1"},
        {"field": "age", "reason": "lower than 18"},
        {"field": "name", "reason": "length is lower than 3"},
    ]})
}

#[tokio::test]
async fn an_action_gets_valid_payloads_only() {
    let app = TestApp::new(Daebus::new("users").register(users::blueprint())).await;
    let users = users::Caller::new(app.caller());
    assert_eq!(users.create_user(&NewUser::new("Ada", 36)).await.unwrap(), "Ada");
    let error = app.caller().send_request::<Value>("create_user", all_invalid()).await.unwrap_err();
    let CallError::Fault(fault) = error else { panic!("{error}") };
    assert_eq!((fault.code(), fault.details()), (Some("invalid_payload"), &fields()));
    assert_eq!(
        fault.error(),
        "the payload is invalid: `addresses[1].city`: length is lower than 1 (the first of 3 errors)"
    );
    let error = users.create_user(&NewUser::new("Ada", 7)).await.unwrap_err();
    assert_eq!(error.to_string(), "the payload is invalid: `age`: lower than 18");
    let unreadable = app.caller().send_request::<Value>("create_user", json!({"name": 7})).await.unwrap_err();
    assert!(unreadable.to_string().starts_with("the payload can't be read: `name`"), "{unreadable}");
    app.finish().await;
}

#[tokio::test]
async fn a_route_and_a_socket_get_valid_payloads_only() {
    let app = TestApp::new(Daebus::new("users").register(users::blueprint())).await;
    app.http().post("/users").json(NewUser::new("Ada", 36)).await.assert_status(200);
    app.http().get("/users?name=Ada&age=36").await.assert_status(200);
    let refused = app.http().post("/users").json(all_invalid()).await;
    let body: Value = refused.assert_status(400).json();
    assert_eq!((&body["code"], &body["details"]), (&json!("invalid_payload"), &fields()));
    let refused = app.http().get("/users?name=Ada&age=7").await;
    let body: Value = refused.assert_status(400).json();
    assert_eq!(body["details"], json!({"fields": [{"field": "age", "reason": "lower than 18"}]}));

    let mut socket = app.socket().await;
    socket.ask("create_user", NewUser::new("Ada", 36)).await.assert("response", "Ada");
    let refused = socket.ask("create_user", all_invalid()).await;
    assert_eq!((refused.kind(), &refused.data()["details"]), ("error", &fields()));
    app.finish().await;
}

#[tokio::test]
async fn a_listener_handles_valid_messages_only() {
    let app = TestApp::new(Daebus::new("users").register(users::blueprint())).await;
    for age in [7, 36] {
        app.publish("user_events", NewUser::new("Ada", age)).await;
    }
    app.settle().await;
    app.published("heard").await.assert_one("Ada");
    app.finish().await;
}

#[tokio::test]
async fn the_schema_of_a_validated_payload_is_published() {
    let app = TestApp::new(Daebus::new("users").register(users::blueprint())).await;
    let info: Value = app.caller().send_request("$info", ()).await.unwrap();
    assert_eq!(info["actions"][0]["payload"]["title"], "NewUser", "{info}");
    app.finish().await;
}
