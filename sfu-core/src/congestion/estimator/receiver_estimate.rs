//! The estimate for peers that tell only their own: REMB (draft-alvestrand-rmcat-remb-03), tempered by the losses that
//! their receiver reports tell (draft-ietf-rmcat-gcc-02, section 6).

use std::time::{Duration, Instant};

/// Loss above which the rate falls, by half the loss, and below which it grows (section 6).
const HIGH_LOSS: f64 = 0.10;
const LOW_LOSS: f64 = 0.02;

/// Growth of a step (section 6 has 1.05).
const GROWTH: f64 = 1.05;

/// Time between two steps down: the reports of several streams tell one loss.
const STEP_INTERVAL: Duration = Duration::from_millis(500);

/// Losses take no more than half of what the receiver itself estimates, which has the delays in it: the old loss
/// controller alone would leave nothing of a path that just loses packets.
const MIN_SHARE: f64 = 0.5;

/// A receiver's estimate that is less than this share of the one before has been lowered for a queue, which libwebrtc does by 15 %
/// of what comes in, or more.
const LOWERED: f64 = 0.95;

/// What the receiver says that it can take.
#[derive(Debug, Clone, Default)]
pub(super) struct ReceiverEstimate {
    remb_bps: Option<f64>,
    /// The share of it that the losses leave.
    share: Option<f64>,
    last_step: Option<Instant>,
    fraction_lost: f64,
}

impl ReceiverEstimate {
    /// Whether that says that the path is full.
    pub(super) fn handle_remb(&mut self, bps: u64) -> bool {
        let before = self.remb_bps.replace(bps as f64);
        before.is_some_and(|before| (bps as f64) < LOWERED * before)
    }

    pub(super) fn handle_loss(&mut self, now: Instant, fraction_lost: f64) {
        if !fraction_lost.is_finite() {
            return;
        }
        self.fraction_lost = fraction_lost.clamp(0.0, 1.0);
        if self.last_step.is_some_and(|at| now.saturating_duration_since(at) < STEP_INTERVAL) {
            return;
        }
        self.last_step = Some(now);
        let share = self.share.unwrap_or(1.0);
        let next = if self.fraction_lost > HIGH_LOSS {
            share * (1.0 - 0.5 * self.fraction_lost)
        } else if self.fraction_lost < LOW_LOSS {
            share * GROWTH
        } else {
            share
        };
        self.share = Some(next.clamp(MIN_SHARE, 1.0));
    }

    pub(super) fn fraction_lost(&self) -> f64 {
        self.fraction_lost
    }

    /// None as long as the receiver has told nothing.
    pub(super) fn estimate_bps(&self) -> Option<f64> {
        self.remb_bps.map(|bps| bps * self.share.unwrap_or(1.0))
    }
}
