//! When each transport and router wants to be served: a heap with lazy deletion, so that a quiet transport costs nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::core::{ProducerKey, RouterKey, TransportKey};

/// What a deadline is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    Transport(TransportKey),
    Router(RouterKey),
    /// Packets of this producer that were gathered, or that consumers hold.
    Producer(ProducerKey),
}

/// Deadlines by key. A key has at most one that counts, kept by its owner as `armed`; earlier ones left in the heap are
/// stale and skipped when they come up.
#[derive(Debug)]
pub(super) struct Timers<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Ord + Copy> Timers<K> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new() }
    }

    /// Wakes `key` at `at`, unless `armed` says that it wakes earlier anyway.
    pub(super) fn arm(&mut self, key: K, armed: &mut Option<Instant>, at: Instant) {
        if armed.is_none_or(|armed| at < armed) {
            *armed = Some(at);
            self.heap.push(Reverse((at, key)));
        }
    }

    /// The next deadline, and whose; it may be stale.
    pub(super) fn next(&self) -> Option<(Instant, K)> {
        self.heap.peek().map(|&Reverse(next)| next)
    }

    /// A key whose deadline is due. It counts only if it equals what the key's owner has armed.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        let &Reverse((at, key)) = self.heap.peek()?;
        (at <= now).then(|| {
            self.heap.pop();
            (at, key)
        })
    }

    /// Entries, stale ones too.
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Drops the entries that `counts` says no to.
    pub(super) fn retain(&mut self, mut counts: impl FnMut(Instant, K) -> bool) {
        self.heap.retain(|&Reverse((at, key))| counts(at, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    /// What a transport's owner would serve at `now`.
    fn served(timers: &mut Timers<u8>, armed: &mut [Option<Instant>], now: Instant) -> Vec<u8> {
        let mut served = Vec::new();
        while let Some((at, key)) = timers.pop_due(now) {
            let armed = &mut armed[usize::from(key)];
            if *armed == Some(at) {
                *armed = None;
                served.push(key);
            }
        }
        served
    }

    #[test]
    fn a_key_is_served_once_at_the_earliest_of_its_deadlines() {
        let (mut timers, mut armed, start) = (Timers::<u8>::new(), [None; 2], origin());
        timers.arm(0, &mut armed[0], start + ms(50));
        timers.arm(1, &mut armed[1], start + ms(30));
        timers.arm(0, &mut armed[0], start + ms(10));
        timers.arm(0, &mut armed[0], start + ms(20));
        assert_eq!(timers.next(), Some((start + ms(10), 0)));
        assert_eq!(served(&mut timers, &mut armed, start + ms(9)), [0_u8; 0]);
        assert_eq!(served(&mut timers, &mut armed, start + ms(10)), [0]);
        assert_eq!(served(&mut timers, &mut armed, start + ms(100)), [1], "the entry of 50 ms was stale");
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_sweep_leaves_what_counts() {
        let (mut timers, mut armed, start) = (Timers::<u8>::new(), [None; 1], origin());
        for step in (1..=100).rev() {
            timers.arm(0, &mut armed[0], start + ms(step));
        }
        assert_eq!(timers.len(), 100);
        timers.retain(|at, key| armed[usize::from(key)] == Some(at));
        assert_eq!((timers.len(), timers.next()), (1, Some((start + ms(1), 0))));
    }
}
