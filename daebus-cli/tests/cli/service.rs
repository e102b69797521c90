//! The service that the program is tried on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus::prelude::*;
use daebus::{Request, Service};
use daebus_tests::RedisServer;
use tokio::sync::Notify;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct GetUser {
    id: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct User {
    id: u64,
    name: String,
}

/// What the handlers have done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    pub(crate) slow_has_begun: Arc<Notify>,
    pub(crate) slow_is_dropped: Arc<AtomicUsize>,
}

struct CountsDrop(Arc<AtomicUsize>);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Finds a user by number.
#[action("get_user", idempotent)]
async fn get_user(Payload(GetUser { id }): Payload<GetUser>) -> Result<User, Fault> {
    match id {
        7 => Ok(User { id, name: "Ada".into() }),
        _ => Err(Fault::new("not_found", format!("user {id} not found")).with_details(json!({"id": id}))),
    }
}

/// Counts, with progress.
#[action("count")]
async fn count(Payload(to): Payload<u64>, progress: Progress<Value>) -> Result<Value, BoxError> {
    for at in 1..=to {
        progress.send(json!({"at": at})).await?;
    }
    Ok(json!({"counted": to}))
}

/// Answers with a header of the request.
#[action("tenant")]
async fn tenant(request: Request) -> Option<String> {
    request.headers().get("tenant").cloned()
}

/// Takes an hour.
#[action("slow")]
async fn slow(State(done): State<Done>) {
    let _dropped = CountsDrop(Arc::clone(&done.slow_is_dropped));
    done.slow_has_begun.notify_one();
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
}

/// Takes longer than it may.
#[action("limited", timeout = "10ms")]
async fn limited() {
    std::future::pending::<()>().await;
}

/// Receives events about users.
#[listen("user_events")]
async fn on_user_event(Payload(_): Payload<Value>) {}

/// Starts an instance of `user_service`.
pub(crate) async fn start(redis: &RedisServer, id: &str) -> (Service, Done) {
    let done = Done::default();
    let service = Daebus::new("user_service")
        .bus(redis.url())
        .instance_id(id)
        .version("1.2.0")
        .description("Keeps the users of the shop.")
        .state(done.clone())
        .register(blueprint_of!["users"; get_user, count, tenant, slow, limited, on_user_event])
        .start()
        .await
        .unwrap();
    (service, done)
}
