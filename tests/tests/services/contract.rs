//! A contract from a crate of its own, offered by a blueprint and called through the contract's caller.

use std::sync::Arc;

use daebus::prelude::*;
use daebus_tests_contract::{GetUser, Imported, NewUser, User, UserError, UserEvent, Users, UsersCaller};
use parking_lot::Mutex;
use tokio::sync::Notify;

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

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Page<T> {
    items: Vec<T>,
    next: Option<u64>,
}

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize, daebus::Fault)]
pub(crate) enum ShopError {
    #[error("{0} is sold out")]
    SoldOut(String),
}

type Answered<T> = std::result::Result<T, ShopError>;

/// Arguments, answers and names of every form.
#[contract("shop")]
pub(crate) trait Shop {
    /// Adds an article.
    #[action("add")]
    async fn add(article: String, price: u32, tags: Vec<String>) -> Result<u32, ShopError>;
    /// The name that older callers use.
    #[action("add")]
    async fn insert(article: String, price: u32, tags: Vec<String>) -> Result<u32, ShopError>;
    #[action("page")]
    async fn page(start: u64) -> Result<Page<Vec<String>>, ShopError>;
    #[action("pages")]
    async fn pages() -> Page<Page<u8>>;
    #[action("buy", answer = u32, error = ShopError)]
    async fn buy(article: String) -> Answered<u32>;
    #[event("sold")]
    fn sold(article: String);
    #[event("prices")]
    fn priced(prices: Page<u32>);
}

#[blueprint("shop", contract = Shop)]
mod shop {
    use super::*;

    #[action("add")]
    async fn add(Payload(ShopAdd { article, price, tags }): Payload<ShopAdd>) -> Result<u32, ShopError> {
        if article == "gold" {
            Err(ShopError::SoldOut(article))
        } else {
            Ok(price + u32::try_from(tags.len()).unwrap_or(u32::MAX))
        }
    }

    #[action("page")]
    async fn page(Payload(start): Payload<u64>) -> Result<Page<Vec<String>>, ShopError> {
        Ok(Page { items: vec![vec!["a".into()]], next: Some(start + 1) })
    }

    #[action("pages")]
    async fn pages() -> Page<Page<u8>> {
        Page { items: vec![], next: None }
    }

    #[action("buy", answer = u32, error = ShopError)]
    async fn buy(Payload(article): Payload<String>, events: Broadcast) -> Answered<u32> {
        let sold = events.send_event(ShopCaller::SOLD, &article).await;
        sold.map(|_| 3).map_err(|_| ShopError::SoldOut(article))
    }

    #[listen(event = ShopCaller::SOLD, concurrency = 2)]
    async fn sold(Payload(article): Payload<String>, State(log): State<Log>) {
        log.articles.lock().push(article);
        log.changed.notify_one();
    }

    /// A listener need not read the payload.
    #[listen(event = ShopCaller::PRICED)]
    async fn priced() {}
}

#[derive(Clone, Default)]
struct Log {
    articles: Arc<Mutex<Vec<String>>>,
    changed: Arc<Notify>,
}

#[tokio::test]
async fn contracts_have_several_arguments_second_methods_and_checked_events() {
    let log = Log::default();
    let app = Daebus::new(ShopCaller::SERVICE).bus("memory://contract-shop");
    let service = app.register(shop::blueprint()).state(log.clone()).start().await.unwrap();
    let shop = ShopCaller::connect("memory://contract-shop").await.unwrap();

    assert_eq!(shop.add("tea".into(), 4, vec!["hot".into()]).await.unwrap(), 5);
    assert_eq!(shop.insert("tea".into(), 4, Vec::new()).await.unwrap(), 4);
    let sold_out = shop.insert("gold".into(), 4, Vec::new()).await;
    assert!(matches!(sold_out, Err(CallError::Service(ShopError::SoldOut(_)))), "{sold_out:?}");
    let untyped = json!({"article": "tea", "price": 1, "tags": []});
    assert_eq!(shop.caller().send_request::<u32>("add", untyped).await.unwrap(), 1);

    assert_eq!(shop.page(&1).await.unwrap(), Page { items: vec![vec!["a".to_owned()]], next: Some(2) });
    assert_eq!(shop.pages().await.unwrap().next, None);

    assert_eq!(ShopCaller::SOLD.channel(), "sold");
    assert_eq!(shop.buy(&"tea".to_owned()).await.unwrap(), 3);
    let changed = tokio::time::timeout(Duration::from_secs(5), log.changed.notified());
    changed.await.expect("the listener receives the event");
    assert_eq!(*log.articles.lock(), ["tea"]);
    service.stop().await.unwrap();
}
