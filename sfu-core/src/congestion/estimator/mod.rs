//! What the path to one receiver carries, estimated at the sender.
//!
//! A receiver that supports transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01) tells when each
//! packet arrived. From that come:
//! - the delay-based rate: packet groups, a trendline with an adaptive threshold, and additive or multiplicative
//!   increase (draft-ietf-rmcat-gcc-02), believed only where the least delay shows a queue;
//! - the loss-based bound: which part of the losses depends on the rate (in the manner of LossBasedBweV2);
//! - the acknowledged rate (in the manner of the robust throughput estimator), and the results of probes.
//!
//! The ways of keeping what was sent until feedback accounts for it are in the spirit of RFC 8888, whose feedback would
//! fit in beside. Receivers without transport-wide feedback are taken at their word: REMB, tempered by their losses.

use std::time::{Duration, Instant};

use self::arrivals::Arrivals;
use self::loss_based::{LossBased, LossConditions};
use self::outage::OutageWatch;
use self::probing::{Probing, QUIET_AFTER_DECREASE};
use self::rate_control::{Conditions, RateControl, Step};
use self::receiver_estimate::ReceiverEstimate;
use super::rate::RateMeter;
use crate::rtcp::transport_cc::TransportCc;

mod acknowledged;
mod arrivals;
mod cluster;
mod delay_based;
mod feedback;
pub mod fuzzing;
mod history;
mod inter_arrival;
mod loss_based;
mod options;
mod outage;
mod probing;
mod queue_delay;
mod rate_control;
mod receiver_estimate;
#[cfg(test)]
mod tests;
mod trendline;

pub use self::cluster::ProbeId;
pub use self::history::MAX_SENT_PACKETS;
pub use self::options::{
    EstimatorOptions, EstimatorSnapshot, INITIAL_ESTIMATE_BPS, MAX_ESTIMATE_BPS, MIN_ESTIMATE_BPS,
};
pub use self::probing::Probe;
pub use self::trendline::PathUsage;

/// How long a packet that feedback says is missing may be late: longer than jitter with reordering, short enough to
/// follow a full queue that drops.
const REORDER_GRACE_US: i64 = 200_000;

/// The round trip assumed until one is known.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// A round trip told or measured is taken as no more than this.
const MAX_RTT: Duration = Duration::from_secs(2);

/// A full packet, and the most that its own time on the path is taken to be: that of 100 kbit/s, below which packets are
/// rarely full.
const PACKET_BITS: f64 = 9_600.0;
const MAX_PACKET_MS: f64 = 96.0;

/// Where packets wait no longer than this and a packet's own time, losses are not those of a full queue, most likely.
const TRACE_OF_QUEUE_MS: f64 = 4.0;

/// Sending less than this share of the estimate is being limited by what there is to send.
const APPLICATION_LIMITED: f64 = 0.75;

/// What was sent this long after a probe may have waited behind it.
const PROBE_SHADOW_US: i64 = 250_000;

/// What is used of a rate that filled the path: at the start, and later, when others may share the path.
const FILLED_AT_START: f64 = 0.9;
const FILLED_LATER: f64 = 0.85;

/// What a later probe that filled the path has to show, as a multiple of an estimate that is used to the full.
const CLEARLY_MORE: f64 = 1.3;

/// A share lost over seconds that is a path's saying that it is full, though no queue is to be seen.
const MUCH_LOSS: f64 = 0.25;

/// The share lost in a receiver report that is a path's saying that it is full.
const HIGH_LOSS: f64 = 0.1;

/// The estimate of what one transport's path carries. See the module.
#[derive(Debug, Clone)]
pub struct BandwidthEstimator {
    origin: Instant,
    /// The latest time asked for and what it is in microseconds: worked out once for all packets of a moment.
    clock: (Instant, i64),
    options: EstimatorOptions,
    arrivals: Arrivals,
    sent: RateMeter,
    /// What leaves without a transport-wide number, which feedback says nothing of, and its rate when last looked at.
    untracked: RateMeter,
    untracked_bps: u64,
    rate: RateControl,
    losses: LossBased,
    probing: Probing,
    receiver: ReceiverEstimate,
    rtt: Option<Duration>,
    /// Whether the round trip is told from outside, which is without the feedback's delay.
    is_rtt_told: bool,
    usage: PathUsage,
    watch: OutageWatch,
    last_start_probe_us: Option<i64>,
    least_rtt: Option<Duration>,
    limited_at: Option<Instant>,
}

impl BandwidthEstimator {
    /// An estimator whose bounds are mended so that the minimum is not above the maximum.
    pub fn new(now: Instant, options: EstimatorOptions) -> Self {
        let max_bps = options.max_bps.max(1);
        let min_bps = options.min_bps.clamp(1, max_bps);
        let options = EstimatorOptions { initial_bps: options.initial_bps.clamp(min_bps, max_bps), min_bps, max_bps };
        Self {
            origin: now,
            clock: (now, 0),
            options,
            arrivals: Arrivals::new(),
            sent: RateMeter::default(),
            untracked: RateMeter::default(),
            untracked_bps: 0,
            rate: RateControl::new(options.initial_bps as f64, min_bps as f64, max_bps as f64),
            losses: LossBased::new(),
            probing: Probing::new(max_bps as f64),
            receiver: ReceiverEstimate::default(),
            rtt: None,
            is_rtt_told: false,
            usage: PathUsage::Normal,
            watch: OutageWatch::default(),
            last_start_probe_us: None,
            least_rtt: None,
            limited_at: None,
        }
    }

    /// Sets the ceiling (`maxOutgoingBitrate`), in bits per second, at once. It is no lower than the floor.
    pub fn set_max_bps(&mut self, _now: Instant, bps: u64) {
        self.options.max_bps = bps.max(self.options.min_bps);
        self.rate.set_max_bps(self.options.max_bps as f64);
        self.probing.set_max_bps(self.options.max_bps as f64);
    }

    /// Takes note of a packet sent with a transport-wide number, `bytes` being its whole datagram. Numbers are to be
    /// used in their order; at [`MAX_SENT_PACKETS`] unaccounted ones the oldest is forgotten.
    pub fn handle_sent(&mut self, now: Instant, wide_sequence: u16, bytes: usize, probe: Option<ProbeId>) {
        if self.clock.0 != now {
            self.clock = (now, self.micros(now));
        }
        let sent_us = self.clock.1;
        // The queue of a later one is congestion like any other: who shares the path takes it for that as well.
        if probe.is_some_and(|id| self.probing.is_start(id)) {
            self.last_start_probe_us = Some(sent_us);
        }
        let cluster = self.probing.handle_sent(probe, sent_us, bytes as u64);
        self.arrivals.handle_sent(sent_us, wide_sequence, bytes, cluster);
        self.sent.handle_bytes(now, bytes);
        self.watch.handle_sent(now);
    }

    /// Takes note of a packet sent without a transport-wide number, such as sound where that is not negotiated: it takes its
    /// part of the path unmeasured.
    pub fn handle_untracked(&mut self, now: Instant, bytes: usize) {
        self.untracked.handle_bytes(now, bytes);
        self.untracked_bps = self.untracked.bitrate_bps(now);
    }

    /// Takes note that feedback came that cannot be read any more: the path is there.
    pub fn handle_stale_feedback(&mut self, now: Instant) {
        self.end_outage(now);
        self.watch.handle_feedback(now, true);
    }

    /// Takes transport-wide feedback. What it says of packets never sent, forgotten or known as received is ignored.
    pub fn handle_feedback(&mut self, now: Instant, feedback: &TransportCc<impl AsRef<[u8]>>) {
        self.end_outage(now);
        let probing = &mut self.probing;
        let Some(is_more_sent) = self.arrivals.read(feedback, |arrival| probing.handle_received(arrival)) else {
            return;
        };
        self.watch.handle_feedback(now, is_more_sent);
        self.untracked_bps = self.untracked.bitrate_bps(now);
        self.measure_rtt(now);
        let (gate_ms, is_after_start_probe) = (self.gate_ms(), self.is_after_start_probe());
        self.usage = self.arrivals.delays_mut().judge(gate_ms, is_after_start_probe);
        self.control_rate(now);
        self.losses.expire(now);
        self.settle_losses(now);
        // Losses without a queue bound what is tried; for anything to be paused they have to be many.
        let is_lossy = self.has_trace_of_queue() || self.losses.inherent_loss() > MUCH_LOSS;
        if is_lossy && self.losses.shown_bound_bps().is_some_and(|bound| bound <= self.rate.target_bps()) {
            self.limited_at = Some(now);
        }
        self.take_probe_results(now);
    }

    /// Takes the receiver's own estimate, in bits per second. It counts only as long as the receiver never sent
    /// transport-wide feedback.
    pub fn handle_remb(&mut self, now: Instant, bps: u64) {
        if self.receiver.handle_remb(bps) && !self.watch.has_feedback() {
            self.probing.handle_full(now);
        }
    }

    /// Takes note of what is sent, but for probes, to a receiver that gives no transport-wide feedback.
    pub fn handle_unreported(&mut self, now: Instant, bytes: usize) {
        self.sent.handle_bytes(now, bytes);
    }

    /// Takes the share lost (0 to 1) of a receiver report. It counts as [`handle_remb`](Self::handle_remb) does.
    pub fn handle_loss(&mut self, now: Instant, fraction_lost: f64) {
        if fraction_lost > HIGH_LOSS {
            self.limited_at = Some(now);
        }
        self.receiver.handle_loss(now, fraction_lost);
    }

    /// Takes a measured round trip.
    pub fn handle_rtt(&mut self, _now: Instant, rtt: Duration) {
        self.is_rtt_told = true;
        self.smooth_rtt(rtt);
    }

    /// Sets what would be sent if the path carried it, in bits per second: nothing beyond is probed, and nothing at all
    /// before something is wanted.
    pub fn set_desired_bps(&mut self, now: Instant, bps: u64) {
        let estimate = self.estimate();
        self.probing.set_desired_bps(now, bps.saturating_sub(self.untracked_bps) as f64, estimate);
    }

    /// What the path carries, in bits per second, within the bounds of the options.
    pub fn estimate_bps(&self) -> u64 {
        self.with_untracked(self.estimate())
    }

    /// The estimate without what is held back for a moment only: to drain a queue, or to see whether losses depend on the rate.
    /// What is to be paused for want of bandwidth is to be judged by this.
    pub fn sustained_bps(&self) -> u64 {
        if !self.watch.has_feedback() {
            return self.estimate_bps();
        }
        let delay_based = self.rate.sustained_bps();
        let sustained = self.losses.shown_bound_bps().map_or(delay_based, |bound| bound.min(delay_based));
        self.with_untracked(sustained).max(self.estimate_bps())
    }

    /// Whether feedback is overdue: the estimate says nothing then of the path that comes back.
    pub fn is_interrupted(&self) -> bool {
        self.watch.is_interrupted()
    }

    /// When the path last showed that it carries no more: a queue that grew, loss that is a bound, a probe that did not get
    /// through. Without that the estimate says what was used, not what there is.
    pub fn limited_at(&self) -> Option<Instant> {
        self.limited_at
    }

    /// A cluster of packets to be sent now. To be called until none after everything that may have changed something:
    /// feedback, a timeout, a new wish.
    pub fn poll_probe(&mut self, now: Instant) -> Option<Probe> {
        if !self.watch.has_feedback() && self.receiver.estimate_bps().is_some() {
            let sent_bps = self.sent.bitrate_bps(now) as f64;
            return self.probing.poll_fill(now, self.estimate(), sent_bps);
        }
        let may_probe = self.may_probe(now);
        self.probing.set_max_bps(self.options.max_bps.saturating_sub(self.untracked_bps) as f64);
        let is_limited = self.is_limited_by_application(now);
        self.probing.poll_probe(now, self.estimate(), is_limited, self.arrivals.delays().jitter_ms(), may_probe)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, and [`poll_probe`](Self::poll_probe) after it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let quiet_until = self.rate.last_decrease().map(|decrease| decrease + QUIET_AFTER_DECREASE);
        let probe = self
            .probing
            .poll_timeout(self.estimate(), quiet_until)
            .filter(|_| !self.is_probe_blocked())
            .map(|at| quiet_until.map_or(at, |quiet| at.max(quiet)));
        let outage = self.watch.poll_timeout(self.rtt());
        probe.into_iter().chain(outage).chain(self.idle_at()).chain(self.losses.poll_timeout()).min()
    }

    /// Lowers the estimate while the path is interrupted, and ends what waits for feedback that will not come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.probing.expire(now);
        self.losses.expire(now);
        if self.idle_at().is_some_and(|at| now >= at) {
            self.usage = PathUsage::Normal;
            self.rate.end_drain();
        }
        let lowered = self.watch.handle_timeout(now, self.rtt(), self.rate.target_bps(), self.estimate());
        if let Some(bps) = lowered {
            self.rate.lower_to(bps);
        }
    }

    /// The state, for statistics and traces.
    pub fn snapshot(&self) -> EstimatorSnapshot {
        EstimatorSnapshot {
            estimate_bps: self.estimate_bps(),
            acknowledged_bps: self.arrivals.acknowledged().rate_bps(),
            delay_based_bps: self.rate.target_bps() as u64,
            loss_based_bps: self.losses.bound_bps().map(|bps| bps as u64),
            usage: self.usage,
            queue_ms: self.arrivals.delays().queue_ms(),
            fraction_lost: if self.watch.has_feedback() {
                self.losses.fraction_lost()
            } else {
                self.receiver.fraction_lost()
            },
            inherent_loss: self.losses.inherent_loss(),
            rtt: self.rtt(),
            is_interrupted: self.watch.is_interrupted(),
        }
    }

    /// Raises the rate to what probes have shown.
    fn take_probe_results(&mut self, now: Instant) {
        while let Some(result) = self.probing.poll_result(self.arrivals.newest_acknowledged_us(), self.estimate()) {
            if result.filled_path {
                self.limited_at = Some(now);
            }
            let usable = match (result.filled_path, result.is_start) {
                (false, _) => result.bps,
                (true, true) => result.bps * FILLED_AT_START,
                (true, false) => result.bps * FILLED_LATER,
            };
            // A probe takes more than its share of a path that others fill too: who already uses the estimate is not
            // raised by that, unless there is clearly more than before.
            let is_biased = result.is_stretched && !result.is_start && !self.is_limited_by_application(now);
            if !is_biased || usable > CLEARLY_MORE * self.estimate() {
                self.rate.raise_to(usable);
            }
            if !result.filled_path {
                self.losses.raise_to(result.bps);
            }
        }
    }

    fn control_rate(&mut self, now: Instant) {
        let conditions = Conditions {
            usage: self.usage,
            queue_ms: self.arrivals.delays().queue_ms(),
            in_flight_bytes: self.arrivals.in_flight_bytes() as f64,
            acknowledged_at: self.origin
                + Duration::from_micros(u64::try_from(self.arrivals.newest_acknowledged_us()).unwrap_or(0)),
            gate_ms: self.gate_ms(),
            acknowledged_bps: self.arrivals.acknowledged().rate_bps(),
            short_acknowledged_bps: self.arrivals.acknowledged().short_rate_bps(),
            inherent_loss: self.losses.inherent_loss(),
            sent_bps: self.sent.bitrate_bps(now),
            rtt: self.rtt(),
            least_rtt: self.least_rtt.unwrap_or(INITIAL_RTT),
        };
        match self.rate.handle_conditions(now, &conditions) {
            Step::Kept => {}
            Step::Decreased => {
                self.limited_at = Some(now);
                self.probing.handle_decrease(now);
                self.losses.ignore_before(self.micros(now));
            }
            Step::QueueStays => self.arrivals.delays_mut().rebase(),
        }
    }

    fn settle_losses(&mut self, now: Instant) {
        let conditions = LossConditions {
            target_bps: self.rate.target_bps(),
            has_queue: self.has_trace_of_queue(),
            is_limited_by_application: self.is_limited_by_application(now),
        };
        let settled_us = self.arrivals.newest_acknowledged_us() - REORDER_GRACE_US;
        self.arrivals.settle(settled_us, |packet| self.losses.handle_packet(packet));
        self.losses.update(now, conditions);
    }

    /// Without a round trip told from outside, the feedback's own is taken: it has the receiver's wait in it.
    fn measure_rtt(&mut self, now: Instant) {
        let sample_us = self.micros(now) - self.arrivals.newest_acknowledged_us();
        let sample = Duration::from_micros(u64::try_from(sample_us).unwrap_or(0));
        self.least_rtt = Some(self.least_rtt.map_or(sample, |least| least.min(sample)));
        if !self.is_rtt_told {
            self.smooth_rtt(sample);
        }
    }

    fn smooth_rtt(&mut self, rtt: Duration) {
        let rtt = rtt.min(MAX_RTT);
        self.rtt = Some(self.rtt.map_or(rtt, |smoothed| (smoothed * 7 + rtt) / 8));
    }

    fn rtt(&self) -> Duration {
        self.rtt.unwrap_or(INITIAL_RTT)
    }

    fn estimate(&self) -> f64 {
        let bps = if self.watch.has_feedback() {
            let delay_based = self.rate.target_bps();
            self.losses.bound_bps().map_or(delay_based, |bound| bound.min(delay_based))
        } else {
            self.receiver.estimate_bps().unwrap_or(self.rate.target_bps())
        };
        bps.clamp(self.options.min_bps as f64, self.options.max_bps as f64)
    }

    /// A rate of what feedback tells of, with what else is sent, within the bounds.
    fn with_untracked(&self, bps: f64) -> u64 {
        let untracked_bps = if self.watch.has_feedback() { self.untracked_bps } else { 0 };
        (bps as u64).saturating_add(untracked_bps).clamp(self.options.min_bps, self.options.max_bps)
    }

    fn has_trace_of_queue(&self) -> bool {
        self.arrivals.delays().queue_ms() >= TRACE_OF_QUEUE_MS + self.packet_ms()
    }

    /// The queue from which on it is one: jitter, and the time that a packet takes itself, which on a thin path is long.
    fn gate_ms(&self) -> f64 {
        self.arrivals.delays().gate_ms() + self.packet_ms()
    }

    fn packet_ms(&self) -> f64 {
        let packet_ms =
            self.arrivals.acknowledged().rate_bps().map_or(0.0, |bps| PACKET_BITS * 1_000.0 / bps.max(1) as f64);
        packet_ms.min(MAX_PACKET_MS)
    }

    /// Whether the packets that feedback tells of were sent in the shadow of one of the first probes, or of those after an outage.
    fn is_after_start_probe(&self) -> bool {
        self.last_start_probe_us.is_some_and(|at| self.arrivals.newest_acknowledged_us() - at <= PROBE_SHADOW_US)
    }

    fn is_limited_by_application(&self, now: Instant) -> bool {
        (self.sent.bitrate_bps(now) as f64) < APPLICATION_LIMITED * self.estimate()
    }

    fn may_probe(&self, now: Instant) -> bool {
        let is_quiet = self.rate.last_decrease().is_some_and(|decrease| now < decrease + QUIET_AFTER_DECREASE);
        !is_quiet && !self.is_probe_blocked()
    }

    /// While a queue is there, or nothing comes back, it is feedback and not time that the next probe waits for. Once all
    /// that was sent has arrived there is neither a queue nor feedback to come: a probe is what ends the silence.
    fn is_probe_blocked(&self) -> bool {
        let has_queue = self.usage == PathUsage::Overuse || self.rate.is_draining();
        self.watch.is_interrupted() || (has_queue && self.watch.is_awaiting())
    }

    /// When a queue is gone for nothing is sent, though no feedback says so.
    fn idle_at(&self) -> Option<Instant> {
        let waits = self.usage == PathUsage::Overuse || self.rate.is_draining();
        self.watch.idle_at(self.rtt()).filter(|_| waits)
    }

    /// The path is back: what was measured before says nothing of it, save that it may be as good as before.
    fn end_outage(&mut self, now: Instant) {
        let Some(rates) = self.watch.end() else { return };
        self.arrivals.restart();
        self.losses.reset(self.micros(now));
        let estimate = self.estimate();
        self.probing.recover(now, &rates, estimate);
    }

    fn micros(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.origin).as_micros()).unwrap_or(i64::MAX)
    }
}
