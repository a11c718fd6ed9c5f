//! When packets leave: a key frame must not enter a thin link as one burst.
//!
//! A leaky bucket for each receiving transport, with one queue for each [`Class`]. It fills with a multiple of the estimated
//! bandwidth, so that it smooths bursts but never limits a stream: that is the allocation's task. Nothing waits longer than
//! [`DRAIN_WITHIN`], whatever comes.

mod bucket;
mod probe_sender;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bucket::Bucket;
pub use probe_sender::{PROBE_GRACE, ProbeSender};

/// The pacing rate is this multiple of the estimate, as a fraction: 2.5. Enough that an estimate that is too low delays nothing
/// for long, little enough that a key frame of ten times a frame's size spreads over several frames' time.
pub const PACING_MULTIPLE: (u64, u64) = (5, 2);

/// The lowest pacing rate, whatever the estimate: a packet of 1200 bytes in 64 ms.
pub const MIN_PACING_BPS: u64 = 150_000;

/// Nothing waits for longer. The rate is raised so that what is queued leaves within it: above it a receiver's jitter buffer
/// would show the wait as a freeze, and a repeat would be asked for again.
pub const DRAIN_WITHIN: Duration = Duration::from_millis(250);

/// What may leave at once after a pause, in time at the pacing rate: 50 ms at the estimate, which is more than a frame's.
pub const BURST: Duration = Duration::from_millis(20);

/// What may leave at once after a pause at the least, in bytes: five packets, an ordinary frame of a camera on a thin link.
pub const MIN_BURST_BYTES: usize = 6000;

/// Timers are no finer: a wake-up costs more than a few packets' delay.
pub const TICK: Duration = Duration::from_millis(1);

/// Packets waiting in one pacer at most: 250 ms of 75 Mbit/s in packets of 1200 bytes. At the limit the sender sends at once,
/// unpaced.
pub const MAX_QUEUED: usize = 2000;

/// What a waiting packet is, in the order of leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An answer to a NACK, for which a decoder waits.
    Retransmission,
    /// A frame's packet.
    Video,
}

/// [`MAX_QUEUED`] packets wait already: send at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_QUEUED} packets wait for this transport's bandwidth already")]
pub struct PacerFull;

/// Paces one transport's packets, of which it keeps references `T`.
#[derive(Debug)]
pub struct Pacer<T> {
    /// `None`: nothing is known of the path, nothing is paced.
    bucket: Option<Bucket>,
    retransmissions: VecDeque<Waiting<T>>,
    video: VecDeque<Waiting<T>>,
    queued_bytes: usize,
    last_pop: Option<Instant>,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    bytes: usize,
    since: Instant,
}

impl<T: Copy> Default for Pacer<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> Pacer<T> {
    /// An empty pacer that lets everything through until it is told a rate.
    pub fn new() -> Self {
        Self { bucket: None, retransmissions: VecDeque::new(), video: VecDeque::new(), queued_bytes: 0, last_pop: None }
    }

    /// What the path is estimated to carry, in bits per second; `None`: no pacing at all, and what waits is due.
    pub fn set_rate(&mut self, now: Instant, estimate_bps: Option<u64>) {
        self.refill(now);
        let Some(estimate_bps) = estimate_bps else {
            self.bucket = None;
            return;
        };
        let (times, of) = PACING_MULTIPLE;
        let rate_bps = (estimate_bps.saturating_mul(times) / of).max(MIN_PACING_BPS);
        match &mut self.bucket {
            Some(bucket) => bucket.set_rate(rate_bps),
            None => self.bucket = Some(Bucket::full(now, rate_bps)),
        }
    }

    /// The fast path: true if nothing waits and the burst allowance covers `bytes`, which are then counted as sent. When false,
    /// [`Pacer::push`].
    #[inline]
    pub fn try_send(&mut self, now: Instant, bytes: usize) -> bool {
        if !self.is_empty() {
            return false;
        }
        self.refill(now);
        self.bucket.as_mut().is_none_or(|bucket| bucket.try_take(bytes))
    }

    /// Counts what is never delayed: audio, RTCP, probes. Video makes room for it.
    pub fn account(&mut self, now: Instant, bytes: usize) {
        self.refill(now);
        if let Some(bucket) = &mut self.bucket {
            bucket.take(bytes);
        }
    }

    /// Queues a packet.
    ///
    /// # Errors
    /// [`PacerFull`] at [`MAX_QUEUED`]; nothing is kept then.
    pub fn push(&mut self, now: Instant, class: Class, item: T, bytes: usize) -> Result<(), PacerFull> {
        if self.queued_packets() >= MAX_QUEUED {
            return Err(PacerFull);
        }
        // The time before now is measured by what was queued then.
        self.refill(now);
        let queue = match class {
            Class::Retransmission => &mut self.retransmissions,
            Class::Video => &mut self.video,
        };
        queue.push_back(Waiting { item, bytes, since: now });
        self.queued_bytes = self.queued_bytes.saturating_add(bytes);
        Ok(())
    }

    /// The next packet that is due, with its bytes, counted as sent. `None`: nothing is due before [`Pacer::poll_timeout`].
    pub fn pop(&mut self, now: Instant) -> Option<(T, usize)> {
        self.last_pop = Some(now);
        self.refill(now);
        let class = self.due_class(now)?;
        let queue = match class {
            Class::Retransmission => &mut self.retransmissions,
            Class::Video => &mut self.video,
        };
        let Waiting { item, bytes, .. } = queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        if let Some(bucket) = &mut self.bucket {
            bucket.take(bytes);
        }
        Some((item, bytes))
    }

    /// When to call [`Pacer::pop`] again: at the earliest a [`TICK`] after the last time. `None`: nothing waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = self.next()?;
        let oldest = self.oldest_since()?;
        let due = match &self.bucket {
            None => oldest,
            Some(bucket) => {
                bucket.available_at(next.bytes, self.drain_bps(bucket.updated_at())).min(oldest + DRAIN_WITHIN)
            }
        };
        Some(self.last_pop.map_or(due, |last| due.max(last + TICK)))
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.retransmissions.is_empty() && self.video.is_empty()
    }

    /// How many packets wait.
    pub fn queued_packets(&self) -> usize {
        self.retransmissions.len() + self.video.len()
    }

    /// How many bytes wait.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// How long the oldest packet has been waiting; zero when none is.
    pub fn oldest_wait(&self, now: Instant) -> Duration {
        self.oldest_since().map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Forgets the waiting packets for which `keep` is false: those of a consumer that was closed. Takes time for each waiting
    /// packet.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let mut forgotten = 0;
        for queue in [&mut self.retransmissions, &mut self.video] {
            queue.retain(|waiting| {
                let kept = keep(&waiting.item);
                if !kept {
                    forgotten += waiting.bytes;
                }
                kept
            });
        }
        self.queued_bytes = self.queued_bytes.saturating_sub(forgotten);
    }

    /// Which queue's head may leave at `now`.
    fn due_class(&self, now: Instant) -> Option<Class> {
        let next = self.next()?;
        if self.bucket.as_ref().is_none_or(|bucket| bucket.has(next.bytes)) {
            let is_retransmission = !self.retransmissions.is_empty();
            return Some(if is_retransmission { Class::Retransmission } else { Class::Video });
        }
        let is_overdue = |queue: &VecDeque<Waiting<T>>| {
            queue.front().is_some_and(|waiting| now.saturating_duration_since(waiting.since) >= DRAIN_WITHIN)
        };
        if is_overdue(&self.retransmissions) {
            Some(Class::Retransmission)
        } else if is_overdue(&self.video) {
            Some(Class::Video)
        } else {
            None
        }
    }

    /// The packet that leaves next while nothing is overdue.
    fn next(&self) -> Option<&Waiting<T>> {
        self.retransmissions.front().or_else(|| self.video.front())
    }

    fn oldest_since(&self) -> Option<Instant> {
        let heads = [self.retransmissions.front(), self.video.front()];
        heads.into_iter().flatten().map(|waiting| waiting.since).min()
    }

    fn refill(&mut self, now: Instant) {
        let Some(updated_at) = self.bucket.as_ref().map(Bucket::updated_at) else { return };
        // A frame's packets come at once.
        if now <= updated_at {
            return;
        }
        let drain_bps = self.drain_bps(updated_at);
        if let Some(bucket) = &mut self.bucket {
            bucket.refill(now, drain_bps);
        }
    }

    /// The rate at which everything that waits leaves before the oldest has waited for [`DRAIN_WITHIN`].
    fn drain_bps(&self, now: Instant) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let left = DRAIN_WITHIN.saturating_sub(self.oldest_wait(now)).max(TICK);
        (self.queued_bytes as u64).saturating_mul(8_000_000) / left.as_micros() as u64
    }
}

#[cfg(test)]
mod tests;
