//! A contract from a crate of its own, offered by a blueprint and called through the contract's caller.

use daebus::prelude::*;
use daebus_tests_contract::{GetUser, Imported, NewUser, User, UserError, UserEvent, Users, UsersCaller};

#[blueprint("users", contract = Users)]
mod users {
    use super::*;

    #[action("get_user")]
    async fn get_user(Payload(query): Payload<GetUser>) -> Result<User, UserError> {
        if query.id == 404 {
            Err(UserError::NotFound { id: 404 })
        } else {
            Ok(User { id: query.id, email: "a@b".into() })
        }
    }

    #[action("import")]
    async fn import(
        Payload(rows): Payload<Vec<NewUser>>,
        progress: Progress<Imported>,
    ) -> Result<Imported, UserError> {
        for users in 1..=rows.len() {
            progress.send(Imported { users }).await.map_err(|_| UserError::NotFound { id: 0 })?;
        }
        Ok(Imported { users: rows.len() })
    }

    #[action("count")]
    fn count() -> usize {
        3
    }
}

#[tokio::test]
async fn the_callers_of_a_contract_reach_the_blueprint_that_offers_it() {
    let app = Daebus::new(UsersCaller::SERVICE).bus("memory://contract").register(users::blueprint());
    let service = app.start().await.unwrap();
    let users = UsersCaller::connect("memory://contract").await.unwrap();

    assert_eq!(users.get_user(&GetUser { id: 7 }).await.unwrap(), User { id: 7, email: "a@b".into() });
    let missing = users.get_user(&GetUser { id: 404 }).await;
    assert!(matches!(missing, Err(CallError::Service(UserError::NotFound { id: 404 }))), "{missing:?}");
    assert_eq!(users.count().await.unwrap(), 3);

    let rows = vec![NewUser { email: "x".into() }, NewUser { email: "y".into() }];
    let mut updates = users.import(&rows).progress();
    let mut heard = Vec::new();
    while let Some(update) = updates.next().await {
        match update {
            Update::Progress(Imported { users }) => heard.push(users),
            Update::Done(end) => assert_eq!(end.unwrap(), Imported { users: 2 }),
        }
    }
    assert_eq!(heard, [1, 2]);

    let mut events = users.on_user_event().await.unwrap();
    assert_eq!(users.user_event(&UserEvent::Created { id: 9 }).await.unwrap(), 1);
    assert_eq!(events.next().await, Some(UserEvent::Created { id: 9 }));
    service.stop().await.unwrap();
}
