//! Instances that tests make by hand.

use std::sync::Arc;

use daebus_caller::bus::{Bus, SetOptions};
use daebus_caller::wire::presence::{
    INDEX_TTL, INFO_TTL, MemberChange, MemberEvent, Presence, instance_channel, members_channel,
};
use daebus_caller::{Instance, InstanceId, InstanceState};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Service, success};

/// An instance of the service `svc`, as far as its callers can see.
pub(crate) struct HandMade {
    pub(crate) service: Service,
    pub(crate) info: Instance,
    presence: Presence,
    bus: Arc<dyn Bus>,
}

impl HandMade {
    /// Joins. `answer` returns the replies to a request.
    pub(crate) async fn join(
        bus: &Arc<dyn Bus>,
        id: &str,
        answer: impl Fn(&Value) -> Vec<Value> + Send + 'static,
    ) -> Self {
        let id = InstanceId::new(id).unwrap();
        let info = Instance::new(id.clone(), "svc", Uuid::new_v4());
        let service = Service::start(bus, &instance_channel(&id), answer).await;
        let presence = Presence::new("svc", id, info.run);
        let instance = Self { service, info, presence, bus: bus.clone() };
        instance.write_info().await;
        instance.announce(MemberChange::Joined).await;
        instance
    }

    /// Joins, and answers each request with its own id.
    pub(crate) async fn naming_itself(bus: &Arc<dyn Bus>, id: &str) -> Self {
        let name = json!(id);
        Self::join(bus, id, move |_| vec![success(&name)]).await
    }

    /// Joins, and refuses each request with that code.
    pub(crate) async fn refusing(bus: &Arc<dyn Bus>, id: &str, code: &'static str) -> Self {
        Self::join(bus, id, move |_| vec![refusal(code)]).await
    }

    pub(crate) async fn write_info(&self) {
        let options = SetOptions { ttl: Some(INFO_TTL), only_if_absent: false };
        self.bus.set(self.presence.info_key(), self.info.write(), options).await.unwrap();
        self.bus.refresh(&self.presence, INFO_TTL, INDEX_TTL).await.unwrap();
    }

    pub(crate) async fn announce(&self, event: MemberChange) {
        let event = MemberEvent { event, id: self.info.id.clone(), run: self.info.run, rev: self.info.rev };
        self.bus.publish(&members_channel("svc"), event.write()).await.unwrap();
    }

    pub(crate) async fn drain(&mut self) {
        self.info.state = InstanceState::Draining;
        self.info.rev += 1;
        self.write_info().await;
        self.announce(MemberChange::Draining).await;
    }

    pub(crate) async fn leave(&mut self) {
        self.announce(MemberChange::Left).await;
        self.bus.withdraw(&self.presence).await.unwrap();
        self.service.leave();
    }

    /// The number of requests received since the last call.
    pub(crate) fn received(&mut self) -> usize {
        std::iter::from_fn(|| self.service.heard.try_recv().ok()).count()
    }
}

fn refusal(code: &str) -> Value {
    json!({"status": "error", "payload": {"error": "no", "code": code}, "refused": true, "final": true})
}
