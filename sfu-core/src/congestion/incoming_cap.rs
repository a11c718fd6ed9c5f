//! What a sender is told to send at most, beside transport-wide feedback: a REMB message with a constant. Browsers honour the
//! lower of the two.

use std::time::{Duration, Instant};

use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;

use super::remb::MAX_REMB_SSRCS;
use crate::ids::Ssrc;

/// Time between two messages: one may be lost.
const REPEAT: Duration = Duration::from_secs(1);

/// What is told when there is no limit any longer, in bits per second. No sender of a call comes near.
const UNLIMITED_BPS: u64 = 1_000_000_000;

/// The limit of one sender.
#[derive(Debug, Clone, Default)]
pub struct IncomingCap {
    bps: Option<u64>,
    next_at: Option<Instant>,
}

impl IncomingCap {
    /// A limit from the start, or none.
    pub fn new(now: Instant, bps: Option<u64>) -> Self {
        Self { bps, next_at: bps.map(|_| now) }
    }

    /// Sets the limit in bits per second. `None`: none, of which the sender is told once if there was one.
    pub fn set(&mut self, now: Instant, bps: Option<u64>) {
        if self.bps != bps {
            self.bps = bps;
            self.next_at = Some(now);
        }
    }

    /// The limit.
    pub fn bps(&self) -> Option<u64> {
        self.bps
    }

    /// The message that is due. `ssrcs` are the sender's streams; without any there is nobody to tell yet.
    pub fn poll_remb(
        &mut self,
        now: Instant,
        sender_ssrc: Ssrc,
        ssrcs: &[Ssrc],
    ) -> Option<ReceiverEstimatedMaximumBitrate> {
        if ssrcs.is_empty() || self.next_at.is_none_or(|at| now < at) {
            return None;
        }
        self.next_at = self.bps.map(|_| now + REPEAT);
        Some(ReceiverEstimatedMaximumBitrate {
            sender_ssrc: sender_ssrc.0,
            bitrate: self.bps.unwrap_or(UNLIMITED_BPS) as f32,
            ssrcs: ssrcs.iter().take(MAX_REMB_SSRCS).map(|ssrc| ssrc.0).collect(),
        })
    }

    /// When the next message is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    #[test]
    fn a_limit_is_repeated_and_its_end_told_once() {
        let start = origin();
        let mut cap = IncomingCap::new(start, Some(500_000));
        let mut told = Vec::new();
        for at in (0..6_000).step_by(100) {
            if at == 2_500 {
                cap.set(start + ms(at), None);
            }
            if let Some(remb) = cap.poll_remb(start + ms(at), Ssrc(1), &[Ssrc(7)]) {
                assert_eq!(remb.ssrcs, [7]);
                told.push((at, remb.bitrate as u64));
            }
        }
        assert_eq!(told, [(0, 500_000), (1_000, 500_000), (2_000, 500_000), (2_500, UNLIMITED_BPS)]);
        assert_eq!(cap.poll_timeout(), None);
    }

    #[test]
    fn a_sender_of_nothing_is_told_nothing_and_later_at_once() {
        let start = origin();
        let mut cap = IncomingCap::new(start, Some(500_000));
        assert!(cap.poll_remb(start, Ssrc(1), &[]).is_none());
        assert!(cap.poll_remb(start + ms(5_000), Ssrc(1), &[Ssrc(7)]).is_some());
    }
}
