//! What holds for a caller on whichever bus. Included by the tests of this crate and by those on a real Redis.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::{Bus, Outbox, Queue, QueueLimits, Subscription, Topic};
use daebus_tests_support::next;
pub(crate) use daebus_tests_support::{eventually, within};
use serde_json::{Value, json};
use tokio::sync::mpsc;

mod calls;
mod channels;
mod ends;
mod errors;
mod hand_made;
mod instances;
mod progress;

pub(crate) use calls::*;
pub(crate) use channels::*;
pub(crate) use ends::*;
pub(crate) use errors::*;
pub(crate) use hand_made::*;
pub(crate) use instances::*;
pub(crate) use progress::*;

/// Long enough for anything that is going to happen at all.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

/// Three users of one bus, each with a connection of its own.
pub(crate) struct Ground {
    pub(crate) service: Arc<dyn Bus>,
    pub(crate) caller: Arc<dyn Bus>,
    pub(crate) monitor: Arc<dyn Bus>,
    /// Where the bus is, for `Caller::connect`.
    pub(crate) url: String,
    /// What has to live as long as the test.
    pub(crate) _server: Box<dyn Any + Send>,
}

/// The list of tests; `$ground` makes a fresh [`Ground`].
#[macro_export]
macro_rules! caller_suite {
    ($ground:path) => {
        $crate::caller_suite! { $ground:
            an_answer_is_read_as_what_is_asked_for,
            an_answer_of_type_unit_accepts_anything,
            the_request_says_what_the_protocol_wants,
            concurrent_calls_get_their_own_answers,
            callers_of_other_services_share_the_inbox,
            a_call_is_made_when_it_is_awaited_and_not_before,
            a_call_waits_no_longer_than_the_handler_around_it,
            a_call_carries_the_trace_of_the_handler_around_it,
            a_job_runs_in_the_background,
            retries_stop_at_the_first_answer,
            retries_leave_alone_what_may_have_run,
            retries_leave_alone_a_forwarded_refusal,
            errors_are_told_apart,
            a_typed_error_reaches_its_caller,
            an_answer_that_does_not_fit_names_the_field,
            a_payload_that_is_no_json_is_not_sent,
            a_name_that_can_be_no_service_is_told_by_the_call,
            rubbish_in_the_inbox_hurts_nobody,
            nobody_there_is_known_at_once,
            nobody_but_a_monitor_is_known_after_a_quarter_second,
            a_service_that_leaves_while_it_works_is_waited_for,
            time_runs_out_and_a_late_reply_is_ignored,
            a_dropped_call_is_taken_back,
            an_aborted_job_is_taken_back,
            an_answered_call_is_not_taken_back,
            closing_ends_calls_and_listenings,
            closing_a_shared_bus_s_caller_leaves_the_bus,
            dropping_every_caller_disconnects,
            progress_comes_in_order_and_before_the_answer,
            progress_is_a_stream_with_the_answer_at_its_end,
            progress_that_can_not_be_read_never_fails_the_call,
            progress_that_nobody_reads_is_bounded,
            messages_reach_channels_and_patterns,
            broadcasts_that_can_not_be_read_are_counted,
            one_way_messages_are_as_python_writes_them,
            calls_are_distributed_round_robin,
            members_follow_joins_drains_and_leaves,
            an_instance_can_be_named,
            equal_keys_reach_the_same_instance,
            the_least_busy_instance_is_selected,
            a_refused_call_goes_to_another_instance,
            a_call_is_refused_by_three_instances_at_most,
            an_unknown_action_finally_goes_to_the_services_own_channel,
            an_instance_whose_channel_has_no_receiver_is_skipped,
            calls_to_an_instance_that_left_fail_within_a_second,
            an_answer_shortly_after_the_instance_left_still_counts,
            idempotent_calls_of_a_lost_instance_are_made_elsewhere,
            another_run_ends_the_calls_of_the_one_before_it,
            all_instances_can_be_called,
            a_number_of_instances_can_be_waited_for,
            a_dropped_call_is_cancelled_at_its_instance,
        }
    };
    ($ground:path: $($test:ident,)*) => {
        $(#[tokio::test]
        async fn $test() {
            suite::within(suite::$test($ground().await)).await;
        })*
    };
}

/// A service as small as can be: hears requests on its channel and answers each with what a function says.
pub(crate) struct Service {
    /// Every message that arrived, as it arrived.
    pub(crate) heard: mpsc::UnboundedReceiver<Value>,
    subscription: Option<Subscription>,
    _loop: Aborted,
}

impl Service {
    /// `answer` gives the replies to a request, without their ids.
    pub(crate) async fn start(
        bus: &Arc<dyn Bus>,
        name: &str,
        answer: impl Fn(&Value) -> Vec<Value> + Send + 'static,
    ) -> Self {
        Self::start_slow(bus, name, move |request| {
            let replies = answer(&request);
            async move { replies }
        })
        .await
    }

    /// `answer` takes its time; requests run beside one another.
    pub(crate) async fn start_slow<F: Future<Output = Vec<Value>> + Send + 'static>(
        bus: &Arc<dyn Bus>,
        name: &str,
        answer: impl Fn(Value) -> F + Send + 'static,
    ) -> Self {
        let (queue, mut receiver) = Queue::drop_oldest(QueueLimits::default());
        let subscription = bus.subscribe(Topic::Channel(name.into()), queue).await.unwrap();
        let (tell, heard) = mpsc::unbounded_channel();
        let outbox = Outbox::new(bus.clone());
        let answering = tokio::spawn(async move {
            while let Some(message) = receiver.recv().await {
                // A batch arrives on an instance's own channel.
                let requests = match serde_json::from_slice(&message.payload).unwrap() {
                    Value::Array(requests) => requests,
                    request => vec![request],
                };
                for request in requests {
                    let _ = tell.send(request.clone());
                    let Some(reply_to) = request["reply_to"].as_str().map(str::to_owned) else { continue };
                    let (outbox, id, replies) =
                        (outbox.clone(), request["request_id"].clone(), answer(request));
                    tokio::spawn(async move {
                        for mut reply in replies.await {
                            // Text is published as it is, so that a test can send invalid JSON.
                            let message = if let Some(text) = reply.as_str() {
                                text.to_owned()
                            } else {
                                reply["request_id"] = id.clone();
                                reply.to_string()
                            };
                            outbox.publish(&reply_to, message.into(), BOUND).await.unwrap();
                        }
                    });
                }
            }
        });
        Self { heard, subscription: Some(subscription), _loop: Aborted(answering) }
    }

    /// Leaves the channel; what was heard is still answered.
    pub(crate) fn leave(&mut self) {
        self.subscription = None;
    }

    /// The next message, which must come.
    pub(crate) async fn next(&mut self) -> Value {
        next(&mut self.heard).await
    }
}

struct Aborted(tokio::task::JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A final reply with that payload.
pub(crate) fn success(payload: &Value) -> Value {
    json!({"status": "success", "payload": payload, "final": true})
}

/// Answers with the request's own payload.
pub(crate) fn echo(request: &Value) -> Vec<Value> {
    vec![success(&request["payload"])]
}

/// Never answers.
pub(crate) fn silence(_: &Value) -> Vec<Value> {
    Vec::new()
}
