//! A blueprint whose types are others than its contract's.

use daebus::prelude::*;
use daebus_tests_contract::{GetUser, User, UserError, Users};

#[derive(Serialize, Deserialize)]
pub struct Rows(u8);

#[blueprint("users", contract = Users)]
mod users {
    use super::*;

    #[action("get_user")]
    async fn get_user(Payload(query): Payload<u64>) -> Result<GetUser, BoxError> {
        Ok(GetUser { id: query })
    }

    #[action("import")]
    async fn import(Payload(_): Payload<Rows>) -> Result<User, UserError> {
        Err(UserError::NotFound { id: 7 })
    }

    #[action("count")]
    async fn count(_: Payload<u8>) {}
}

fn main() {}
