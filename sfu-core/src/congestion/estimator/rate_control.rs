//! The rate that the delays allow: additive increase near the rate of the last congestion, multiplicative far from it,
//! and a decrease to below what arrives when the queue grows (draft-ietf-rmcat-gcc-02, section 5.5). Unlike the
//! draft, a decrease also takes out what already stands in the queue, and the rate returns once it has drained.

use std::time::{Duration, Instant};

use super::trendline::PathUsage;

/// What remains of the arriving rate at a decrease.
const BACK_OFF: f64 = 0.91;

/// And of the unused part of the rate, of which congestion says less. Both are shares of what one has, whatever part is used, but for
/// [`HARDLY_USED`]: whoever share a path all lose in proportion and grow alike, which is what leads them to equal parts (Chiu and Jain,
/// 1989).
const UNUSED_BACK_OFF: f64 = 0.4;

/// Nothing of it remains when the queue is longer than this: its room is spoken for.
const UNUSED_UNTIL_MS: f64 = 90.0;

/// Sending less than this share of the rate is using next to nothing of it, so that what arrives is no measure of the path: such as
/// when a probe has found it, and there is only sound as yet.
const HARDLY_USED: f64 = 0.4;

/// Growth in one response time, far from the last congestion (draft, section 5.5: 1.08 a second at most; a response
/// time is when the effect of a step is known).
const MULTIPLICATIVE: f64 = 1.08;

/// The same once there has been congestion, as a share of it: probes find a path that has become wider, and growth
/// beyond what a competitor's is takes its share away.
const LATER_PACE: f64 = 0.5;

/// Near it: this many bits in one response time, one and a half packets', or this share of the rate in a second, whichever is more.
/// The share keeps the way back from a decrease under ten seconds on fast paths.
const ADDITIVE_BITS: f64 = 14_400.0;
const ADDITIVE_SHARE: f64 = 0.015;

/// Time beyond the round trip until the effect of a change is known: feedback comes every 50 to 100 ms.
const FEEDBACK_DELAY: Duration = Duration::from_millis(100);

/// The rate grows to what arrives and half as much, within these bounds (section 5.5: unused room is unproven), and on fast paths
/// by [`HEADROOM_SHARE`], for rates waver in proportion. The lower bound is a step of a small layer's. The upper one is about a larger
/// layer's: of two who share a path the one with more is not to have more room than the other, or it holds on to its steps at each
/// congestion, and the other, who loses them, never gets there. Larger steps are found by probes.
const HEADROOM_BPS: (f64, f64) = (300_000.0, 450_000.0);
const HEADROOM_OF_LITTLE: f64 = 0.5;
const HEADROOM_SHARE: f64 = 0.2;

/// A queue of this many milliseconds is drained faster than by the usual back-off.
const DRAIN_FROM_MS: f64 = 30.0;

/// Nothing is raised while a queue is longer than this beyond the usual, though it does not grow: on a thin path it is full.
const LONG_QUEUE_MS: f64 = 70.0;

/// It is to be empty after so many milliseconds, unless that would take more than [`MAX_DRAIN`] of the rate.
const DRAIN_TIME_MS: f64 = 600.0;
const MAX_DRAIN: f64 = 0.75;

/// A queue that is below this share of its peak is being drained.
const FALLING: f64 = 0.85;

/// Sending more than this multiple of what arrives drains no queue.
const OVERSENT: f64 = 0.95;

/// What the rate control knows when it is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    pub(super) usage: PathUsage,
    pub(super) queue_ms: f64,
    /// Bytes that were sent and not acknowledged.
    pub(super) in_flight_bytes: f64,
    /// When the newest acknowledged packet was sent.
    pub(super) acknowledged_at: Instant,
    /// From which on a queue is one.
    pub(super) gate_ms: f64,
    /// What arrives, over half a second and over a short time.
    pub(super) acknowledged_bps: Option<u64>,
    pub(super) short_acknowledged_bps: Option<u64>,
    /// The share that the path loses at any rate.
    pub(super) inherent_loss: f64,
    /// What was sent of late.
    pub(super) sent_bps: u64,
    pub(super) rtt: Duration,
    /// The shortest round trip seen.
    pub(super) least_rtt: Duration,
}

/// The delay-based rate.
#[derive(Debug, Clone)]
pub(super) struct RateControl {
    target_bps: f64,
    min_bps: f64,
    max_bps: f64,
    last_increase: Option<Instant>,
    last_decrease: Option<Instant>,
    drain: Option<Drain>,
    capacity: Capacity,
}

#[derive(Debug, Clone, Copy)]
struct Drain {
    measured_bps: f64,
    resume_bps: f64,
    began: Instant,
    /// By then the queue should be gone, or shorter than its peak since it was last looked at.
    until: Instant,
    peak_ms: f64,
}

/// What the caller has to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Kept,
    Decreased,
    /// The queue did not drain in its time: it is not ours, or no queue.
    QueueStays,
}

impl RateControl {
    pub(super) fn new(initial_bps: f64, min_bps: f64, max_bps: f64) -> Self {
        Self {
            target_bps: initial_bps.clamp(min_bps, max_bps),
            min_bps,
            max_bps,
            last_increase: None,
            last_decrease: None,
            drain: None,
            capacity: Capacity::default(),
        }
    }

    pub(super) fn target_bps(&self) -> f64 {
        self.target_bps
    }

    /// The rate without what is held back for the moment, so that the queue drains.
    pub(super) fn sustained_bps(&self) -> f64 {
        self.drain.map_or(self.target_bps, |drain| self.target_bps.max(drain.resume_bps))
    }

    pub(super) fn set_max_bps(&mut self, max_bps: f64) {
        self.max_bps = max_bps.max(self.min_bps);
        self.target_bps = self.target_bps.min(self.max_bps);
    }

    pub(super) fn last_decrease(&self) -> Option<Instant> {
        self.last_decrease
    }

    /// Whether the queue of the last congestion is being drained.
    pub(super) fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// The queue is known to be gone.
    pub(super) fn end_drain(&mut self) {
        self.target_bps = self.sustained_bps().min(self.max_bps);
        self.drain = None;
    }

    /// Takes a rate that was measured to pass.
    pub(super) fn raise_to(&mut self, bps: f64) {
        if bps > self.target_bps {
            self.target_bps = bps.min(self.max_bps);
            self.capacity = Capacity::default();
            self.drain = None;
        }
    }

    /// Takes a rate that is known to be all there is.
    pub(super) fn lower_to(&mut self, bps: f64) {
        self.target_bps = self.target_bps.min(bps).max(self.min_bps);
        self.drain = None;
    }

    pub(super) fn handle_conditions(&mut self, now: Instant, conditions: &Conditions) -> Step {
        let elapsed = self.last_increase.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.last_increase = Some(now);
        if conditions.usage == PathUsage::Overuse && self.may_decrease(now, conditions) {
            self.decrease(now, conditions);
            return Step::Decreased;
        }
        if let Some(drain) = self.drain {
            return self.handle_drain(now, drain, conditions);
        }
        if conditions.usage == PathUsage::Normal && conditions.queue_ms < conditions.gate_ms + LONG_QUEUE_MS {
            self.increase(elapsed, conditions);
        }
        Step::Kept
    }

    fn handle_drain(&mut self, now: Instant, mut drain: Drain, conditions: &Conditions) -> Step {
        let is_drained = conditions.queue_ms < conditions.gate_ms.max(DRAIN_FROM_MS);
        drain.peak_ms = drain.peak_ms.max(conditions.queue_ms);
        // Packets from before the decrease say nothing of its effect.
        let is_late = now >= drain.until && conditions.acknowledged_at >= drain.began;
        // Nor does a queue that stays when no less is sent.
        let is_oversent = conditions.sent_bps as f64 > OVERSENT * drain.measured_bps;
        if is_late && !is_drained && (is_oversent || conditions.queue_ms < FALLING * drain.peak_ms) {
            drain.peak_ms = conditions.queue_ms;
            drain.until = now + conditions.rtt + FEEDBACK_DELAY;
        } else if is_late || is_drained {
            self.drain = None;
            self.target_bps = self.target_bps.max(drain.resume_bps);
            return if is_drained { Step::Kept } else { Step::QueueStays };
        }
        self.drain = Some(drain);
        Step::Kept
    }

    /// Not again before the last decrease can have had its effect; while the queue drains, only if the path turns out
    /// to carry still less.
    fn may_decrease(&self, now: Instant, conditions: &Conditions) -> bool {
        if let Some(drain) = self.drain {
            return conditions.queue_ms > DRAIN_FROM_MS
                && conditions.surely_carried_bps().is_some_and(|carried| carried < 0.85 * drain.measured_bps);
        }
        self.last_decrease.is_none_or(|at| now.saturating_duration_since(at) >= conditions.rtt + FEEDBACK_DELAY)
    }

    fn decrease(&mut self, now: Instant, conditions: &Conditions) {
        self.last_decrease = Some(now);
        // A short time holds few packets: of two who share a path, the one whose packets are behind the other's large frame would
        // back off from next to nothing.
        let is_queued = self.drain.is_some() || conditions.queue_ms > DRAIN_FROM_MS;
        let carried = if is_queued { conditions.surely_carried_bps() } else { conditions.carried_bps() };
        let Some(carried) = carried else {
            self.target_bps = (self.target_bps * BACK_OFF).max(self.min_bps);
            return;
        };
        // A full queue is a measure whoever made it.
        if (conditions.sent_bps as f64) < HARDLY_USED * self.target_bps && conditions.queue_ms < UNUSED_UNTIL_MS {
            self.target_bps = (self.target_bps * BACK_OFF).max(carried).max(self.min_bps);
            return;
        }
        self.capacity.handle_congestion(carried);
        // No more than may have grown beyond what arrives: the rest a probe has found, and there may be more who did.
        let unused_bps = (self.target_bps - conditions.sent_bps as f64).clamp(0.0, growth_limit(carried) - carried);
        let kept_bps = if conditions.queue_ms > UNUSED_UNTIL_MS { 0.0 } else { unused_bps * UNUSED_BACK_OFF };
        let resume_bps = (carried * BACK_OFF + kept_bps).min(self.target_bps).max(self.min_bps);
        // What was sent after the packets that feedback tells of is in the queue as well.
        let in_flight_ms = conditions.in_flight_bytes * 8_000.0 / carried.max(1.0);
        let without_queue_ms = (conditions.least_rtt + FEEDBACK_DELAY).as_secs_f64() * 1_000.0;
        let queue_ms = conditions.queue_ms.max(in_flight_ms - without_queue_ms);
        let drained = if queue_ms > DRAIN_FROM_MS { (queue_ms / DRAIN_TIME_MS).min(MAX_DRAIN) } else { 0.0 };
        self.target_bps = (resume_bps * (1.0 - drained)).max(self.min_bps);
        let spare = 1.0 - self.target_bps / carried.max(1.0);
        let drain_ms = (1.5 * queue_ms / spare.max(0.1)).clamp(0.0, 10_000.0);
        let until = now + conditions.rtt + 2 * FEEDBACK_DELAY + Duration::from_millis(drain_ms as u64);
        let peak_ms = conditions.queue_ms;
        self.drain = Some(Drain { measured_bps: carried, resume_bps, began: now, until, peak_ms });
    }

    fn increase(&mut self, elapsed: Duration, conditions: &Conditions) {
        let Some(carried) = conditions.carried_bps() else { return };
        let limit = growth_limit(carried).min(self.max_bps);
        if self.target_bps >= limit {
            return;
        }
        self.capacity.handle_carried(carried);
        let seconds = elapsed.min(Duration::from_secs(1)).as_secs_f64();
        let responses = seconds / (conditions.rtt + FEEDBACK_DELAY).as_secs_f64();
        let raised = if self.capacity.is_known() || conditions.queue_ms >= conditions.gate_ms {
            self.target_bps + (ADDITIVE_BITS * responses).max(ADDITIVE_SHARE * self.target_bps * seconds)
        } else {
            let pace = if self.last_decrease.is_some() { LATER_PACE } else { 1.0 };
            self.target_bps * MULTIPLICATIVE.powf(responses * pace)
        };
        self.target_bps = raised.min(limit);
    }
}

/// Up to which the rate grows while `carried_bps` arrive.
fn growth_limit(carried_bps: f64) -> f64 {
    let (least, most) = HEADROOM_BPS;
    carried_bps + (carried_bps * HEADROOM_OF_LITTLE).clamp(least, most).max(carried_bps * HEADROOM_SHARE)
}

impl Conditions {
    /// The rate of sending that makes what arrives: losses that do not depend on the rate take no room from us.
    fn carried_bps(&self) -> Option<f64> {
        self.acknowledged_bps.map(|bps| bps as f64 / (1.0 - self.inherent_loss))
    }

    /// The larger of the long time's rate and the short one's, which a few packets make: the least of many such samples would
    /// lead ever further down.
    fn surely_carried_bps(&self) -> Option<f64> {
        let rates = [self.carried_bps(), self.short_carried_bps()];
        rates.into_iter().flatten().max_by(f64::total_cmp)
    }

    fn short_carried_bps(&self) -> Option<f64> {
        self.short_acknowledged_bps.map(|bps| bps as f64 / (1.0 - self.inherent_loss))
    }
}

/// What the path carried when it was last congested.
#[derive(Debug, Clone, Copy, Default)]
struct Capacity {
    mean_bps: Option<f64>,
    /// Relative to the mean.
    deviation: f64,
}

impl Capacity {
    /// Weight of a new measurement.
    const WEIGHT: f64 = 0.2;
    /// Bounds of the relative deviation.
    const MIN_DEVIATION: f64 = 0.06;
    const MAX_DEVIATION: f64 = 0.12;
    /// A rate this many deviations away is that of another path.
    const RANGE: f64 = 3.0;

    fn is_known(&self) -> bool {
        self.mean_bps.is_some()
    }

    fn handle_congestion(&mut self, bps: f64) {
        let Some(mean) = self.mean_bps.filter(|mean| (bps - mean).abs() <= self.range() * mean) else {
            *self = Self { mean_bps: Some(bps), deviation: Self::MIN_DEVIATION };
            return;
        };
        let error = bps - mean;
        self.mean_bps = Some(mean + Self::WEIGHT * error);
        self.deviation += Self::WEIGHT * (error.abs() / mean.max(1.0) - self.deviation);
        self.deviation = self.deviation.clamp(Self::MIN_DEVIATION, Self::MAX_DEVIATION);
    }

    /// Forgets the capacity when the path is seen to carry clearly more.
    fn handle_carried(&mut self, bps: f64) {
        if self.mean_bps.is_some_and(|mean| bps > mean * (1.0 + self.range())) {
            *self = Self::default();
        }
    }

    fn range(&self) -> f64 {
        Self::RANGE * self.deviation
    }
}
