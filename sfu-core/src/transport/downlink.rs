//! What is sent to one peer: how much its path carries, who gets how much of it, and when it leaves.

use std::time::{Duration, Instant};

use crate::congestion::allocation::{Allocator, OVERHEAD_PERCENT};
use crate::congestion::estimator::{BandwidthEstimator, EstimatorOptions, MAX_ESTIMATE_BPS, MIN_ESTIMATE_BPS, ProbeId};
use crate::congestion::pacer::{Pacer, ProbeSender};
use crate::congestion::rate::RateMeter;
use crate::consumer::Admission;
use crate::consumer::send_history::Sent;
use crate::parameters::{HeaderExtensionUri, RtpHeaderExtensionParameters, RtpParameters};
use crate::stats::BweTrace;
use crate::worker::ConsumerKey;

/// How long it is believed that a path is full that has shown so. Meanwhile probes ask again.
const LIMIT_HOLDS: Duration = Duration::from_secs(30);

/// What repeats may take of a path that has lately shown to be full, in percent: enough to repair a third of all packets lost.
/// Beyond it they would only fill the queue that lost the packets, and are left out; the peer asks again.
const RESENDS_PERCENT_MAX: u64 = 40;

/// The same of any other path: all of it, for a moment, after an interruption.
const RESENDS_PERCENT_MAX_OF_FREE: u64 = 100;

/// So many percent of what the path carries are given out also while less is sent for a moment, so that a queue drains: the pacer
/// bridges that, and layers that are given up come back by key frames only.
const HELD_PERCENT: u64 = 80;

/// Repeats that are sent whatever the estimate, in bits per second: a few packets.
const RESENDS_BPS_MIN: u64 = 50_000;

/// Within this time a peer reports on what it gets, if it ever will: browsers do so every 50 to 250 ms.
const REPORTS_WITHIN: Duration = Duration::from_secs(3);

/// What the peer reports about its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathFeedback {
    /// Transport-wide feedback: we estimate.
    TransportWide,
    /// REMB: the peer estimates.
    Remb,
}

impl PathFeedback {
    /// What the receiver of `parameters` reports, the better of what it offers.
    pub(crate) fn of(parameters: &RtpParameters) -> Option<Self> {
        let wants = |kind: &str| {
            parameters.codecs.iter().any(|codec| codec.rtcp_feedback.iter().any(|feedback| feedback.is(kind, "")))
        };
        let is_numbered = || {
            let transport_wide =
                |extension: &RtpHeaderExtensionParameters| extension.uri == HeaderExtensionUri::TransportWideCc;
            parameters.header_extensions.iter().any(transport_wide)
        };
        if wants("transport-cc") && is_numbered() {
            Some(Self::TransportWide)
        } else {
            wants("goog-remb").then_some(Self::Remb)
        }
    }
}

/// A packet that waits for its turn: where it is, never a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Paced {
    /// To be sent for the first time.
    Media { consumer: ConsumerKey, encoding: usize, extended: u64, admission: Admission },
    /// To be sent again.
    Resend { consumer: ConsumerKey, sequence_number: u16, sent: Sent },
}

impl Paced {
    pub(crate) fn consumer(&self) -> ConsumerKey {
        match self {
            Self::Media { consumer, .. } | Self::Resend { consumer, .. } => *consumer,
        }
    }
}

/// The way to one peer.
#[derive(Debug)]
pub(crate) struct Downlink {
    initial_bps: u64,
    max_bps: Option<u64>,
    pub(crate) feedback: Option<PathFeedback>,
    /// There once a consumer negotiated feedback on the path. Without it everything is sent, as it comes.
    pub(crate) estimator: Option<Box<BandwidthEstimator>>,
    pub(crate) allocator: Allocator<ConsumerKey>,
    /// Since when packets leave, and whether the peer has reported on any.
    sending_since: Option<Instant>,
    has_reports: bool,
    /// When the path is shared out again.
    pub(crate) allocate_at: Option<Instant>,
    /// When it was shared out last.
    pub(crate) allocated_at: Option<Instant>,
    /// What it was shared out by.
    pub(crate) allocated_bps: Option<u64>,
    /// Repeats asked for by the peer.
    resends: RateMeter,
    pub(crate) pacer: Pacer<Paced>,
    pub(crate) probe: Option<(ProbeId, ProbeSender)>,
    /// Next transport-wide sequence number.
    pub(crate) next_wide_sequence: u16,
}

impl Downlink {
    /// A path that nothing is known of. Rates in bits per second.
    pub(crate) fn new(initial_bps: u64, max_bps: Option<u64>) -> Self {
        Self {
            initial_bps,
            max_bps,
            feedback: None,
            estimator: None,
            allocator: Allocator::new(),
            sending_since: None,
            has_reports: false,
            allocate_at: None,
            allocated_at: None,
            allocated_bps: None,
            resends: RateMeter::default(),
            pacer: Pacer::new(),
            probe: None,
            next_wide_sequence: 0,
        }
    }

    /// The peer will report on its path. Transport-wide feedback is the better of two.
    pub(crate) fn enable(&mut self, now: Instant, feedback: PathFeedback) {
        if self.feedback == Some(PathFeedback::TransportWide) {
            return;
        }
        self.feedback = Some(feedback);
        if self.estimator.is_none() {
            let max_bps = self.max_bps.unwrap_or(MAX_ESTIMATE_BPS).max(MIN_ESTIMATE_BPS);
            let options = EstimatorOptions {
                initial_bps: self.initial_bps.clamp(MIN_ESTIMATE_BPS, max_bps),
                min_bps: MIN_ESTIMATE_BPS,
                max_bps,
            };
            self.estimator = Some(Box::new(BandwidthEstimator::new(now, options)));
            self.pace(now);
        }
    }

    pub(crate) fn set_max_bps(&mut self, now: Instant, max_bps: Option<u64>) {
        self.max_bps = max_bps;
        if let Some(estimator) = &mut self.estimator {
            estimator.set_max_bps(now, max_bps.unwrap_or(MAX_ESTIMATE_BPS).max(MIN_ESTIMATE_BPS));
        }
    }

    /// The most that the path is used for, by configuration, in bits per second.
    pub(crate) fn max_bps(&self) -> Option<u64> {
        self.max_bps
    }

    /// The estimate and what bounds it, once there is one.
    pub(crate) fn trace(&self) -> Option<BweTrace> {
        let available_bitrate = self.estimate_bps()?;
        Some(BweTrace {
            desired_bitrate: self.allocator.sufficient_budget_bps(),
            min_bitrate: MIN_ESTIMATE_BPS,
            max_bitrate: self.max_bps.unwrap_or(MAX_ESTIMATE_BPS),
            start_bitrate: self.initial_bps,
            available_bitrate,
        })
    }

    /// What the path carries, in bits per second, once that is known or at least assumed.
    pub(crate) fn estimate_bps(&self) -> Option<u64> {
        self.estimator.as_ref().map(|estimator| estimator.estimate_bps())
    }

    /// The peer has reported on its path.
    pub(crate) fn handle_feedback(&mut self) {
        self.has_reports = true;
    }

    /// Up to what nobody is paused, in bits per second. `None`: nobody is at all, for the path has not lately shown that it carries
    /// no more than the estimate, which then says what was used, or it is interrupted.
    pub(crate) fn base_budget_bps(&self, now: Instant) -> Option<u64> {
        let Some(estimator) = &self.estimator else { return self.max_bps };
        if self.is_limited(now) { Some(estimator.sustained_bps()) } else { self.max_bps }
    }

    /// Whether the path has lately shown that it carries no more than the estimate.
    fn is_limited(&self, now: Instant) -> bool {
        let Some(estimator) = &self.estimator else { return false };
        let limited_at = estimator.limited_at().filter(|_| !estimator.is_interrupted());
        limited_at.is_some_and(|at| now.saturating_duration_since(at) < LIMIT_HOLDS)
    }

    /// Paces by the estimate. A peer that reports nothing though it said that it would is not held to an assumption.
    pub(crate) fn pace(&mut self, now: Instant) {
        let is_mute = !self.has_reports
            && self.sending_since.is_some_and(|since| now.saturating_duration_since(since) > REPORTS_WITHIN);
        self.pacer.set_rate(now, self.estimate_bps().filter(|_| !is_mute));
    }

    /// What may be given to streams: the estimate, or, without one, the configured maximum; less what repeats take beyond what
    /// is always kept free for them.
    pub(crate) fn budget_bps(&self, now: Instant) -> Option<u64> {
        let estimated_bps = self.estimator.as_ref().map(|estimator| {
            let held_bps = estimator.sustained_bps().saturating_mul(HELD_PERCENT) / 100;
            estimator.estimate_bps().max(held_bps)
        });
        let budget_bps = estimated_bps.or(self.max_bps)?;
        let kept_free_bps = budget_bps.saturating_mul(OVERHEAD_PERCENT) / 100;
        Some(budget_bps.saturating_sub(self.resends.bitrate_bps(now).saturating_sub(kept_free_bps)))
    }

    /// Whether a packet may be repeated, which then counts as sent.
    pub(crate) fn admit_resend(&mut self, now: Instant, bytes: usize) -> bool {
        let percent = if self.is_limited(now) { RESENDS_PERCENT_MAX } else { RESENDS_PERCENT_MAX_OF_FREE };
        let may_bps = self.estimate_bps().map(|bps| (bps / 100 * percent).max(RESENDS_BPS_MIN));
        let is_admitted = may_bps.is_none_or(|may_bps| self.resends.bitrate_bps(now) < may_bps);
        if is_admitted {
            self.resends.handle_bytes(now, bytes);
        }
        is_admitted
    }

    /// A packet with a transport-wide number has left.
    pub(crate) fn handle_sent(&mut self, now: Instant, bytes: usize, probe: Option<ProbeId>) {
        self.sending_since.get_or_insert(now);
        if let Some(estimator) = &mut self.estimator {
            match self.feedback {
                Some(PathFeedback::TransportWide) => {
                    estimator.handle_sent(now, self.next_wide_sequence, bytes, probe);
                    // What is sent anyway is part of what a probe sends. What fills up to a receiver's own estimate comes on top.
                    if let Some((_, sender)) = self.probe.as_mut().filter(|_| probe.is_none()) {
                        sender.handle_other_sent(bytes);
                    }
                }
                Some(PathFeedback::Remb) if probe.is_none() => estimator.handle_unreported(now, bytes),
                Some(PathFeedback::Remb) | None => {}
            }
        }
        self.next_wide_sequence = self.next_wide_sequence.wrapping_add(1);
    }

    /// A packet has left without one.
    pub(crate) fn handle_sent_untracked(&mut self, now: Instant, bytes: usize, probe: Option<ProbeId>) {
        if let Some(estimator) = &mut self.estimator {
            match self.feedback {
                Some(PathFeedback::TransportWide) => estimator.handle_untracked(now, bytes),
                Some(PathFeedback::Remb) if probe.is_none() => estimator.handle_unreported(now, bytes),
                Some(PathFeedback::Remb) | None => {}
            }
        }
    }

    /// When something of this is due, at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let estimator = self.estimator.as_ref().and_then(|estimator| estimator.poll_timeout());
        let probe = self.probe.as_ref().and_then(|(_, probe)| probe.poll_timeout());
        [estimator, probe, self.pacer.poll_timeout(), self.allocate_at].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::origin;

    /// Harm prevented: media are taken off what fills up to a receiver's own estimate, which then never grows.
    #[test]
    fn media_are_part_of_a_probe_and_not_of_what_fills_up() {
        for (feedback, is_finished) in [(PathFeedback::TransportWide, true), (PathFeedback::Remb, false)] {
            let mut downlink = Downlink::new(600_000, None);
            downlink.enable(origin(), feedback);
            let mut sender = ProbeSender::new(origin(), 1_000_000, 2000, 1);
            sender.handle_sent(1, 100);
            downlink.probe = Some((ProbeId(0), sender));
            downlink.handle_sent(origin(), 5000, None);
            let sender = &downlink.probe.as_ref().expect("it goes on").1;
            assert_eq!(sender.is_finished(origin()), is_finished, "{feedback:?}");
        }
    }
}
