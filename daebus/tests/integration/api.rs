//! The public API, in a program as a user would write it.

#![allow(missing_docs, clippy::unwrap_used, clippy::missing_panics_doc)] // written like a user's crate, without lints

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use daebus::prelude::*;

#[derive(Clone, Default)]
pub struct Db(Arc<Mutex<BTreeMap<u64, User>>>);

impl Db {
    fn get(&self, id: u64) -> Option<User> {
        self.0.lock().unwrap().get(&id).cloned()
    }

    fn insert(&self, new: NewUser) -> User {
        let mut users = self.0.lock().unwrap();
        let user = User { id: users.len() as u64 + 1, email: new.email };
        users.insert(user.id, user.clone());
        user
    }
}

#[derive(Deserialize, Serialize, JsonSchema)]
pub struct GetUser {
    pub id: u64,
}

#[derive(Deserialize, Serialize, JsonSchema, Clone)]
pub struct NewUser {
    pub email: String,
}

#[derive(Deserialize, Serialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct User {
    pub id: u64,
    pub email: String,
}

#[derive(Deserialize, Serialize, Debug, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserEvent {
    Created { id: u64 },
}

#[derive(Deserialize, Serialize, Debug, PartialEq)]
pub struct Imported {
    pub rows: usize,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum UserError {
    #[error("user {id} not found")]
    #[fault(code = "not_found", status = 404)]
    NotFound { id: u64 },
    #[error(transparent)]
    #[fault(internal)]
    #[serde(skip)]
    Bus(#[from] BusError),
}

#[blueprint("users")]
pub mod users {
    use super::*;

    /// Returns a user.
    #[action("get_user")]
    pub async fn get_user(Payload(query): Payload<GetUser>, State(db): State<Db>) -> Result<User, UserError> {
        db.get(query.id).ok_or(UserError::NotFound { id: query.id })
    }

    #[action("create_user")]
    pub async fn create_user(
        Payload(new): Payload<NewUser>,
        State(db): State<Db>,
        broadcast: Broadcast,
    ) -> Result<User, UserError> {
        let user = db.insert(new);
        broadcast.send("user_events", &UserEvent::Created { id: user.id }).await?;
        Ok(user)
    }

    /// Handles broadcasts.
    #[listen("user_events")]
    pub async fn on_user_event(Payload(event): Payload<UserEvent>, State(received): State<Received>) {
        received.0.send(event).unwrap();
    }

    /// Sends progress before the answer.
    #[action("import")]
    pub async fn import(
        Payload(rows): Payload<Vec<NewUser>>,
        State(db): State<Db>,
        progress: Progress<Imported>,
    ) -> Result<Imported, UserError> {
        let count = rows.len();
        for (done, row) in rows.into_iter().enumerate() {
            db.insert(row);
            progress.send(Imported { rows: done + 1 }).await?;
        }
        Ok(Imported { rows: count })
    }

    /// A plain `fn`.
    #[action("double")]
    pub fn double(Payload(n): Payload<i64>) -> i64 {
        n * 2
    }

    #[action("nothing")]
    pub async fn nothing() {}

    #[member_joined]
    pub async fn joined(member: Instance, State(seen): State<Seen>) {
        seen.0.lock().unwrap().push(format!("joined {}", member.id));
    }

    #[member_left]
    pub async fn left(member: Instance, State(seen): State<Seen>) {
        seen.0.lock().unwrap().push(format!("left {}", member.id));
    }

    #[bus_connected]
    pub async fn connected(State(seen): State<Seen>) {
        seen.0.lock().unwrap().push("connected".into());
    }

    #[bus_disconnected]
    pub async fn disconnected() {}

    #[background("report", 60, singleton)]
    pub async fn report(lease: daebus::Lease) {
        assert!(lease.token() > 0);
    }

    #[listen("orders", singleton)]
    pub async fn order(_: Payload<Value>) {}

    #[on_start]
    pub async fn warm_up(State(db): State<Db>) -> Result<(), BoxError> {
        db.insert(NewUser { email: "root@example.com".into() });
        Ok(())
    }

    #[on_stop]
    pub async fn flush(State(db): State<Db>) {
        db.0.lock().unwrap().clear();
    }
}

/// The reports of the hooks.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<String>>>);

#[derive(Clone)]
pub struct Received(tokio::sync::mpsc::UnboundedSender<UserEvent>);

#[tokio::test]
async fn a_service_and_its_typed_caller() -> Result<(), BoxError> {
    let (received, mut events) = tokio::sync::mpsc::unbounded_channel();
    let db = Db::default();
    let service = Daebus::new("user_service")
        .bus("memory://api")
        .state(db.clone())
        .state(Received(received))
        .state(Seen::default())
        .register(users::blueprint())
        .start()
        .await?;

    let caller = Caller::connect("memory://api", "user_service").await?;
    let user: Value = caller.send_request("get_user", json!({"id": 1})).await?;
    assert_eq!(user, json!({"id": 1, "email": "root@example.com"}));

    let users = users::Caller::new(caller.clone());
    let user: User = users.create_user(&NewUser { email: "ada@example.com".into() }).await?;
    assert_eq!(user.id, 2);
    assert_eq!(events.recv().await, Some(UserEvent::Created { id: 2 }));

    let missing = users.get_user(&GetUser { id: 9 }).await;
    assert!(matches!(missing, Err(CallError::Service(UserError::NotFound { id: 9 }))), "{missing:?}");
    assert_eq!(users.double(&21).await?, 42);
    users.nothing().await?;

    let rows = vec![NewUser { email: "a".into() }, NewUser { email: "b".into() }];
    let mut updates = users.import(&rows).progress();
    let mut seen = Vec::new();
    while let Some(update) = updates.next().await {
        match update {
            Update::Progress(imported) => seen.push(imported.rows),
            Update::Done(result) => assert_eq!(result?, Imported { rows: 2 }),
        }
    }
    assert_eq!(seen, [1, 2]);

    let user = users.get_user(&GetUser { id: 2 }).timeout(Duration::from_millis(200)).header("tenant", "a");
    assert_eq!(user.await?.email, "ada@example.com");

    let error = caller.send_request::<Value>("get_user", json!({"id": "x"})).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the payload can't be read: `id`: invalid type: string \"x\", expected u64"
    );
    caller.close().await;
    service.stop().await?;
    assert!(db.get(1).is_none(), "on_stop ran");
    Ok(())
}

#[tokio::test]
async fn instances_with_ids_report_each_other() -> Result<(), BoxError> {
    let (received, _events) = tokio::sync::mpsc::unbounded_channel();
    let seen = Seen::default();
    let app = |id: &str, seen: &Seen| {
        Daebus::new("user_service")
            .bus("memory://api-instances")
            .instance_id(id)
            .everyone()
            .state(Db::default())
            .state(Received(received.clone()))
            .state(seen.clone())
            .register(users::blueprint())
    };
    let first = app("user_service@1", &seen).start().await?;
    let second = app("user_service@2", &Seen::default()).start().await?;
    second.stop().await?;
    let expected = ["connected", "joined user_service@2", "left user_service@2"];
    while *seen.0.lock().unwrap() != expected {
        tokio::task::yield_now().await;
    }
    Ok(first.stop().await?)
}
