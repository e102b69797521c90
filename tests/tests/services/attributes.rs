//! From an annotated function to an answered call, through the typed stub.

#![allow(missing_docs)]

use daebus::prelude::*;

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct GetUser {
    pub id: u64,
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct User {
    pub id: u64,
    pub email: String,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault, PartialEq)]
pub enum UserError {
    #[error("user {id} not found")]
    #[fault(code = "not_found", status = 404)]
    NotFound { id: u64 },
    #[error("the disk is full: {0}")]
    #[fault(internal)]
    Disk(String),
}

#[derive(Clone)]
pub struct Db(&'static str);

#[blueprint("users")]
pub mod users {
    use super::*;

    /// Answers on the service's channel.
    #[action("get_user", timeout = "2s", concurrency = 4, idempotent)]
    pub async fn get_user(Payload(query): Payload<GetUser>, State(db): State<Db>) -> Result<User, UserError> {
        match query.id {
            404 => Err(UserError::NotFound { id: 404 }),
            500 => Err(UserError::Disk("sda1".into())),
            id => Ok(User { id, email: format!("{id}@{}", db.0) }),
        }
    }

    /// A plain function runs beside the runtime.
    #[action("thread")]
    #[action("thread_too")]
    pub fn thread() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }

    /// Counts.
    #[action("count")]
    pub async fn count(Payload(to): Payload<u32>, progress: Progress<u32>) -> Result<(), BoxError> {
        for at in 0..to {
            progress.send(at).await?;
        }
        Ok(())
    }

    #[listen("user_events")]
    #[listen("more.*", concurrency = 8)]
    async fn heard(Payload(user): Payload<User>) {
        let _ = user;
    }

    #[on_start]
    async fn warm_up(State(db): State<Db>) -> Result<(), BoxError> {
        if db.0.is_empty() { Err("no database")? } else { Ok(()) }
    }

    #[on_stop]
    fn flush() {}
}

#[tokio::test]
async fn a_stub_calls_what_the_attributes_mounted() {
    let app = Daebus::new("user_service")
        .bus("memory://attributes")
        .state(Db("example.org"))
        .register(users::blueprint());
    let service = app.start().await.unwrap();
    let users = users::Caller::connect("memory://attributes", "user_service").await.unwrap();

    let user = users.get_user(&GetUser { id: 7 }).await.unwrap();
    assert_eq!(user, User { id: 7, email: "7@example.org".into() });
    let missing = users.get_user(&GetUser { id: 404 }).await.unwrap_err();
    assert!(matches!(missing, CallError::Service(UserError::NotFound { id: 404 })), "{missing:?}");
    let inside = users.get_user(&GetUser { id: 500 }).await.unwrap_err();
    assert!(matches!(&inside, CallError::Fault(fault) if fault.code() == Some("internal")), "{inside:?}");

    let here = std::thread::current().name().unwrap_or_default().to_owned();
    assert_ne!(users.thread().await.unwrap(), here);
    let there: String = users.caller().send_request("thread_too", ()).await.unwrap();
    assert_ne!(there, here);

    let mut heard = Vec::new();
    let mut updates = users.count(&3).progress();
    while let Some(update) = updates.next().await {
        match update {
            Update::Progress(at) => heard.push(at),
            Update::Done(end) => end.unwrap(),
        }
    }
    assert_eq!(heard, [0, 1, 2]);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_handler_is_still_a_function() {
    let user = users::get_user(Payload(GetUser { id: 1 }), State(Db("x"))).await.unwrap();
    assert_eq!(user.email, "1@x");
}

type Lines = std::sync::Arc<std::sync::Mutex<Vec<&'static str>>>;

/// Its argument's type has a lifetime inside of other types.
#[on_stop]
async fn last_line(State(lines): State<Lines>) {
    lines.lock().unwrap().push("stopped");
}

#[tokio::test]
async fn a_handler_takes_types_that_mention_a_static_lifetime() {
    let lines = Lines::default();
    let app = Daebus::new("static_lines")
        .bus("memory://static-lines")
        .state(lines.clone())
        .register(blueprint_of!["lines"; last_line]);
    app.start().await.unwrap().stop().await.unwrap();
    assert_eq!(*lines.lock().unwrap(), ["stopped"]);
}
