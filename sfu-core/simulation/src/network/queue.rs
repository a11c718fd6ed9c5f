//! A thin place in the network: datagrams wait their turn, and what it carries changes over time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::link::{Depth, Rate};

/// A queue that loses what comes when it is full.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    /// From when on it carries so many bit/s; in order.
    changes: VecDeque<(Instant, u64)>,
    /// What it carries since the last change that is past.
    current: Option<u64>,
    idle_from: Option<Instant>,
    /// When the datagrams that wait will have left, and their bytes.
    waiting: VecDeque<(Instant, usize)>,
    waiting_bytes: usize,
}

impl Queue {
    /// Replaces all changes to come.
    pub(super) fn schedule(&mut self, changes: impl IntoIterator<Item = (Instant, u64)>) {
        self.changes = changes.into_iter().collect();
        self.changes.make_contiguous().sort();
    }

    /// When the datagram will have left. Nothing if the queue is full.
    pub(super) fn push(&mut self, now: Instant, rate: Rate, len: usize) -> Option<Instant> {
        while self.changes.front().is_some_and(|(at, _)| *at <= now) {
            self.current = self.changes.pop_front().map(|(_, rate)| rate);
        }
        while let Some((_, len)) = self.waiting.front().filter(|(at, _)| *at <= now).copied() {
            self.waiting.pop_front();
            self.waiting_bytes -= len;
        }
        let start = self.idle_from.map_or(now, |at| at.max(now));
        let is_full = match rate.depth {
            Depth::Bytes(bytes) => self.waiting_bytes + len > bytes,
            Depth::Time(time) => start - now > time,
        };
        if is_full {
            return None;
        }
        let departure = self.departure(start, self.current.unwrap_or(rate.bits_per_second), len)?;
        self.idle_from = Some(departure);
        self.waiting.push_back((departure, len));
        self.waiting_bytes += len;
        Some(departure)
    }

    /// When `len` bytes have passed from `start` on, through the changes to come. Never, if it carries nothing any more.
    fn departure(&self, start: Instant, current: u64, len: usize) -> Option<Instant> {
        let (mut at, mut rate, mut bits) = (start, current, len as f64 * 8.0);
        for (change, next) in &self.changes {
            if *change > at {
                let passed = rate as f64 * (*change - at).as_secs_f64();
                if passed >= bits {
                    break;
                }
                bits -= passed;
                at = *change;
            }
            rate = *next;
        }
        (rate > 0).then(|| at + Duration::from_secs_f64(bits / rate as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::origin;

    const RATE: Rate = Rate { bits_per_second: 8_000, depth: Depth::Bytes(3_000) };

    #[test]
    fn datagrams_leave_one_after_the_other_and_too_many_are_lost() {
        let (now, mut queue) = (origin(), Queue::default());
        let left: Vec<_> = (0..4).map(|_| queue.push(now, RATE, 1000).map(|at| at - now)).collect();
        assert_eq!(left, [1, 2, 3].map(|s| Some(Duration::from_secs(s))).into_iter().chain([None]).collect::<Vec<_>>());
        assert!(queue.push(now + Duration::from_secs(1), RATE, 1000).is_some());
        let short = Rate { depth: Depth::Time(Duration::from_secs(2)), ..RATE };
        assert_eq!(queue.push(now + Duration::from_secs(1), short, 1), None, "three seconds wait");
    }

    #[test]
    fn a_datagram_is_carried_through_changes_of_the_rate() {
        let (now, mut queue) = (origin(), Queue::default());
        let at = |ms| now + Duration::from_millis(ms);
        queue.schedule([(at(500), 0), (at(700), 80_000), (at(900), 0)]);
        assert_eq!(
            queue.push(now, RATE, 1000),
            Some(at(750)),
            "half before, nothing for 200 ms, half ten times as fast"
        );
        assert_eq!(queue.push(now, RATE, 1500), Some(at(900)));
        assert_eq!(queue.push(now, RATE, 1), None, "nothing passes any more");
    }
}
