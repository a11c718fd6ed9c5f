//! Notices that a path which answered has fallen silent, and what is to be sent until it answers again. A silence says
//! nothing of the path that comes back, so it takes the estimate down by steps and not to nothing.

use std::time::{Duration, Instant};

/// Without feedback for this time and three round trips, while packets are sent, the path counts as interrupted.
/// Receivers tell what arrived every 50 to 250 ms.
const OUTAGE_AFTER: Duration = Duration::from_millis(600);

/// Packets have to be sent over this part of it: the last few before a silence may just be lost.
const OUTAGE_SENT_OVER: Duration = Duration::from_millis(300);

/// When nothing was sent for so long, no queue is left of it.
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// Time between the steps down during an outage, and what remains at each.
const STEP: Duration = Duration::from_millis(500);
const DECAY: f64 = 0.7;

/// What an outage leaves of the estimate at least.
const FLOOR: f64 = 0.1;

/// Probes after an outage, as shares of the estimate before it.
const RECOVERY_SHARES: [f64; 2] = [0.5, 1.0];

/// Whether the receiver answers.
#[derive(Debug, Clone, Default)]
pub(super) struct OutageWatch {
    has_feedback: bool,
    /// Since when packets are on their way without feedback.
    awaiting_since: Option<Instant>,
    last_sent_at: Option<Instant>,
    outage: Option<Outage>,
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    before_bps: f64,
    next_step_at: Instant,
}

impl OutageWatch {
    pub(super) fn handle_sent(&mut self, now: Instant) {
        self.awaiting_since.get_or_insert(now);
        self.last_sent_at = Some(now);
    }

    /// Takes note of feedback, and whether packets that it does not cover are on their way.
    pub(super) fn handle_feedback(&mut self, now: Instant, is_more_sent: bool) {
        self.has_feedback = true;
        self.awaiting_since = is_more_sent.then_some(now);
    }

    /// Whether there ever was feedback with news in it.
    pub(super) fn has_feedback(&self) -> bool {
        self.has_feedback
    }

    /// Whether feedback is to be expected: something was sent that none has covered.
    pub(super) fn is_awaiting(&self) -> bool {
        self.awaiting_since.is_some()
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.outage.is_some()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to say.
    pub(super) fn poll_timeout(&self, rtt: Duration) -> Option<Instant> {
        self.outage.map_or_else(|| self.interrupted_at(rtt), |outage| Some(outage.next_step_at))
    }

    /// The rate to go down to from `rate_bps`, if it is time for a step. `estimate_bps` is what comes back after the outage.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        rtt: Duration,
        rate_bps: f64,
        estimate_bps: f64,
    ) -> Option<f64> {
        if self.outage.is_none() && self.interrupted_at(rtt).is_some_and(|at| now >= at) {
            self.outage = Some(Outage { before_bps: estimate_bps, next_step_at: now });
        }
        let outage = self.outage.as_mut().filter(|outage| now >= outage.next_step_at)?;
        outage.next_step_at = now + STEP;
        Some((rate_bps * DECAY).max(outage.before_bps * FLOOR).min(rate_bps))
    }

    /// Ends an outage, if there is one. The rates to be probed: the path may be as good as before.
    pub(super) fn end(&mut self) -> Option<[f64; RECOVERY_SHARES.len()]> {
        self.outage.take().map(|outage| RECOVERY_SHARES.map(|share| share * outage.before_bps))
    }

    /// When a queue is gone for nothing is sent, though no feedback says so. Never during an outage.
    pub(super) fn idle_at(&self, rtt: Duration) -> Option<Instant> {
        self.last_sent_at.filter(|_| self.outage.is_none()).map(|at| at + IDLE_AFTER + rtt)
    }

    /// When the path will count as interrupted if nothing is heard. Never before any feedback has come: the receiver may
    /// not give any.
    fn interrupted_at(&self, rtt: Duration) -> Option<Instant> {
        let since = self.awaiting_since.filter(|_| self.has_feedback)?;
        let is_sending = self.last_sent_at.is_some_and(|at| at >= since + OUTAGE_SENT_OVER);
        is_sending.then(|| since + OUTAGE_AFTER + 3 * rtt)
    }
}
