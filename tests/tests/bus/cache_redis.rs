//! The cache on a real Redis, and what a Python service makes of it.

use daebus::prelude::*;
use daebus::{CacheError, Service};
use daebus_tests::{PATIENCE, RedisServer, eventually, python};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

async fn service(server: &RedisServer) -> Service {
    let service = tokio::time::timeout(PATIENCE, Daebus::new("svc").bus(server.url()).start());
    service.await.unwrap().unwrap()
}

#[tokio::test]
async fn the_cache_works_as_in_memory() -> Result<(), CacheError> {
    let server = RedisServer::start();
    let service = service(&server).await;
    let cache = service.cache();
    assert_eq!(cache.get::<String>("k").await?, None);
    cache.set("k", "hello").await?;
    assert_eq!(cache.get::<String>("k").await?.as_deref(), Some("hello"));
    cache.set("user", User { id: 7, name: "Ada".to_owned() }).await?;
    assert_eq!(cache.get::<User>("user").await?, Some(User { id: 7, name: "Ada".to_owned() }));
    assert!(!cache.set_if_absent("k", "other").await?);
    assert!(cache.set_if_absent_for("lock", 1, Duration::from_millis(50)).await?);
    assert!(!cache.set_if_absent_for("lock", 2, Duration::from_millis(50)).await?);
    eventually("the lock is over", async || cache.get::<u8>("lock").await.unwrap().is_none()).await;
    assert_eq!(cache.increment("n", 40).await?, 40);
    assert_eq!(cache.increment("n", 2).await?, 42);
    assert!(matches!(cache.increment("k", 1).await, Err(CacheError::Bus(BusError::Refused { .. }))));
    assert!(cache.expire("n", Duration::from_secs(60)).await?);
    assert!(cache.delete("n").await?);
    assert!(!cache.delete("n").await?);
    assert!(cache.redis().is_some());
    service.stop().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn a_python_client_reads_and_writes_the_same_values() -> Result<(), CacheError> {
    let server = RedisServer::start();
    let service = service(&server).await;
    let cache = service.cache();
    cache.set("text", "it's \"so\"").await?;
    cache.set("number", -5).await?;
    cache.set("object", json!({"a": [1, null]})).await?;
    let script = "
import json, sys, redis
cache = redis.Redis.from_url(sys.argv[1], decode_responses=True)
assert cache.get('text') == 'it\\'s \"so\"', cache.get('text')
assert int(cache.get('number')) == -5
assert json.loads(cache.get('object')) == {'a': [1, None]}
cache.set('k', 'hello')
cache.set('n', 7)
cache.set('j', json.dumps({'id': 7, 'name': 'Ada'}))
cache.incr('number')
";
    let output = python().arg("-c").arg(script).arg(server.url()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(cache.get::<String>("k").await?.as_deref(), Some("hello"));
    assert_eq!(cache.get::<Value>("k").await?, Some(json!("hello")));
    assert_eq!(cache.get::<u8>("n").await?, Some(7));
    assert_eq!(cache.get::<User>("j").await?, Some(User { id: 7, name: "Ada".to_owned() }));
    assert_eq!(cache.get::<i64>("number").await?, Some(-4));
    service.stop().await.unwrap();
    Ok(())
}
