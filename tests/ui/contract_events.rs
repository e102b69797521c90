//! Listeners and publishers that disagree with an event of a contract.

use daebus::prelude::*;
use daebus_tests_contract::{GetUser, UserEvent, UsersCaller};

type Renamed = Payload<u8>;

#[listen(event = UsersCaller::USER_EVENT)]
async fn other_type(Payload(_): Payload<GetUser>) {}

#[listen(event = UsersCaller::USER_EVENT)]
async fn other_type_under_another_name(_: Renamed) {}

#[listen(event = UsersCaller::USER_EVNT)]
async fn misspelled(Payload(_): Payload<UserEvent>) {}

#[listen("user_events", event = UsersCaller::USER_EVENT)]
async fn both() {}

#[listen(event)]
async fn empty() {}

#[listen(event = UsersCaller::USER_EVENT)]
#[listen(event = UsersCaller::USER_EVENT)]
async fn twice() {}

#[action("publish")]
async fn publish(broadcast: Broadcast) -> Result<(), BoxError> {
    broadcast.send_event(UsersCaller::USER_EVENT, &GetUser { id: 7 }).await?;
    Ok(())
}

fn main() {
    let _ = blueprint_of!["events"; other_type, publish];
}
