//! Listeners that start and stop while the service runs.

mod guard;
mod handler;

use std::any::type_name_of_val;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use daebus_caller::bus::Topic;
use daebus_caller::wire::Channel;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

pub use guard::EventGuard;
pub use handler::EventHandler;

use crate::dispatch::{HandlerLimits, listen};
use crate::handler::extract::{Extract, Payload};
use crate::handler::kind::{Kind, Listen};
use crate::handler::{Context, Core, Definition, Endpoint, Failure, Needs, Source};
use crate::presence::Join;
use crate::runtime::Workers;

/// Starts listeners on channels whose names are determined at run time.
///
/// An argument of any handler. Outside of handlers, [`Service::events`](crate::Service::events) and
/// [`FeatureContext::events`](crate::FeatureContext::events) return it.
///
/// ```
/// use daebus::prelude::*;
///
/// /// Listens to one more room, until the service stops.
/// #[action("watch_room")]
/// async fn watch_room(Payload(room): Payload<String>, events: Events) {
///     let channel = format!("rooms.{room}");
///     events.listen::<Value>(&channel, move |event| {
///         let room = room.clone();
///         async move { println!("{room}: {event}") }
///     })
///     .keep();
/// }
/// ```
#[derive(Clone)]
pub struct Events {
    core: Arc<Core>,
    desk: Desk,
}

/// The limits and workers of listeners. Extractors get them from the core.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    limits: HandlerLimits,
    workers: Workers,
}

impl Desk {
    pub(crate) fn new(limits: HandlerLimits, workers: Workers) -> Self {
        Self { limits, workers }
    }
}

impl Events {
    pub(crate) fn new(core: &Arc<Core>) -> Result<Self, Failure> {
        let missing = || Failure::internal("this service provides no events");
        let desk = core.provided.get::<Desk>().cloned().ok_or_else(missing)?;
        Ok(Self { core: Arc::clone(core), desk })
    }

    /// Starts a listener on a channel, or on all channels that match a Redis pattern (`sensor.*`). The listener runs until the
    /// guard is dropped or the service stops.
    ///
    /// The handler is an async function that takes the payload and returns `()` or a `Result`. It handles one message at a
    /// time, in order, within the time limit and the size limit of the service. Errors are logged.
    ///
    /// This method returns immediately and never fails. If the bus is away, the listener subscribes once the bus is back. If
    /// the bus refuses the subscription, the refusal is logged once and the subscription is retried. After a reconnect, the bus
    /// restores it. [`EventGuard::confirmed`] waits for the subscription. An invalid channel is logged as an error, and the
    /// listener receives nothing.
    #[track_caller]
    pub fn listen<T>(&self, channel_or_pattern: &str, handler: impl EventHandler<T>) -> EventGuard
    where
        T: DeserializeOwned + Send + 'static,
    {
        let at = Location::caller();
        let source = Source::new(type_name_of_val(&handler), "", at.file(), at.line());
        let ended = CancellationToken::new();
        let (confirm, confirmed) = watch::channel(false);
        let guard = EventGuard::new(ended.clone(), confirmed);
        if let Err(error) = Channel::new(channel_or_pattern) {
            error!(%source, "invalid channel: {error}");
            return guard;
        }
        let (handler, workers) = (Arc::new(handler), self.desk.workers.clone());
        let run = move |mut cx: Context| {
            let (handler, workers) = (Arc::clone(&handler), workers.clone());
            async move {
                let _entered = workers.enter(source.to_string());
                let Payload(event) = <Payload<T> as Extract<Listen>>::extract(&mut cx).await?;
                drop(cx);
                handler.handle(event).await
            }
        };
        let topic = Topic::parse(channel_or_pattern);
        let definition = Definition::new(source, Needs::default());
        let endpoint = Arc::new(Endpoint::new(definition.one_at_a_time().mounted(), run));
        let (core, Desk { limits, workers }) = (Arc::clone(&self.core), self.desk.clone());
        self.desk.workers.spawn(async move {
            let how = (Join::WhenAvailable, ended.clone());
            let listening = listen(Arc::clone(&core), topic, endpoint, limits, workers, how);
            // An error means that the service stopped before the bus was available.
            let Some(Ok(intake)) = ended.run_until_cancelled(listening).await else { return };
            confirm.send_replace(true);
            // If the guard is dropped, waiting messages are dropped; if the service stops, they are handled.
            if ended.run_until_cancelled(core.shutdown.requested()).await.is_some() {
                intake.leave().await;
            }
        });
        guard
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("service", &self.core.service).finish_non_exhaustive()
    }
}

impl<K: Kind> Extract<K> for Events {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Self::new(&cx.core)
    }
}
