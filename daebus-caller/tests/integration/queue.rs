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

fn text(payload: &'static str) -> Message {
    Message::new("c", payload)
}

#[tokio::test]
async fn a_closed_queue_ends_after_the_messages_that_wait() {
    let (queue, mut receiver) = Queue::drop_oldest(QueueLimits::default());
    queue.deliver(text("1"));
    receiver.close();
    queue.deliver(text("2"));
    assert_eq!(receiver.recv().await.unwrap().payload, "1");
    assert!(receiver.recv().await.is_none());
    assert!(receiver.recv().await.is_none());
}

#[tokio::test]
async fn a_receiver_wakes_for_each_message_and_for_the_end() {
    let (queue, mut receiver) = Queue::drop_oldest(QueueLimits::default());
    let reader = tokio::spawn(async move {
        let mut read = 0;
        while receiver.recv().await.is_some() {
            read += 1;
        }
        read
    });
    for _ in 0..1000 {
        queue.deliver(text("x"));
        tokio::task::yield_now().await;
    }
    queue.close();
    assert_eq!(reader.await.unwrap(), 1000);
}
