//! The key-value store, on the in-process bus. `tests/tests/bus` tests it on Redis.

use daebus::CacheError;
use daebus::prelude::*;
use daebus::testing::TestApp;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

async fn empty() -> TestApp {
    TestApp::new(Daebus::new("svc")).await
}

#[tokio::test]
async fn returns_the_values_that_were_set() -> Result<(), CacheError> {
    let app = empty().await;
    let cache = app.service().cache();
    assert_eq!(cache.get::<String>("k").await?, None);
    cache.set("k", "hello").await?;
    assert_eq!(cache.get::<String>("k").await?.as_deref(), Some("hello"));
    let user = User { id: 7, name: "Ada".to_owned() };
    cache.set("user", &user).await?;
    assert_eq!(cache.get::<User>("user").await?, Some(user));
    cache.set("list", [1, 2]).await?;
    assert_eq!(cache.get::<Vec<u8>>("list").await?, Some(vec![1, 2]));
    for text in ["5", "null", "\"quoted\"", "", "{\"a\":1}", "ünï\ncode"] {
        cache.set("text", text).await?;
        assert_eq!(cache.get::<String>("text").await?.as_deref(), Some(text));
    }
    assert!(cache.delete("k").await?);
    assert!(!cache.delete("k").await?);
    assert!(cache.redis().is_none());
    app.finish().await;
    Ok(())
}

#[tokio::test]
async fn values_are_stored_as_python_reads_them() -> Result<(), CacheError> {
    let app = empty().await;
    let cache = app.service().cache();
    cache.set("text", "it's \"so\"").await?;
    cache.set("number", -5).await?;
    cache.set("truth", true).await?;
    cache.set("object", json!({"a": [1, null]})).await?;
    for (key, stored) in
        [("text", "it's \"so\""), ("number", "-5"), ("truth", "true"), ("object", "{\"a\":[1,null]}")]
    {
        assert_eq!(cache.get::<String>(key).await?.as_deref(), Some(stored));
    }
    app.finish().await;
    Ok(())
}

#[tokio::test]
async fn a_value_expires_after_its_ttl() -> Result<(), CacheError> {
    let app = empty().await;
    let cache = app.service().cache();
    cache.set_for("short", "x", Duration::from_secs(10)).await?;
    cache.set("long", "x").await?;
    assert!(cache.expire("long", Duration::from_secs(20)).await?);
    assert!(!cache.expire("absent", Duration::from_secs(20)).await?);
    app.advance(Duration::from_secs(9)).await;
    assert!(cache.get::<String>("short").await?.is_some());
    app.advance(Duration::from_secs(2)).await;
    assert!(cache.get::<String>("short").await?.is_none());
    assert!(cache.get::<String>("long").await?.is_some());
    app.advance(Duration::from_secs(10)).await;
    assert!(cache.get::<String>("long").await?.is_none());
    assert!(matches!(cache.set_for("k", "x", Duration::ZERO).await, Err(CacheError::Bus(_))));
    app.finish().await;
    Ok(())
}

#[tokio::test]
async fn one_of_many_concurrent_calls_sets_an_absent_key() -> Result<(), CacheError> {
    let app = empty().await;
    let cache = app.service().cache();
    assert!(cache.set_if_absent("k", 1).await?);
    assert!(!cache.set_if_absent("k", 2).await?);
    assert_eq!(cache.get::<u8>("k").await?, Some(1));
    assert!(cache.set_if_absent_for("lock", "me", Duration::from_secs(5)).await?);
    assert!(!cache.set_if_absent_for("lock", "you", Duration::from_secs(5)).await?);
    app.advance(Duration::from_secs(6)).await;
    assert!(cache.set_if_absent_for("lock", "you", Duration::from_secs(5)).await?);
    app.finish().await;
    Ok(())
}

#[tokio::test]
async fn increments_add_up() -> Result<(), CacheError> {
    let app = empty().await;
    let cache = app.service().cache();
    assert_eq!(cache.increment("n", 2).await?, 2);
    assert_eq!(cache.increment("n", -5).await?, -3);
    assert_eq!(cache.get::<i64>("n").await?, Some(-3));
    cache.set("set", 40).await?;
    assert_eq!(cache.increment("set", 2).await?, 42);
    cache.set("word", "hello").await?;
    assert!(matches!(cache.increment("word", 1).await, Err(CacheError::Bus(BusError::Refused { .. }))));
    app.finish().await;
    Ok(())
}

#[tokio::test]
async fn a_value_of_another_type_is_an_error_with_the_key() {
    let app = empty().await;
    let cache = app.service().cache();
    cache.set("word", "hello").await.unwrap();
    let error = cache.get::<u8>("word").await.unwrap_err();
    assert!(error.to_string().contains("\"word\""), "{error}");
    app.finish().await;
}

#[tokio::test]
async fn handlers_of_every_kind_can_take_the_cache() {
    #[on_start]
    async fn warm_up(cache: Cache) -> Result<(), BoxError> {
        cache.set("greeting", "hello").await?;
        Ok(())
    }
    #[action("greeting")]
    async fn greeting(cache: Cache) -> Result<Option<String>, BoxError> {
        Ok(cache.get("greeting").await?)
    }
    #[background("count", 1)]
    async fn count(cache: Cache) -> Result<(), BoxError> {
        cache.increment("runs", 1).await?;
        Ok(())
    }
    let app = TestApp::new(Daebus::new("svc").register(blueprint_of!["b"; warm_up, greeting, count])).await;
    let answer: String = app.caller().send_request("greeting", ()).await.unwrap();
    assert_eq!(answer, "hello");
    app.advance(Duration::from_secs(10)).await;
    assert_eq!(app.service().cache().get::<u8>("runs").await.unwrap(), Some(10));
    app.finish().await;
}
