//! Flow control: how much each side may send, and whether its peer keeps to it.

use super::error::SessionError;
use crate::wire::Credit;

/// How much a receiver accepts beyond what its application has taken. A window of zero counts as one.
///
/// Defaults to 64 items and 1 MiB: the bytes of ten round trips of 1 ms at 100 MB/s, and items enough for small ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Items.
    pub items: u64,
    /// Bytes of the items' JSON.
    pub bytes: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { items: 64, bytes: 1024 * 1024 }
    }
}

/// The sender's side of a stream.
#[derive(Debug, Default)]
pub(super) struct SendFlow {
    /// The first credit, which is the receiver's window.
    window: Option<Credit>,
    granted: Credit,
    sent: Credit,
}

impl SendFlow {
    /// Applies a credit of the receiver. One that was overtaken by a later one has no effect.
    pub(super) fn grant(&mut self, credit: Credit) {
        self.window.get_or_insert(credit);
        self.granted.items = self.granted.items.max(credit.items);
        self.granted.bytes = self.granted.bytes.max(credit.bytes);
    }

    /// Returns whether an item of that size may be sent now. An item that is larger than the window may be sent if the
    /// receiver has reported that everything before it is taken.
    pub(super) fn may_send(&self, bytes: u64) -> bool {
        let Some(window) = self.window else { return false };
        let has_items = self.sent.items < self.granted.items;
        let has_bytes = self.sent.bytes.saturating_add(bytes) <= self.granted.bytes;
        let all_is_taken = self.sent.items.saturating_add(window.items) <= self.granted.items
            && self.sent.bytes.saturating_add(window.bytes) <= self.granted.bytes;
        has_items && (has_bytes || all_is_taken)
    }

    /// Counts an item. Returns its number.
    pub(super) fn send(&mut self, bytes: u64) -> u64 {
        self.sent.items += 1;
        self.sent.bytes = self.sent.bytes.saturating_add(bytes);
        self.sent.items
    }

    /// Returns the number of the last item.
    pub(super) fn sent(&self) -> u64 {
        self.sent.items
    }
}

/// The receiver's side of a stream.
#[derive(Debug)]
pub(super) struct ReceiveFlow {
    window: Window,
    granted: Credit,
    received: Credit,
    taken: Credit,
}

impl ReceiveFlow {
    /// Grants the window, which the first message reports.
    pub(super) fn new(window: Window) -> Self {
        let window = Window { items: window.items.max(1), bytes: window.bytes.max(1) };
        let granted = Credit { items: window.items, bytes: window.bytes };
        Self { window, granted, received: Credit::default(), taken: Credit::default() }
    }

    /// Counts an item that has arrived.
    pub(super) fn receive(&mut self, seq: u64, bytes: u64) -> Result<(), SessionError> {
        let expected = self.received.items + 1;
        if seq != expected {
            return Err(SessionError::Gap { expected, received: seq });
        }
        let is_only = self.received.items == self.taken.items;
        let total = self.received.bytes.saturating_add(bytes);
        if seq > self.granted.items || total > self.granted.bytes && !is_only {
            return Err(SessionError::Credit { item: seq });
        }
        self.received = Credit { items: seq, bytes: total };
        Ok(())
    }

    /// Checks the number of the last item.
    pub(super) fn end(&self, seq: u64) -> Result<(), SessionError> {
        let received = self.received.items;
        if seq == received { Ok(()) } else { Err(SessionError::Gap { expected: seq, received }) }
    }

    /// Counts an item that the application has taken.
    pub(super) fn take(&mut self, bytes: u64) {
        self.taken.items += 1;
        self.taken.bytes = self.taken.bytes.saturating_add(bytes);
    }

    /// Returns whether a report would grant more than the last one.
    pub(super) fn is_unreported(&self) -> bool {
        self.total() != self.granted
    }

    /// Returns whether a report is worth a message: half of the window is taken and not reported.
    pub(super) fn is_due(&self) -> bool {
        let total = self.total();
        total.items - self.granted.items >= self.window.items.div_ceil(2)
            || total.bytes - self.granted.bytes >= self.window.bytes.div_ceil(2)
    }

    /// Grants what has been taken. Returns the credit to send.
    pub(super) fn report(&mut self) -> Credit {
        self.granted = self.total();
        self.granted
    }

    /// Returns whether the sender may send an item.
    pub(super) fn has_credit(&self) -> bool {
        self.received.items < self.granted.items && self.received.bytes < self.granted.bytes
    }

    fn total(&self) -> Credit {
        Credit {
            items: self.taken.items.saturating_add(self.window.items),
            bytes: self.taken.bytes.saturating_add(self.window.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { items: 4, bytes: 100 };

    fn pair() -> (SendFlow, ReceiveFlow) {
        let (mut send, mut receive) = (SendFlow::default(), ReceiveFlow::new(WINDOW));
        assert!(!send.may_send(0), "nothing is granted");
        send.grant(receive.report());
        (send, receive)
    }

    #[test]
    fn items_and_bytes_are_limited_until_the_receiver_takes_them() {
        let (mut send, mut receive) = pair();
        for seq in 1..=4 {
            assert!(send.may_send(10));
            assert_eq!(send.send(10), seq);
            receive.receive(seq, 10).unwrap();
        }
        assert!(!send.may_send(10), "four items are outstanding");
        assert!(!receive.has_credit());
        receive.take(10);
        assert!(receive.is_unreported() && !receive.is_due());
        receive.take(10);
        assert!(receive.is_due(), "half of the window");
        send.grant(receive.report());
        assert!(!receive.is_unreported());
        assert!(send.may_send(80) && !send.may_send(81));
    }

    #[test]
    fn an_item_larger_than_the_window_is_sent_alone() {
        let (mut send, mut receive) = pair();
        assert!(send.may_send(1000));
        send.send(1000);
        receive.receive(1, 1000).unwrap();
        assert!(!send.may_send(1));
        assert_eq!(receive.receive(2, 1), Err(SessionError::Credit { item: 2 }));
        receive.take(1000);
        assert!(receive.is_due());
        send.grant(receive.report());
        assert!(send.may_send(100), "the whole window is free");
        send.send(1);
        receive.receive(2, 1).unwrap();
        assert!(!send.may_send(1000), "an item is outstanding");
    }

    #[test]
    fn a_window_has_no_maximum() {
        let mut receive = ReceiveFlow::new(Window { items: u64::MAX, bytes: u64::MAX });
        for seq in 1..=2 {
            receive.receive(seq, 10).unwrap();
            receive.take(10);
            assert!(!receive.is_due());
            assert_eq!(receive.report(), Credit { items: u64::MAX, bytes: u64::MAX });
        }
    }

    #[test]
    fn a_gap_a_repetition_and_a_wrong_end_are_errors() {
        let (_, mut receive) = pair();
        receive.receive(1, 1).unwrap();
        assert_eq!(receive.receive(3, 1), Err(SessionError::Gap { expected: 2, received: 3 }));
        assert_eq!(receive.receive(1, 1), Err(SessionError::Gap { expected: 2, received: 1 }));
        assert_eq!(receive.end(1), Ok(()));
        assert_eq!(receive.end(2), Err(SessionError::Gap { expected: 2, received: 1 }));
    }

    #[test]
    fn more_items_or_bytes_than_credit_are_errors() {
        let (_, mut receive) = pair();
        for seq in 1..=4 {
            receive.receive(seq, 1).unwrap();
        }
        assert_eq!(receive.receive(5, 1), Err(SessionError::Credit { item: 5 }));
        let (_, mut receive) = pair();
        receive.receive(1, 60).unwrap();
        assert_eq!(receive.receive(2, 41), Err(SessionError::Credit { item: 2 }));
        receive.receive(2, 40).unwrap();
    }

    #[test]
    fn credits_are_totals_so_a_repeated_or_late_one_grants_nothing() {
        let (mut send, mut receive) = pair();
        for seq in 1..=4 {
            send.send(1);
            receive.receive(seq, 1).unwrap();
            receive.take(1);
        }
        let credit = receive.report();
        send.grant(credit);
        send.grant(credit);
        send.grant(Credit { items: 5, bytes: 1 });
        assert_eq!(send.granted, Credit { items: 8, bytes: 104 });
        send.grant(Credit { items: u64::MAX, bytes: u64::MAX });
        assert!(send.may_send(u64::MAX));
    }

    #[test]
    fn a_window_of_zero_counts_as_one() {
        let mut receive = ReceiveFlow::new(Window { items: 0, bytes: 0 });
        assert_eq!(receive.report(), Credit { items: 1, bytes: 1 });
    }
}
