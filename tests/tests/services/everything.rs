//! Everything that a service of today can say, in one file: it compiles, and the parts fit together.

#![allow(missing_docs, clippy::missing_panics_doc)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use daebus::prelude::*;
use daebus_tests::{next, within};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[derive(Serialize, Deserialize, Clone)]
pub struct User {
    pub id: u64,
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

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
#[error("out of tea")]
#[fault(code = "teapot", status = 418)]
pub struct Teapot {
    pub cups: u8,
}

#[contract("user_service")]
pub trait Users {
    #[action("get_user", idempotent)]
    async fn get_user(id: u64) -> Result<User, UserError>;
    #[event("user_events")]
    fn user_event(event: User);
}

#[blueprint("users", contract = Users)]
pub mod users {
    use super::*;

    #[action("get_user", timeout = "1m30s", concurrency = 4, idempotent)]
    #[action("find_user")]
    pub async fn get_user(
        Payload(id): Payload<u64>,
        broadcast: Broadcast,
        request: Request,
    ) -> Result<User, UserError> {
        let _ = request.id();
        broadcast.send("user_events", &User { id }).await?;
        Err(UserError::NotFound { id })
    }

    #[action("tea")]
    pub fn tea() -> Result<(), Teapot> {
        Err(Teapot { cups: 0 })
    }

    #[action("sum", answer = u64, payload = Vec<u64>)]
    async fn sum(Payload(numbers): Payload<Vec<u64>>) -> impl Serialize {
        numbers.iter().sum::<u64>()
    }

    #[listen("sensor.*", concurrency = 8)]
    #[listen("user_events")]
    async fn heard(
        Payload(event): Payload<Value>,
        State(heard): State<UnboundedSender<Value>>,
        callers: Callers,
        shutdown: Shutdown,
    ) {
        let _ = (callers, shutdown);
        heard.send(event).unwrap();
    }

    #[on_start]
    #[on_stop]
    async fn count(State(count): State<Arc<AtomicU32>>) -> Result<(), BoxError> {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

mod outside {
    use daebus::prelude::*;

    #[action("outside")]
    pub(crate) async fn outside() -> &'static str {
        "outside"
    }
}

#[tokio::test]
async fn the_parts_fit_together() -> Result<(), BoxError> {
    let (heard, mut events) = unbounded_channel::<Value>();
    let hooks = Arc::<AtomicU32>::default();
    let service = Daebus::new("user_service")
        .bus("memory://everything")
        .state(heard)
        .state(Arc::clone(&hooks))
        .register(users::blueprint())
        .register(blueprint_of!["more"; outside::outside])
        .start()
        .await?;
    assert_eq!(hooks.load(Ordering::SeqCst), 1);

    let users = UsersCaller::connect("memory://everything").await?;
    let missing = users.get_user(&7).await;
    assert!(matches!(missing, Err(CallError::Service(UserError::NotFound { id: 7 }))), "a typed error");
    assert_eq!(next(&mut events).await, json!({"id": 7}), "the handler's broadcast");
    let mut listening = users.on_user_event().await?;
    users.user_event(&User { id: 8 }).await?;
    assert_eq!(within(listening.next()).await.map(|user| user.id), Some(8), "the contract's event");
    assert_eq!(next(&mut events).await, json!({"id": 8}));

    let caller = users::Caller::connect("memory://everything", "user_service").await?;
    let tea = caller.tea().await;
    assert!(matches!(tea, Err(CallError::Service(Teapot { cups: 0 }))), "{tea:?}");
    let untyped = caller.caller();
    assert_eq!(untyped.send_request::<u64>("sum", [1, 2, 3]).await?, 6);
    let found = untyped.send_request::<Value>("find_user", 9).await.unwrap_err();
    assert!(matches!(&found, CallError::Service(fault) if fault.code() == Some("not_found")), "{found:?}");
    assert_eq!(untyped.send_request::<String>("outside", ()).await?, "outside");
    assert_eq!(next(&mut events).await, json!({"id": 9}));
    untyped.send_message("sensor.kitchen", 21.5).await?;
    assert_eq!(next(&mut events).await, json!(21.5), "a pattern");

    service.stop().await?;
    assert_eq!(hooks.load(Ordering::SeqCst), 2);
    Ok(())
}
