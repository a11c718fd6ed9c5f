//! What the delays say: the trendline's suspicion, believed only if a queue is there to be seen.

use super::inter_arrival::InterArrival;
use super::queue_delay::QueueDelay;
use super::trendline::{PathUsage, Trendline};

/// A queue of this many milliseconds that stands, growing or not, is overuse as well: a line through it is flat.
const STANDING_QUEUE_MS: f64 = 70.0;

/// It stands when it is there for this long.
const STANDING_US: i64 = 250_000;

/// A long queue that is longer by so many milliseconds than at the last verdict grows, before the line shows it.
const JUMP_MS: f64 = 10.0;

/// The delay-based detector of one transport.
#[derive(Debug, Clone)]
pub(super) struct DelayBased {
    groups: InterArrival,
    trendline: Trendline,
    queue: QueueDelay,
    /// Whether any group since the last verdict was of a growing queue.
    has_grown: bool,
    newest_arrival_us: Option<i64>,
    standing_since_us: Option<i64>,
    last_queue_ms: f64,
}

impl DelayBased {
    pub(super) fn new() -> Self {
        Self {
            groups: InterArrival::default(),
            trendline: Trendline::new(),
            queue: QueueDelay::default(),
            has_grown: false,
            newest_arrival_us: None,
            standing_since_us: None,
            last_queue_ms: 0.0,
        }
    }

    pub(super) fn handle_packet(&mut self, sent_us: i64, arrival_us: i64) {
        self.newest_arrival_us = Some(self.newest_arrival_us.map_or(arrival_us, |newest| newest.max(arrival_us)));
        self.queue.handle_packet(sent_us, arrival_us);
        if let Some(delta) = self.groups.handle_packet(sent_us, arrival_us) {
            self.trendline.handle_group(delta);
            self.has_grown |= self.trendline.usage() == PathUsage::Overuse;
        }
    }

    /// Works out the queue, once for all packets of a message.
    pub(super) fn measure(&mut self) {
        self.queue.measure();
    }

    /// The verdict on what arrived since the last one. A queue counts from `gate_ms` on. In the shadow of a probe
    /// that looks for a path's rate, the queue that it made is no reason to send less, unless it is a long one.
    pub(super) fn judge(&mut self, gate_ms: f64, is_after_probe: bool) -> PathUsage {
        let queue_ms = self.queue_ms();
        let has_grown = std::mem::take(&mut self.has_grown) && queue_ms >= gate_ms && !is_after_probe;
        let is_long = queue_ms > STANDING_QUEUE_MS.max(2.0 * gate_ms);
        let has_jumped = is_long && queue_ms > self.last_queue_ms + JUMP_MS;
        self.last_queue_ms = queue_ms;
        if has_grown || has_jumped || self.stands(is_long) {
            PathUsage::Overuse
        } else if self.trendline.usage() == PathUsage::Underuse {
            PathUsage::Underuse
        } else {
            PathUsage::Normal
        }
    }

    /// How long packets wait in the path's queue by what was last worked out, in milliseconds.
    pub(super) fn queue_ms(&self) -> f64 {
        self.queue.queue_ms()
    }

    /// From which on that is a queue, in milliseconds, where packets take no time themselves.
    pub(super) fn gate_ms(&self) -> f64 {
        self.queue.gate_ms()
    }

    /// How much later than the earliest packets the others come, in milliseconds, beyond what is usual.
    pub(super) fn jitter_ms(&self) -> f64 {
        self.queue.jitter_ms()
    }

    /// Takes the present delay as that of an empty queue.
    pub(super) fn rebase(&mut self) {
        self.queue.rebase();
        self.standing_since_us = None;
    }

    /// Forgets everything: the path was interrupted.
    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }

    fn stands(&mut self, is_long: bool) -> bool {
        let Some(now_us) = self.newest_arrival_us.filter(|_| is_long) else {
            self.standing_since_us = None;
            return false;
        };
        let since_us = *self.standing_since_us.get_or_insert(now_us);
        now_us.saturating_sub(since_us) >= STANDING_US
    }
}
