//! Everything that a service of today can say, in one file: it compiles, and the parts fit together.

#![allow(missing_docs)]

use daebus::prelude::*;

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
        events: Broadcast,
        request: Request,
    ) -> Result<User, UserError> {
        let _ = request.id();
        events.send("user_events", &User { id }).await?;
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

    #[listen("sensor.*", concurrent = 8)]
    #[listen("user_events")]
    async fn heard(_: Payload<Value>, callers: Callers, shutdown: Shutdown) {
        let _ = (callers, shutdown);
    }

    #[on_start]
    #[on_stop]
    async fn note(State(note): State<String>) -> Result<(), BoxError> {
        if note.is_empty() { Err("no note")? } else { Ok(()) }
    }
}

mod outside {
    use daebus::prelude::*;

    #[action("outside")]
    pub(crate) async fn outside() -> &'static str {
        "outside"
    }
}

#[test]
fn the_parts_fit_together() {
    let _ = Daebus::new("user_service")
        .register(users::blueprint())
        .register(blueprint_of!["more"; outside::outside]);
    let _ = (UsersCaller::get_user, UsersCaller::on_user_event, users::Caller::tea);
}
