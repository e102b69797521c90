//! The counters of `$stats` as Prometheus metrics.

use std::collections::BTreeMap;

use super::load::Load;
use crate::blueprint::Registry;
use crate::handler::Core;
use crate::statistics::{Exposition, HandlerSnapshot, MetricType};

/// The counters of all handlers with one kind and name: labels must be unique.
struct MeasuredHandler {
    statistics: HandlerSnapshot,
    in_flight: usize,
}

type MeasuredHandlers = BTreeMap<(&'static str, String), MeasuredHandler>;

pub(super) fn of(core: &Core, registry: &Registry, load: &Load) -> String {
    use MetricType::{Counter, Gauge};
    let handlers = collect(registry);
    let mut text = Exposition::default();
    let version = core.about.version.as_deref().unwrap_or_default();
    let instance = core.identity.id();
    let service =
        [("service", core.service.as_str()), ("instance_id", instance.as_str()), ("version", version)];
    text.family("daebus_service_info", Gauge, "The service; the value is always 1.").sample(&service, 1);
    let started = core.about.started.as_duration().as_secs_f64();
    text.family("daebus_start_time_seconds", Gauge, "Start of the service, in seconds since the Unix epoch.")
        .sample(&[], started);
    of_handlers(&mut text, &handlers);
    of_listeners(&mut text, &handlers);

    let mut queues = text.family("daebus_queue_length", Gauge, "Requests, or refusals, that wait.");
    for (queue, length) in [("intake", load.intake), ("backlog", load.backlog), ("refusals", load.refusals)] {
        queues.sample(&[("queue", queue)], length);
    }
    let help = "Requests that were not run, by the code of the refusal.";
    let mut refused = text.family("daebus_requests_refused_total", Counter, help);
    for (code, count) in &load.refused {
        refused.sample(&[("code", code)], count);
    }
    let help = "Requests that found the intake queue full. They are refused as overloaded as well.";
    text.family("daebus_intake_full_total", Counter, help).sample(&[], load.intake_full);
    let help = "Refusals that found their queue full, so that the caller got no answer.";
    text.family("daebus_refusals_dropped_total", Counter, help).sample(&[], load.refusals_dropped);
    let help = "Final replies that could not be delivered.";
    text.family("daebus_replies_lost_total", Counter, help).sample(&[], core.outbox.lost_replies());
    let help = "Messages that arrived faster than the driver delivered them.";
    text.family("daebus_bus_messages_lost_total", Counter, help).sample(&[], core.bus.lost());
    text.finish()
}

fn collect(registry: &Registry) -> MeasuredHandlers {
    let mut handlers = MeasuredHandlers::new();
    for (kind, name, definition) in registry.named() {
        let (statistics, in_flight) = (definition.statistics.snapshot(), definition.in_flight.count());
        handlers
            .entry((kind, name))
            .and_modify(|handler| {
                handler.statistics.add(&statistics);
                handler.in_flight += in_flight;
            })
            .or_insert(MeasuredHandler { statistics, in_flight });
    }
    handlers
}

fn of_handlers(text: &mut Exposition, handlers: &MeasuredHandlers) {
    let labels = |kind: &'static str, name| [("kind", kind), ("handler", name)];
    let help = "Requests that a handler got, by outcome. Expired ones were not run.";
    let mut requests = text.family("daebus_handler_requests_total", MetricType::Counter, help);
    for ((kind, name), MeasuredHandler { statistics, .. }) in handlers {
        let outcomes = [
            ("success", statistics.successes()),
            ("error", statistics.errors),
            ("panic", statistics.panics),
            ("timeout", statistics.timeouts),
            ("cancelled", statistics.cancelled),
            ("expired", statistics.expired),
        ];
        for (outcome, count) in outcomes {
            let [kind, name] = labels(kind, name);
            requests.sample(&[kind, name, ("outcome", outcome)], count);
        }
    }
    let help = "Duration of a handler's runs that have ended.";
    let mut durations = text.family("daebus_handler_duration_seconds", MetricType::Histogram, help);
    for ((kind, name), MeasuredHandler { statistics, .. }) in handlers {
        durations.histogram(&labels(kind, name), &statistics.durations);
    }
    let help = "Runs of a handler that have begun or wait for their turn.";
    let mut in_flight = text.family("daebus_handler_in_flight", MetricType::Gauge, help);
    for ((kind, name), handler) in handlers {
        in_flight.sample(&labels(kind, name), handler.in_flight);
    }
}

fn of_listeners(text: &mut Exposition, handlers: &MeasuredHandlers) {
    let queues = || {
        let queues = handlers.iter().map(|((_, name), handler)| (name, handler.statistics.queue));
        queues.filter_map(|(name, queue)| Some((name, queue?)))
    };
    let help = "Broadcasts that wait for a listener.";
    let mut lengths = text.family("daebus_listener_queue_length", MetricType::Gauge, help);
    for (channel, (length, _)) in queues() {
        lengths.sample(&[("channel", channel)], length);
    }
    let help = "Broadcasts that were dropped because a listener's queue was full.";
    let mut drops = text.family("daebus_listener_dropped_total", MetricType::Counter, help);
    for (channel, (_, dropped)) in queues() {
        drops.sample(&[("channel", channel)], dropped);
    }
}
