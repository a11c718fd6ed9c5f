//! An estimate of what a sender's path carries, for senders that offer REMB and no transport-wide feedback.
//!
//! Deliberately simple: the loss-based controller of draft-ietf-rmcat-gcc-02 (section 6), run at the receiver on what
//! it loses and receives, with that draft's bound of one and a half times the received rate (section 5.5). It does
//! not look at delay, and so fills queues before it backs off. Every current browser offers transport-wide feedback,
//! with which the sender estimates by itself; this keeps the others from staying at their starting rate.

use std::time::{Duration, Instant};

use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;

use super::rate::RateMeter;
use crate::ids::Ssrc;

/// Where the estimate starts: a modest camera picture, reached by any path worth calling on.
pub const INITIAL_ESTIMATE_BPS: u64 = 600_000;

/// The estimate's floor: audio and a thumbnail.
pub const MIN_ESTIMATE_BPS: u64 = 50_000;

/// Time between two steps: the round trip and a report's worth of packets, so that a step's effect is seen before
/// the next one.
pub const STEP_INTERVAL: Duration = Duration::from_millis(500);

/// Time between two messages while the estimate does not fall; a decrease is sent at once.
pub const SEND_INTERVAL: Duration = Duration::from_secs(1);

/// Streams that one message can name: its count has eight bits.
pub const MAX_REMB_SSRCS: usize = 255;

/// Loss below which the estimate grows (draft-ietf-rmcat-gcc-02 section 6).
const LOW_LOSS: f64 = 0.02;

/// Growth of a step: the draft's factor of a second (section 5.5), taken twice as often, as a decrease is told at once
/// and no browser's picture should take half a minute to sharpen.
const INCREASE: f64 = 1.08;

/// Loss above which the estimate falls, by half the loss (section 6).
const HIGH_LOSS: f64 = 0.10;

/// The estimate does not grow beyond this multiple of what is received: unused room is unproven (section 5.5).
const MAX_OVER_RECEIVED: f64 = 1.5;

/// The least that a step may grow the estimate over what is received, so that a nearly silent sender can start.
const PROVEN_HEADROOM_BPS: f64 = 100_000.0;

/// The receive-side estimate of one transport.
#[derive(Debug, Clone)]
pub struct RembEstimator {
    estimate_bps: f64,
    max_bps: f64,
    received: RateMeter,
    lost: u64,
    expected: u64,
    next_step_at: Option<Instant>,
    last_sent: Option<(Instant, f64)>,
}

impl RembEstimator {
    /// An estimator that never tells a sender more than `max_incoming_bitrate_bps` (nor less than
    /// [`MIN_ESTIMATE_BPS`]).
    pub fn new(max_incoming_bitrate_bps: u64) -> Self {
        let max_bps = max_incoming_bitrate_bps.max(MIN_ESTIMATE_BPS) as f64;
        Self {
            estimate_bps: (INITIAL_ESTIMATE_BPS as f64).min(max_bps),
            max_bps,
            received: RateMeter::default(),
            lost: 0,
            expected: 0,
            next_step_at: None,
            last_sent: None,
        }
    }

    /// Never tells a sender more than this from now on (nor less than [`MIN_ESTIMATE_BPS`]).
    pub fn set_max_bps(&mut self, max_bps: u64) {
        self.max_bps = max_bps.max(MIN_ESTIMATE_BPS) as f64;
        self.estimate_bps = self.estimate_bps.min(self.max_bps);
    }

    /// Counts a received packet of any stream on the transport.
    pub fn handle_packet(&mut self, now: Instant, size_bytes: usize) {
        self.received.handle_bytes(now, size_bytes);
        self.next_step_at.get_or_insert(now + STEP_INTERVAL);
    }

    /// Adds what a stream expected and lost since the last call.
    pub fn handle_loss(&mut self, expected: u64, lost: u64) {
        self.expected = self.expected.saturating_add(expected);
        self.lost = self.lost.saturating_add(lost.min(expected));
    }

    /// Takes a step if one is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_step_at.is_none_or(|at| now < at) {
            return;
        }
        let received_bps = self.received.bitrate_bps(now) as f64;
        if received_bps == 0.0 {
            // Nothing is learnt from silence; the next packet starts the steps again.
            self.next_step_at = None;
            return;
        }
        self.next_step_at = Some(now + STEP_INTERVAL);
        let loss = if self.expected == 0 { 0.0 } else { self.lost as f64 / self.expected as f64 };
        (self.expected, self.lost) = (0, 0);
        if loss > HIGH_LOSS {
            let carried = self.estimate_bps.min(received_bps.max(MIN_ESTIMATE_BPS as f64));
            self.estimate_bps = carried * (1.0 - 0.5 * loss);
        } else if loss < LOW_LOSS {
            let proven = received_bps * MAX_OVER_RECEIVED + PROVEN_HEADROOM_BPS;
            self.estimate_bps = (self.estimate_bps * INCREASE).min(proven).max(self.estimate_bps);
        }
        self.estimate_bps = self.estimate_bps.clamp(MIN_ESTIMATE_BPS as f64, self.max_bps);
    }

    /// When [`handle_timeout`](Self::handle_timeout) and then [`poll_remb`](Self::poll_remb) are to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_step_at
    }

    /// The message to send at `now`, if one is due. `ssrcs`: the sender's streams, of which the first
    /// [`MAX_REMB_SSRCS`] are named.
    pub fn poll_remb(
        &mut self,
        now: Instant,
        sender_ssrc: Ssrc,
        ssrcs: &[Ssrc],
    ) -> Option<ReceiverEstimatedMaximumBitrate> {
        if self.next_step_at.is_none() || ssrcs.is_empty() {
            return None;
        }
        let is_due = self.last_sent.is_none_or(|(sent_at, sent_bps)| {
            self.estimate_bps < sent_bps || now.saturating_duration_since(sent_at) >= SEND_INTERVAL
        });
        if !is_due {
            return None;
        }
        self.last_sent = Some((now, self.estimate_bps));
        Some(ReceiverEstimatedMaximumBitrate {
            sender_ssrc: sender_ssrc.0,
            bitrate: self.estimate_bps as f32,
            ssrcs: ssrcs.iter().take(MAX_REMB_SSRCS).map(|ssrc| ssrc.0).collect(),
        })
    }

    /// The present estimate, in bits per second.
    pub fn estimate_bps(&self) -> u64 {
        self.estimate_bps as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::origin;

    const SSRCS: [Ssrc; 1] = [Ssrc(2)];

    /// A sender that sends what it is told, at most `wants_bps`, over a path that carries `path_bps`.
    /// The messages as (ms, bit/s).
    fn run(estimator: &mut RembEstimator, from_ms: u64, to_ms: u64, wants_bps: u64, path_bps: u64) -> Vec<(u64, u64)> {
        let start = origin();
        let mut told = estimator.estimate_bps();
        let mut messages = Vec::new();
        for ms in (from_ms..to_ms).step_by(10) {
            let now = start + Duration::from_millis(ms);
            let sent = told.min(wants_bps);
            let carried = sent.min(path_bps);
            estimator.handle_packet(now, (carried / 800) as usize);
            estimator.handle_loss(1000, 1000 - 1000 * carried / sent.max(1));
            estimator.handle_timeout(now);
            if let Some(remb) = estimator.poll_remb(now, Ssrc(1), &SSRCS) {
                told = remb.bitrate as u64;
                messages.push((ms, told));
            }
        }
        messages
    }

    #[test]
    fn a_clean_path_is_filled_to_the_limit_and_no_further() {
        let mut estimator = RembEstimator::new(2_500_000);
        run(&mut estimator, 0, 30_000, 10_000_000, 10_000_000);
        assert_eq!(estimator.estimate_bps(), 2_500_000);
    }

    #[test]
    fn a_full_path_brings_the_estimate_near_what_it_carries() {
        let mut estimator = RembEstimator::new(5_000_000);
        run(&mut estimator, 0, 60_000, 10_000_000, 1_000_000);
        let estimate = estimator.estimate_bps();
        assert!((800_000..1_250_000).contains(&estimate), "{estimate}");
    }

    #[test]
    fn a_decrease_is_told_at_once_and_the_rest_once_a_second() {
        let mut estimator = RembEstimator::new(5_000_000);
        let growing = run(&mut estimator, 0, 10_000, 10_000_000, 10_000_000);
        assert!(growing.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 1000), "{growing:?}");
        let falling = run(&mut estimator, 10_000, 11_500, 10_000_000, 300_000);
        assert!(falling.iter().any(|(ms, _)| *ms <= 10_500), "{falling:?}");
    }

    #[test]
    fn room_that_is_not_used_is_not_promised() {
        let mut estimator = RembEstimator::new(50_000_000);
        run(&mut estimator, 0, 60_000, 200_000, 10_000_000);
        assert_eq!(
            estimator.estimate_bps(),
            INITIAL_ESTIMATE_BPS,
            "an idle sender keeps what it had, and gains nothing"
        );
    }

    #[test]
    fn the_estimate_never_leaves_its_bounds() {
        let mut estimator = RembEstimator::new(1_000);
        run(&mut estimator, 0, 10_000, 10_000_000, 1_000);
        assert_eq!(estimator.estimate_bps(), MIN_ESTIMATE_BPS);
    }

    #[test]
    fn silence_sends_nothing_and_needs_no_timer() {
        let mut estimator = RembEstimator::new(1_000_000);
        assert_eq!(estimator.poll_timeout(), None);
        assert_eq!(estimator.poll_remb(origin(), Ssrc(1), &SSRCS), None);
        run(&mut estimator, 0, 100, 100_000, 100_000);
        let later = origin() + Duration::from_secs(5);
        estimator.handle_timeout(later);
        assert_eq!(estimator.poll_timeout(), None);
        assert_eq!(estimator.poll_remb(later, Ssrc(1), &SSRCS), None);
    }

    #[test]
    fn a_message_names_as_many_streams_as_it_can_count() {
        let mut estimator = RembEstimator::new(1_000_000);
        estimator.handle_packet(origin(), 100);
        let remb = estimator.poll_remb(origin(), Ssrc(1), &[Ssrc(2); 300]).unwrap();
        assert_eq!(remb.ssrcs.len(), MAX_REMB_SSRCS);
    }
}
