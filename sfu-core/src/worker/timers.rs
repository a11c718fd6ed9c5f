//! When each transport wants to be served: a heap with lazy deletion, so that a quiet transport costs nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

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

    /// The next deadline; it may be stale.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|&Reverse((at, _))| at)
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
