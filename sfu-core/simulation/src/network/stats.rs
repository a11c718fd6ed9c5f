//! What became of the datagrams on a link.

use std::time::{Duration, Instant};

/// The time that delivered bytes are counted in.
const SLOT: Duration = Duration::from_millis(100);

/// Counts of one direction of one peer's path.
#[derive(Debug, Clone)]
pub struct LinkStats {
    origin: Instant,
    /// Datagrams sent, and their bytes.
    pub offered: Count,
    /// Of those, what left for its destination.
    pub delivered: Count,
    /// Of those, what the queue had no room for.
    pub lost_in_queue: Count,
    /// Of those, what was lost at random, by a rule, a partition or an outage.
    pub lost_otherwise: Count,
    /// Bytes by time of departure.
    slots: Vec<u32>,
    /// Milliseconds since the origin, and microseconds in the queue.
    waits: Vec<(u32, u32)>,
    /// When the queue was full, in milliseconds since the origin.
    overflows: Vec<u32>,
}

/// Datagrams and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Datagrams.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Count {
    pub(super) fn add(&mut self, len: usize) {
        self.packets += 1;
        self.bytes += len as u64;
    }
}

impl LinkStats {
    pub(super) fn new(origin: Instant) -> Self {
        Self {
            origin,
            offered: Count::default(),
            delivered: Count::default(),
            lost_in_queue: Count::default(),
            lost_otherwise: Count::default(),
            slots: Vec::new(),
            waits: Vec::new(),
            overflows: Vec::new(),
        }
    }

    pub(super) fn note_delivery(&mut self, now: Instant, departure: Instant, len: usize, is_queued: bool) {
        self.delivered.add(len);
        let slot = ((departure - self.origin).as_millis() / SLOT.as_millis()) as usize;
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, 0);
        }
        self.slots[slot] += len as u32;
        if is_queued {
            self.waits.push((self.ms(now), (departure - now).as_micros() as u32));
        }
    }

    pub(super) fn note_overflow(&mut self, now: Instant, len: usize) {
        self.lost_in_queue.add(len);
        self.overflows.push(self.ms(now));
    }

    /// Bit/s that left in that time, to a tenth of a second.
    pub fn delivered_bps(&self, from: Instant, to: Instant) -> f64 {
        let slot = |at: Instant| ((at - self.origin).as_millis() / SLOT.as_millis()) as usize;
        let (first, end) = (slot(from).min(self.slots.len()), slot(to).min(self.slots.len()));
        let bytes: u64 = self.slots[first..end.max(first)].iter().map(|bytes| u64::from(*bytes)).sum();
        bytes as f64 * 8.0 / (to - from).as_secs_f64()
    }

    /// The time from queueing until departure that `part` (0 to 1) of the datagrams sent in that time had at most. Zero if
    /// none waited.
    pub fn wait_percentile(&self, part: f64, from: Instant, to: Instant) -> Duration {
        let (from, to) = (self.ms(from), self.ms(to));
        let within = self.waits.iter().filter(|(at, _)| (from..to).contains(at));
        let mut waits: Vec<u32> = within.map(|(_, wait)| *wait).collect();
        waits.sort_unstable();
        let index = ((waits.len() as f64 * part) as usize).min(waits.len().saturating_sub(1));
        Duration::from_micros(waits.get(index).copied().unwrap_or(0).into())
    }

    /// Datagrams that the queue had no room for in that time.
    pub fn overflows(&self, from: Instant, to: Instant) -> usize {
        let (from, to) = (self.ms(from), self.ms(to));
        self.overflows.iter().filter(|at| (from..to).contains(at)).count()
    }

    fn ms(&self, at: Instant) -> u32 {
        at.saturating_duration_since(self.origin).as_millis() as u32
    }
}
