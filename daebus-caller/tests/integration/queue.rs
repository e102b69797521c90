//! The memory of a queue is given back: what was received or dropped doesn't count towards the limits any more.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use daebus_caller::bus::{Deliver, Message, Queue, QueueLimits};

fn message(bytes: usize) -> Message {
    Message::new("c", vec![0; bytes])
}

#[test]
fn received_messages_do_not_count_towards_the_byte_limit() {
    let (refuse, take) = Queue::refuse(QueueLimits::default(), |_| {});
    let (drop_oldest, keep) = Queue::drop_oldest(QueueLimits::default());
    let large = message(1 << 20);
    for (queue, mut receiver) in [(refuse, take), (drop_oldest, keep)] {
        // An empty queue takes a message of any size, so one always waits.
        queue.deliver(large.clone());
        for total in 0..2 * QueueLimits::default().bytes / large.payload.len() {
            queue.deliver(large.clone());
            receiver.try_recv().expect("a message waits");
            assert_eq!((receiver.len(), receiver.dropped()), (1, 0), "after {total} MiB");
        }
    }
}

#[test]
fn dropped_messages_do_not_count_towards_the_byte_limit() {
    let limits = QueueLimits { messages: 4, bytes: 2000 };
    let (queue, mut receiver) = Queue::drop_oldest(limits);
    for _ in 0..1000 {
        queue.deliver(message(200));
    }
    assert_eq!((receiver.len(), receiver.dropped()), (4, 996));
    while receiver.try_recv().is_some() {}
    queue.deliver(message(400));
    queue.deliver(message(400));
    assert_eq!((receiver.len(), receiver.dropped()), (2, 996));
}
