//! The replies of single requests on a real Redis, as a peer sees them.

use std::collections::HashMap;
use std::sync::Arc;

use daebus::prelude::*;
use daebus_caller::bus::{self, Bus, BusUrl, Queue, QueueLimits, QueueReceiver, Subscription, Topic};
use daebus_tests::{RedisServer, within};
use tokio::sync::Semaphore;

#[blueprint("work")]
mod work {
    use super::*;

    /// Reports progress until it has yielded as often as the payload says.
    #[action("count")]
    pub(super) async fn count(Payload(to): Payload<u32>, progress: Progress<u32>) -> Result<u32, BoxError> {
        for at in 0..to {
            progress.send(at).await?;
        }
        Ok(to)
    }

    /// Waits for a permit.
    #[action("wait")]
    pub(super) async fn wait(State(permits): State<Arc<Semaphore>>) -> Result<(), BoxError> {
        permits.acquire().await?.forget();
        Ok(())
    }

    #[action("ready")]
    pub(super) async fn ready() {}
}

/// A peer with an inbox of its own.
struct Peer {
    bus: Arc<dyn Bus>,
    inbox: String,
    replies: QueueReceiver,
    _subscription: Subscription,
}

impl Peer {
    async fn on(redis: &RedisServer, inbox: &str) -> Self {
        let bus = bus::connect(&BusUrl::parse(&redis.url()).unwrap()).await.unwrap();
        let (queue, replies) = Queue::drop_oldest(QueueLimits { messages: 1_000_000, bytes: 1 << 30 });
        let subscription = bus.subscribe(Topic::Channel(inbox.into()), queue).await.unwrap();
        Self { bus, inbox: inbox.to_owned(), replies, _subscription: subscription }
    }

    async fn request(&self, action: &str, payload: impl Into<Value>, id: u32) {
        let payload = payload.into();
        let inbox = &self.inbox;
        let request = json!({"action": action, "payload": payload, "reply_to": inbox, "request_id": id});
        self.bus.publish("work", request.to_string().into()).await.unwrap();
    }

    async fn cancel(&self, id: u32) {
        let cancel =
            json!({"action": "$cancel", "payload": {"request_id": id, "reply_to": &self.inbox}}).to_string();
        self.bus.publish("work", cancel.into()).await.unwrap();
    }

    async fn reply(&mut self) -> Value {
        let reply = within(self.replies.recv()).await.expect("the bus is open");
        serde_json::from_slice(&reply.payload).unwrap()
    }
}

fn id(reply: &Value) -> u32 {
    u32::try_from(reply["request_id"].as_u64().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_request_has_one_final_reply_and_nothing_after_it() {
    const REQUESTS: u32 = 3000;
    let redis = RedisServer::start();
    let app = Daebus::new("work").bus(redis.url()).state(Arc::new(Semaphore::new(0)));
    let service = app.register(work::blueprint()).start().await.unwrap();
    let mut peer = Peer::on(&redis, "caller:peer").await;
    let mut replies: HashMap<u32, Vec<bool>> = HashMap::new();
    for request in 0..REQUESTS {
        peer.request("count", request % 4, request).await;
        peer.cancel(request).await;
        // The distance of the $cancel from the end of the handler varies with the load.
        if request % 100 == 99 {
            while replies.values().filter(|finals| finals.contains(&true)).count() <= request as usize {
                let reply = peer.reply().await;
                replies.entry(id(&reply)).or_default().push(reply["final"] == true);
            }
        }
    }
    service.stop().await.unwrap();
    // Published after the service has left the bus, so it arrives behind all replies.
    let last = json!({"final": true, "request_id": REQUESTS}).to_string();
    peer.bus.publish(&peer.inbox, last.into()).await.unwrap();
    loop {
        let reply = peer.reply().await;
        if id(&reply) == REQUESTS {
            break;
        }
        replies.entry(id(&reply)).or_default().push(reply["final"] == true);
    }
    let wrong: Vec<_> = replies
        .iter()
        .filter(|(_, finals)| finals.iter().position(|is_final| *is_final) != Some(finals.len() - 1))
        .collect();
    let some = &wrong[..wrong.len().min(5)];
    assert!(wrong.is_empty(), "{} of {REQUESTS}; whether each reply is final: {some:?}", wrong.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_ids_of_two_inboxes_do_not_cancel_each_other() {
    let redis = RedisServer::start();
    let permits = Arc::new(Semaphore::new(0));
    let app = Daebus::new("work").bus(redis.url()).state(Arc::clone(&permits));
    let service = app.register(work::blueprint()).start().await.unwrap();
    let mut first = Peer::on(&redis, "caller:first").await;
    let mut second = Peer::on(&redis, "caller:second").await;
    first.request("wait", (), 1).await;
    second.request("wait", (), 1).await;
    first.request("ready", (), 2).await;
    second.request("ready", (), 2).await;
    assert_eq!((id(&first.reply().await), id(&second.reply().await)), (2, 2), "both wait");
    first.cancel(1).await;
    let cancelled = first.reply().await;
    assert_eq!((id(&cancelled), &cancelled["payload"]["code"]), (1, &json!("cancelled")), "{cancelled}");
    permits.add_permits(1);
    let answered = second.reply().await;
    assert_eq!((id(&answered), &answered["status"]), (1, &json!("success")), "{answered}");
    service.stop().await.unwrap();
}
