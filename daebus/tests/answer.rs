//! The runtime on the in-process bus, with hand-written blueprints.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus::prelude::*;

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

async fn count(State(counter): State<Arc<AtomicUsize>>) -> Json<usize> {
    Json(counter.fetch_add(1, Ordering::SeqCst) + 1)
}

#[tokio::test]
async fn an_action_answers() -> Result<(), BoxError> {
    let service = Daebus::new("svc")
        .bus("memory://an_action_answers")
        .state(Arc::new(AtomicUsize::new(0)))
        .register(Blueprint::new("b").action("echo", echo).action("count", count))
        .start()
        .await?;
    let caller = service.callers().to("svc");
    let answer: Value = caller.send_request("echo", json!({"a": [1, null]})).await?;
    assert_eq!(answer, json!({"a": [1, null]}));
    let first: usize = caller.send_request("count", ()).await?;
    assert_eq!(first, 1);
    service.stop().await?;
    Ok(())
}
