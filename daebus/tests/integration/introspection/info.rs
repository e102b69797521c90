//! `$ping` and `$info`, with the schemas of the types that have one.

#![allow(missing_docs, clippy::missing_errors_doc)] // written as a user would who has switched on nothing

use daebus::Schedule;
use daebus::prelude::*;

#[derive(Deserialize, Serialize, JsonSchema)]
pub struct GetUser {
    pub id: u64,
}

#[derive(Deserialize, Serialize, JsonSchema)]
pub struct User {
    pub id: u64,
    #[serde(default)]
    pub email: String,
}

#[derive(Deserialize, Serialize, JsonSchema)]
pub struct Step {
    pub done: u32,
}

/// A type without a JSON Schema.
#[derive(Deserialize, Serialize)]
pub struct Plain {
    pub text: String,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum PlainError {
    #[error("{0} is wrong")]
    Wrong(String),
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, JsonSchema, Fault)]
pub enum UserError {
    #[error("user {id} not found")]
    NotFound { id: u64 },
}

#[blueprint("users")]
pub mod users {
    use super::*;

    /// Finds a user.
    ///
    /// By number.
    #[action("get_user", idempotent, timeout = "2s", concurrency = 8)]
    pub async fn get_user(
        Payload(query): Payload<GetUser>,
        steps: Progress<Step>,
    ) -> Result<User, UserError> {
        let _ = steps;
        Err(UserError::NotFound { id: query.id })
    }

    #[action("plain")]
    pub async fn plain(Payload(plain): Payload<Plain>) -> Result<Plain, PlainError> {
        Ok(plain)
    }

    #[action("half")]
    pub async fn half(Payload(plain): Payload<Plain>) -> Result<User, PlainError> {
        Err(PlainError::Wrong(plain.text))
    }

    #[action("unit")]
    pub async fn unit() -> Result<(), BoxError> {
        Ok(())
    }

    #[action("value")]
    pub fn value() -> Vec<User> {
        Vec::new()
    }

    #[action("said", payload = GetUser, answer = User)]
    pub async fn said(request: Request) -> impl Serialize {
        request.action().map(str::to_owned)
    }

    /// Receives users.
    #[listen("user_events.*")]
    pub async fn heard(Payload(_): Payload<User>) {}

    /// Shows a user.
    #[route("/users/<id>", methods = ["GET", "POST"])]
    pub async fn show(id: u64) -> String {
        id.to_string()
    }

    #[socket("chat")]
    pub async fn chat(Payload(user): Payload<User>) -> User {
        user
    }

    /// Cleans up.
    #[background("cleanup", 3600)]
    pub async fn cleanup() {}
}

fn app(bus: &str) -> Daebus {
    Daebus::new("svc")
        .bus(format!("memory://{bus}"))
        .version("1.2.3")
        .description("Keeps users.")
        .register(users::blueprint().prefix("/api"))
        .attach(Http::bind("127.0.0.1:0"))
        .attach(WebSocket::new())
}

#[tokio::test]
async fn ping_names_the_instance() -> Result<(), BoxError> {
    let service = app("introspection-ping").start().await?;
    let pong: Value = service.callers().to("svc").send_request("$ping", json!({"whatever": 1})).await?;
    let id = pong["id"].as_str().ok_or("an id")?;
    assert!(id.starts_with("svc@"), "{id}");
    let expected = json!({"type": "daebus.v1.ping_response", "id": id, "service": "svc", "version": "1.2.3"});
    assert_eq!(pong, expected);
    Ok(service.stop().await?)
}

#[tokio::test]
async fn info_describes_the_triggers_of_all_handlers() -> Result<(), BoxError> {
    let service = app("introspection-info").start().await?;
    let caller = service.callers().to("svc");
    let info: Value = caller.send_request("$info", ()).await?;
    assert_eq!(info["type"], "daebus.v1.info_response");
    assert_eq!((&info["service"], &info["version"]), (&json!("svc"), &json!("1.2.3")));
    assert_eq!((&info["description"], &info["protocol"]), (&json!("Keeps users."), &json!(1)));
    assert_eq!(info["pid"], std::process::id());
    assert!(info["host"].as_str().is_some_and(|host| !host.is_empty()), "{info}");
    assert!(info["started"].as_str().is_some_and(|started| started.ends_with('Z')), "{info}");
    let names: Vec<&str> = info["actions"]
        .as_array()
        .ok_or("a list")?
        .iter()
        .filter_map(|action| action["name"].as_str())
        .collect();
    assert_eq!(names, ["get_user", "half", "plain", "said", "unit", "value"]);
    assert_eq!(info["channels"][0]["name"], "user_events.*");
    assert_eq!(info["channels"][0]["description"], "Receives users.");
    assert_eq!(info["channels"][0]["payload"]["title"], "User");
    let route =
        json!([{"methods": ["GET", "POST"], "pattern": "/api/users/<id>", "description": "Shows a user."}]);
    assert_eq!(info["routes"], route);
    assert_eq!(
        (&info["sockets"][0]["type"], &info["sockets"][0]["answer"]["title"]),
        (&json!("chat"), &json!("User"))
    );
    let schedule = json!([{"name": "cleanup", "schedule": "every 3600s", "description": "Cleans up."}]);
    assert_eq!(info["schedules"], schedule);
    assert_eq!(caller.send_request::<Value>("$info", ()).await?, info, "the report is generated once");
    Ok(service.stop().await?)
}

#[tokio::test]
async fn info_has_the_schedules_as_they_are() -> Result<(), BoxError> {
    let service = app("introspection-schedules").start().await?;
    let (caller, tasks) = (service.callers().to("svc"), service.tasks());
    let _: Value = caller.send_request("$info", ()).await?;
    tasks.set_interval("cleanup", Duration::from_secs(30))?;
    tasks.schedule("added", Schedule::every(Duration::from_secs(60)), async || {})?;
    let info: Value = caller.send_request("$info", ()).await?;
    let expected = json!([
        {"name": "cleanup", "schedule": "every 30s", "description": "Cleans up."},
        {"name": "added", "schedule": "every 60s", "added": true},
    ]);
    assert_eq!(info["schedules"], expected);
    assert_eq!(info.get("schedules_left_out"), None);
    for n in 0..300 {
        tasks.schedule(&format!("more{n}"), Schedule::every(Duration::from_secs(60)), async || {})?;
    }
    let info: Value = caller.send_request("$info", ()).await?;
    assert_eq!(
        (info["schedules"].as_array().map(Vec::len), &info["schedules_left_out"]),
        (Some(257), &json!(45))
    );
    Ok(service.stop().await?)
}

#[tokio::test]
async fn info_has_the_schemas_of_the_types_that_derive_one() -> Result<(), BoxError> {
    let service = app("introspection-schemas").start().await?;
    let info: Value = service.callers().to("svc").send_request("$info", ()).await?;
    let action = |name: &str| {
        let actions = info["actions"].as_array().into_iter().flatten();
        actions.into_iter().find(|action| action["name"] == name).cloned().unwrap_or_default()
    };
    let get_user = action("get_user");
    assert_eq!(get_user["description"], "Finds a user.\n\nBy number.");
    assert_eq!((&get_user["idempotent"], &get_user["timeout_ms"]), (&json!(true), &json!(2000)));
    assert_eq!(get_user["concurrency"], 8);
    assert_eq!(get_user["payload"]["properties"]["id"]["type"], "integer");
    assert_eq!(get_user["payload"]["required"], json!(["id"]));
    // A field with a default is optional when it is received, and always present when it is sent.
    assert_eq!(get_user["answer"]["required"], json!(["id", "email"]));
    assert_eq!(get_user["error"]["title"], "UserError");
    assert_eq!(get_user["progress"]["title"], "Step");
    let has = |name: &str| {
        let action = action(name);
        ["payload", "progress", "answer", "error"].map(|part| action.get(part).is_some())
    };
    assert_eq!(has("get_user"), [true, true, true, true]);
    assert_eq!(has("plain"), [false, false, false, false]);
    assert_eq!(has("half"), [false, false, true, false]);
    assert_eq!(has("unit"), [false, false, true, false]);
    assert_eq!(action("unit")["answer"], json!({"type": "object"}), "`()` is sent as an empty object");
    assert_eq!(action("value")["answer"]["type"], "array");
    assert_eq!(has("said"), [true, false, true, false]);
    Ok(service.stop().await?)
}
