//! The rate that the losses allow. The model is that of libwebrtc's LossBasedBweV2 as publicly described: the path
//! loses a share of the packets at any rate (the *inherent* loss), and of what exceeds its *bandwidth* all. Which
//! bandwidth makes the observed losses most likely is compared with the answer that there is no such bound, and losses
//! that do not vary with the rate thus lower no estimate.
//!
//! Rates that do not vary cannot tell the two apart. So when losses jump, or stay high, the rate is lowered for a
//! moment as an experiment: congestion ends, other loss goes on.

use std::time::{Duration, Instant};

use super::history::{Fate, SentPacket};

/// An observation spans this time at least, and so many packets, unless it spans [`MAX_SPAN_US`].
const MIN_SPAN_US: i64 = 250_000;
const MIN_PACKETS: u32 = 20;
const MAX_SPAN_US: i64 = 1_000_000;
const MIN_PACKETS_OF_LONG: u32 = 8;

/// Observations kept: about five seconds.
const WINDOW: usize = 20;

/// What remains of an observation's weight when the next one comes.
const AGING: f64 = 0.9;

/// The most that a path is believed to lose at any rate. Beyond it, media is of no use, and it is congestion.
const MAX_INHERENT: f64 = 0.35;

/// By how much (natural logarithm of the likelihood ratio) a bandwidth has to explain the losses better than none: one
/// in four hundred by chance, for one observation's noise must not lower an estimate.
const MIN_EVIDENCE: f64 = 6.0;

/// The same while no queue is to be seen: losses in bursts may well fall together with a higher rate once.
const MIN_EVIDENCE_WITHOUT_QUEUE: f64 = 8.0;

/// Bandwidths tried, evenly spaced from the least carried rate to the largest sent.
const CANDIDATES: u32 = 16;

/// Losses jumped when they exceed what the model has by this much and by so many standard deviations.
const MIN_JUMP: f64 = 0.05;
const JUMP_DEVIATIONS: f64 = 3.0;

/// Observations in a row that have to say so: one with a queue to be seen, more without.
const JUMPS_WITH_QUEUE: usize = 1;
const JUMPS_WITHOUT_QUEUE: usize = 2;

/// Who loses so much was cut off, which says nothing of any rate.
const INTERRUPTED: f64 = 0.95;

/// No bound is lower than this share of what the delays allow: what so few packets say of more is chance.
const MIN_SHARE_OF_TARGET: f64 = 0.1;

/// Loss that is not believed to be inherent unless an experiment has shown it lately.
const SUSPECT_LOSS: f64 = 0.08;

/// An experiment's rate, as a share of what the path carried, and its length in observations: the first still has
/// packets from before.
const EXPERIMENT_RATE: f64 = 0.93;
const EXPERIMENT_OBSERVATIONS: u32 = 4;

/// An experiment ends after this time even if there was too little to observe: who sends nothing learns nothing.
const EXPERIMENT_TIMEOUT: Duration = Duration::from_secs(4);

/// Observations without an experiment after one that showed nothing, at first and at most: it doubles each time.
const FIRST_PAUSE: u32 = 12;
const MAX_PAUSE: u32 = 192;

/// What is sent of a bandwidth that was found by its losses: a little less, for the queue is full.
const BACK_OFF: f64 = 0.95;

/// Growth of the bound with each observation that shows no congestion: 8 % a second.
const GROWTH: f64 = 1.02;

#[derive(Debug, Clone, Copy, Default)]
struct Observation {
    packets: f64,
    lost: f64,
    rate_bps: f64,
}

/// An observation that is not yet complete.
#[derive(Debug, Clone, Copy)]
struct Partial {
    began_us: i64,
    bytes: u64,
    packets: u32,
    lost: u32,
}

#[derive(Debug, Clone, Copy)]
struct Experiment {
    rate_bps: f64,
    left: u32,
    until: Instant,
    /// The bound that returns if the losses turn out to be no congestion.
    bound_before: Option<f64>,
}

/// What is known when conclusions are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct LossConditions {
    /// What the delays allow, in bits per second.
    pub(super) target_bps: f64,
    /// Whether packets wait in the path.
    pub(super) has_queue: bool,
    /// Whether clearly less is sent than is estimated.
    pub(super) is_limited_by_application: bool,
}

/// The loss-based bound of one transport.
#[derive(Debug, Clone)]
pub(super) struct LossBased {
    /// Oldest first.
    window: Vec<Observation>,
    partial: Option<Partial>,
    inherent: f64,
    /// Bits per second; none while losses are no reason for one.
    bound_bps: Option<f64>,
    experiment: Option<Experiment>,
    pause: u32,
    paused_for: u32,
    has_news: bool,
    /// Packets sent before are not looked at.
    since_us: i64,
}

impl LossBased {
    pub(super) fn new() -> Self {
        Self {
            window: Vec::with_capacity(WINDOW),
            partial: None,
            inherent: 0.0,
            bound_bps: None,
            experiment: None,
            pause: FIRST_PAUSE,
            paused_for: FIRST_PAUSE,
            has_news: false,
            since_us: i64::MIN,
        }
    }

    /// The most that should be sent, in bits per second.
    pub(super) fn bound_bps(&self) -> Option<f64> {
        let experiment = self.experiment.map(|experiment| experiment.rate_bps);
        self.bound_bps.into_iter().chain(experiment).min_by(f64::total_cmp)
    }

    /// The bound that the losses have shown, and not one that is only tried.
    pub(super) fn shown_bound_bps(&self) -> Option<f64> {
        self.bound_bps
    }

    /// The share that the path loses at any rate.
    pub(super) fn inherent_loss(&self) -> f64 {
        self.inherent
    }

    /// The share lost of late, whatever the reason.
    pub(super) fn fraction_lost(&self) -> f64 {
        self.window.last().map_or(0.0, Observation::loss)
    }

    /// Takes a packet whose fate is final.
    pub(super) fn handle_packet(&mut self, packet: &SentPacket) {
        if packet.fate == Fate::Skipped || packet.sent_us < self.since_us {
            return;
        }
        if self.partial.is_some_and(|partial| packet.sent_us - partial.began_us > 2 * MAX_SPAN_US) {
            // Nothing was sent for long: there is no rate to this.
            self.partial = None;
        }
        if let Some(partial) = self.partial {
            let span_us = packet.sent_us - partial.began_us;
            let enough = if span_us >= MAX_SPAN_US { MIN_PACKETS_OF_LONG } else { MIN_PACKETS };
            if span_us >= MIN_SPAN_US && partial.packets >= enough {
                self.observe(&partial, span_us);
                self.partial = None;
            }
        }
        let fresh = Partial { began_us: packet.sent_us, bytes: 0, packets: 0, lost: 0 };
        let partial = self.partial.get_or_insert(fresh);
        partial.bytes += u64::from(packet.bytes);
        match packet.fate {
            Fate::Received => partial.packets += 1,
            Fate::Missing => {
                partial.packets += 1;
                partial.lost += 1;
            }
            // Nobody knows: the feedback was lost, which is no loss on this path.
            Fate::Unknown | Fate::Untold | Fate::Skipped => {}
        }
    }

    /// Draws the conclusions from new observations.
    pub(super) fn update(&mut self, now: Instant, conditions: LossConditions) {
        let LossConditions { target_bps, has_queue, .. } = conditions;
        if !std::mem::take(&mut self.has_news) {
            return;
        }
        self.paused_for = self.paused_for.saturating_add(1);
        if let Some(experiment) = &mut self.experiment {
            experiment.left = experiment.left.saturating_sub(1);
            if experiment.left > 0 {
                return;
            }
        }
        let finished = self.experiment.take();
        let unbounded = self.fit(None);
        let needed = if has_queue { MIN_EVIDENCE } else { MIN_EVIDENCE_WITHOUT_QUEUE };
        let best = self
            .best_bandwidth()
            .filter(|best| (best.likelihood - unbounded.likelihood) / self.dispersion(best) > needed);
        match best {
            Some(best) => {
                self.inherent = best.inherent;
                self.bound_bps = Some(best.bandwidth_bps * BACK_OFF);
                if finished.is_some() {
                    self.pause = FIRST_PAUSE;
                }
            }
            None => {
                self.inherent = unbounded.inherent;
                if let Some(experiment) = finished {
                    self.bound_bps = experiment.bound_before;
                    self.pause = (self.pause * 2).min(MAX_PAUSE);
                }
                self.grow(target_bps);
            }
        }
        if best.is_none() && finished.is_none() {
            self.suspect(now, conditions);
        }
        self.limit_loss();
        let least = MIN_SHARE_OF_TARGET * target_bps;
        self.bound_bps = self.bound_bps.map(|bound| bound.max(least));
    }

    /// When an experiment is to be ended by [`expire`](Self::expire).
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.experiment.map(|experiment| experiment.until)
    }

    /// Ends an experiment whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Some(experiment) = self.experiment.take_if(|experiment| now >= experiment.until) {
            self.bound_bps = experiment.bound_before;
            self.pause = (self.pause * 2).min(MAX_PAUSE);
        }
    }

    /// Takes a rate that was measured to pass.
    pub(super) fn raise_to(&mut self, bps: f64) {
        self.bound_bps = self.bound_bps.map(|bound| bound.max(bps));
    }

    /// Looks at nothing more that was sent before `since_us`: the rate was lowered for it already.
    pub(super) fn ignore_before(&mut self, since_us: i64) {
        self.since_us = self.since_us.max(since_us);
        self.partial = None;
    }

    /// Forgets everything, and looks at nothing sent before `since_us`: the path was interrupted.
    pub(super) fn reset(&mut self, since_us: i64) {
        *self = Self { since_us, ..Self::new() };
    }

    fn observe(&mut self, partial: &Partial, span_us: i64) {
        if f64::from(partial.lost) > INTERRUPTED * f64::from(partial.packets) {
            return;
        }
        if self.window.len() >= WINDOW {
            self.window.remove(0);
        }
        self.window.push(Observation {
            packets: f64::from(partial.packets),
            lost: f64::from(partial.lost),
            rate_bps: (partial.bytes as f64 * 8e6 / span_us as f64).max(1.0),
        });
        self.has_news = true;
    }

    fn grow(&mut self, target_bps: f64) {
        let is_quiet = self.fraction_lost() <= self.inherent + MIN_JUMP;
        if let Some(bound) = self.bound_bps.filter(|_| is_quiet) {
            let grown = bound * GROWTH;
            self.bound_bps = (grown < target_bps).then_some(grown);
        }
    }

    /// Begins an experiment if the losses have jumped, or are high and have not been through one.
    fn suspect(&mut self, now: Instant, conditions: LossConditions) {
        let LossConditions { target_bps, has_queue, is_limited_by_application } = conditions;
        let needed = if has_queue { JUMPS_WITH_QUEUE } else { JUMPS_WITHOUT_QUEUE };
        let Some(split) = self.window.len().checked_sub(needed) else { return };
        let (before, recent) = self.window.split_at(split);
        let known = weighted_loss(before).unwrap_or(0.0);
        let has_jumped = recent.iter().all(|observation| {
            let deviation = (known.max(0.01) / observation.packets.max(1.0)).sqrt();
            observation.loss() > known + MIN_JUMP.max(JUMP_DEVIATIONS * deviation)
        });
        // Who sends far less than the path is thought to carry does not lose through sending too much.
        let is_suspect = !is_limited_by_application && self.window.len() >= WINDOW / 2 && self.inherent > SUSPECT_LOSS;
        // A queue to be seen makes a jump's reason likely enough to ask again.
        let is_pausing = self.paused_for < self.pause && !(has_jumped && has_queue);
        if is_pausing || (!has_jumped && !is_suspect) {
            return;
        }
        // What was lost before the jump is taken as inherent for now; without a jump nothing is.
        let kept = if has_jumped { known.min(MAX_INHERENT) } else { 0.0 };
        let carried = recent
            .iter()
            .map(|observation| observation.carried_bps() / (1.0 - kept))
            .min_by(f64::total_cmp)
            .unwrap_or(target_bps);
        if has_jumped {
            // What was before the jump says nothing of what is now.
            self.window.drain(..split);
        }
        self.paused_for = 0;
        self.experiment = Some(Experiment {
            rate_bps: carried.min(target_bps) * EXPERIMENT_RATE,
            left: EXPERIMENT_OBSERVATIONS,
            until: now + EXPERIMENT_TIMEOUT,
            bound_before: self.bound_bps,
        });
    }

    /// Loss beyond what is believed to be inherent is followed in any case.
    fn limit_loss(&mut self) {
        let Some((last, before)) = self.window.split_last() else { return };
        let Some(previous) = before.last() else { return };
        if last.loss().min(previous.loss()) > MAX_INHERENT {
            let carried = last.carried_bps() / (1.0 - self.inherent.min(MAX_INHERENT));
            self.bound_bps = Some(self.bound_bps.map_or(carried, |bound| bound.min(carried)));
        }
    }

    fn best_bandwidth(&self) -> Option<Fit> {
        if self.window.iter().all(|observation| observation.lost == 0.0) {
            return None;
        }
        let carried = self.window.iter().map(Observation::carried_bps).min_by(f64::total_cmp)?;
        let sent = self.window.iter().map(|observation| observation.rate_bps).max_by(f64::total_cmp)?;
        (0..CANDIDATES)
            .map(|step| carried + (sent - carried) * f64::from(step) / f64::from(CANDIDATES))
            .map(|bandwidth| self.fit(Some(bandwidth)))
            .max_by(|a, b| a.likelihood.total_cmp(&b.likelihood))
    }

    /// The most likely inherent loss with a bandwidth (none: no bound), and how likely it makes the observations.
    fn fit(&self, bandwidth_bps: Option<f64>) -> Fit {
        let bandwidth_bps = bandwidth_bps.unwrap_or(f64::INFINITY);
        let (mut lost, mut passed) = (0.0, 0.0);
        for (weight, observation) in self.weighted() {
            let excess = observation.excess(bandwidth_bps);
            lost += weight * (observation.lost - observation.packets * excess);
            passed += weight * observation.packets * (1.0 - excess);
        }
        let inherent = if passed > 0.0 { (lost / passed).clamp(0.0, MAX_INHERENT) } else { 0.0 };
        let mut fit = Fit { bandwidth_bps, inherent, likelihood: 0.0 };
        for (weight, observation) in self.weighted() {
            let loss = fit.loss(observation);
            let received = observation.packets - observation.lost;
            fit.likelihood += weight * (observation.lost * loss.ln() + received * (1.0 - loss).ln());
        }
        fit
    }

    /// How much more the losses vary around a fit than losses of single packets would, at least 1. Losses that come in
    /// bursts are fewer events than packets, and prove less (quasi-likelihood).
    fn dispersion(&self, fit: &Fit) -> f64 {
        let (sum, weights) = self.weighted().fold((0.0, 0.0), |(sum, weights), (weight, observation)| {
            let loss = fit.loss(observation);
            let error = observation.lost - observation.packets * loss;
            let variance = observation.packets * loss * (1.0 - loss);
            (sum + weight * error * error / variance.max(0.1), weights + weight)
        });
        if weights > 0.0 { (sum / weights).max(1.0) } else { 1.0 }
    }

    fn weighted(&self) -> impl Iterator<Item = (f64, &Observation)> {
        let weights = std::iter::successors(Some(1.0), |weight| Some(weight * AGING));
        weights.zip(self.window.iter().rev())
    }
}

#[derive(Debug, Clone, Copy)]
struct Fit {
    bandwidth_bps: f64,
    inherent: f64,
    likelihood: f64,
}

impl Fit {
    /// The share of an observation's packets that is lost by this fit. No loss is impossible and none is certain.
    fn loss(&self, observation: &Observation) -> f64 {
        (self.inherent + (1.0 - self.inherent) * observation.excess(self.bandwidth_bps)).clamp(0.001, 0.999)
    }
}

impl Observation {
    fn loss(&self) -> f64 {
        self.lost / self.packets.max(1.0)
    }

    fn carried_bps(&self) -> f64 {
        self.rate_bps * (1.0 - self.loss())
    }

    /// The share beyond the bandwidth.
    fn excess(&self, bandwidth_bps: f64) -> f64 {
        (1.0 - bandwidth_bps / self.rate_bps).max(0.0)
    }
}

fn weighted_loss(observations: &[Observation]) -> Option<f64> {
    let weights = std::iter::successors(Some(1.0), |weight| Some(weight * AGING));
    let (lost, packets) =
        weights.zip(observations.iter().rev()).fold((0.0, 0.0), |(lost, packets), (weight, observation)| {
            (lost + weight * observation.lost, packets + weight * observation.packets)
        });
    (packets > 0.0).then(|| lost / packets)
}
