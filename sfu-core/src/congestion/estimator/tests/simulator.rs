//! A path in miniature: senders with an estimator each, one bottleneck with a queue, a receiver that tells arrivals as
//! Chromium does. Everything is drawn from a seed and runs on a made-up clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;

use super::super::{BandwidthEstimator, EstimatorOptions, ProbeId};
use super::read;
use crate::congestion::transport_feedback::TransportFeedback;
use crate::ids::Ssrc;
use crate::test_support::origin;

const PACKET_BYTES: u64 = 1200;
const TICK_US: i64 = 1000;
const FRAME_US: i64 = 33_333;

/// What loses packets before the queue.
#[derive(Debug, Clone, Copy)]
pub(super) enum Loss {
    None,
    Random(f64),
    /// Gilbert and Elliott's two states, by the chance of a packet to begin and to end a burst, and the loss within.
    Bursts {
        begin: f64,
        end: f64,
        loss: f64,
    },
}

/// The path that all flows share.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// Rates from times (s) on, in bits per second; none: nothing passes.
    pub(super) rates: Vec<(f64, f64)>,
    /// How much the queue holds, in bytes.
    pub(super) queue_bytes: u64,
    /// One way.
    pub(super) propagation_ms: f64,
    /// Added to each packet, from none to this, after the queue. Packets overtake each other.
    pub(super) jitter_ms: f64,
    pub(super) loss: Loss,
    pub(super) feedback_ms: i64,
    pub(super) feedback_loss: f64,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            rates: vec![(0.0, 3e6)],
            queue_bytes: 112_500,
            propagation_ms: 25.0,
            jitter_ms: 0.0,
            loss: Loss::None,
            feedback_ms: 50,
            feedback_loss: 0.0,
        }
    }
}

/// What one sender does.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    /// What it wants to send, in bits per second, from times (s) on.
    pub(super) wishes: Vec<(f64, f64)>,
    /// If any: it sends one of these rates, the highest that the estimate allows, and the lowest in any case.
    pub(super) layers: &'static [f64],
    /// Frames leave at this multiple of the estimate.
    pub(super) pacing: f64,
}

impl Default for Sender {
    fn default() -> Self {
        Self { wishes: vec![(0.0, 6e6)], layers: &[], pacing: 2.5 }
    }
}

/// One second of a flow and of the path.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slice {
    pub(super) served_bytes: u64,
    pub(super) estimate_bps: u64,
}

/// What came of a run, in tenths of seconds.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Per flow.
    pub(super) slices: Vec<Vec<Slice>>,
    pub(super) queue_ms: Vec<(f64, f64)>,
    pub(super) sent: u64,
    pub(super) dropped: u64,
    rates: Vec<(f64, f64)>,
}

impl Outcome {
    /// The served share of the capacity from one time (s) to another.
    pub(super) fn utilisation(&self, from: f64, to: f64) -> f64 {
        let capacity: f64 = tenths(from, to).map(|tenth| at(&self.rates, tenth as f64 / 10.0 + 0.05) * 0.1).sum();
        (0..self.slices.len()).map(|flow| self.served_bits(flow, from, to)).sum::<f64>() / capacity
    }

    pub(super) fn served_bits(&self, flow: usize, from: f64, to: f64) -> f64 {
        tenths(from, to).filter_map(|tenth| self.slices[flow].get(tenth)).map(|s| s.served_bytes as f64 * 8.0).sum()
    }

    /// When, after `from`, half a second's rate first reaches a share of the capacity: its end, counted from `from`.
    pub(super) fn time_to(&self, share: f64, from: f64) -> f64 {
        let first = (from * 10.0) as usize;
        let end = self.slices[0].len();
        (first..end.saturating_sub(4))
            .find(|tenth| self.utilisation(*tenth as f64 / 10.0, *tenth as f64 / 10.0 + 0.5) >= share)
            .map_or(f64::INFINITY, |tenth| (tenth - first) as f64 / 10.0 + 0.5)
    }

    /// When, after `from`, the estimate of the first flow stays at or below `bps` for half a second.
    pub(super) fn time_below(&self, bps: f64, from: f64) -> f64 {
        let slices = &self.slices[0][(from * 10.0) as usize..];
        slices
            .windows(5)
            .position(|window| window.iter().all(|slice| slice.estimate_bps as f64 <= bps))
            .map_or(f64::INFINITY, |tenth| tenth as f64 / 10.0)
    }

    pub(super) fn queue_percentile(&self, share: f64, from: f64, to: f64) -> f64 {
        let mut delays: Vec<f64> =
            self.queue_ms.iter().filter(|(time, _)| (from..to).contains(time)).map(|(_, delay)| *delay).collect();
        delays.sort_by(f64::total_cmp);
        delays.get((delays.len() as f64 * share) as usize).copied().unwrap_or(0.0)
    }

    /// The share of packets that the queue dropped.
    pub(super) fn caused_loss(&self) -> f64 {
        self.dropped as f64 / self.sent.max(1) as f64
    }

    pub(super) fn estimate_at(&self, time: f64) -> u64 {
        self.slices[0][(time * 10.0) as usize].estimate_bps
    }
}

fn tenths(from: f64, to: f64) -> std::ops::Range<usize> {
    (from * 10.0).round() as usize..(to * 10.0).round() as usize
}

fn at(steps: &[(f64, f64)], time: f64) -> f64 {
    steps.iter().rev().find(|(from, _)| time >= *from).map_or(0.0, |(_, value)| *value)
}

struct Flow {
    estimator: BandwidthEstimator,
    receiver: TransportFeedback,
    sender: Sender,
    wanted: f64,
    sequence: u16,
    /// Bytes of each packet that waits for the pacer.
    paced: VecDeque<u64>,
    next_paced_us: i64,
    next_frame_us: i64,
    frame_rest_bytes: f64,
    probes: VecDeque<(i64, ProbeId, u64)>,
    /// The probe that has begun, and what else was sent meanwhile and not yet taken off it.
    probing: Option<ProbeId>,
    sent_for_probe: u64,
    next_feedback_us: i64,
    slices: Vec<Slice>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    at_us: i64,
    order: u64,
    flow: usize,
    sequence: u16,
}

pub(super) struct Simulation {
    path: Path,
    rng: StdRng,
    flows: Vec<Flow>,
    in_burst: bool,
    free_at_us: i64,
    queue: VecDeque<(i64, u64)>,
    queued_bytes: u64,
    arrivals: BinaryHeap<Reverse<Arrival>>,
    feedback: VecDeque<(i64, usize, TransportLayerCc)>,
    order: u64,
    outcome: Outcome,
}

impl Simulation {
    pub(super) fn new(seed: u64, path: Path, senders: Vec<Sender>) -> Self {
        let flows: Vec<Flow> = senders
            .into_iter()
            .enumerate()
            .map(|(index, sender)| Flow {
                estimator: BandwidthEstimator::new(origin(), EstimatorOptions::default()),
                receiver: TransportFeedback::default(),
                sender,
                wanted: 0.0,
                sequence: 65_000,
                paced: VecDeque::new(),
                next_paced_us: 0,
                // Frames of several senders do not fall together.
                next_frame_us: 7_000 * index as i64,
                frame_rest_bytes: 0.0,
                probes: VecDeque::new(),
                probing: None,
                sent_for_probe: 0,
                next_feedback_us: 0,
                slices: Vec::new(),
            })
            .collect();
        let rates = path.rates.clone();
        Self {
            path,
            rng: StdRng::seed_from_u64(seed),
            flows,
            in_burst: false,
            free_at_us: 0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            arrivals: BinaryHeap::new(),
            feedback: VecDeque::new(),
            order: 0,
            outcome: Outcome { slices: Vec::new(), queue_ms: Vec::new(), sent: 0, dropped: 0, rates },
        }
    }

    pub(super) fn run(mut self, seconds: u32) -> Outcome {
        for tick in 0..i64::from(seconds) * 1000 {
            let now_us = tick * TICK_US;
            self.deliver(now_us);
            for flow in 0..self.flows.len() {
                self.send(flow, now_us);
                self.observe(flow, now_us);
            }
        }
        self.outcome.slices = self.flows.into_iter().map(|flow| flow.slices).collect();
        self.outcome
    }

    /// Arrivals at the receivers, their feedback, and its arrival at the senders.
    fn deliver(&mut self, now_us: i64) {
        while self.arrivals.peek().is_some_and(|arrival| arrival.0.at_us <= now_us) {
            let Some(Reverse(arrival)) = self.arrivals.pop() else { break };
            self.flows[arrival.flow].receiver.handle_packet(instant(arrival.at_us), arrival.sequence);
        }
        for (index, flow) in self.flows.iter_mut().enumerate() {
            if now_us < flow.next_feedback_us {
                continue;
            }
            flow.next_feedback_us = now_us + self.path.feedback_ms * 1000;
            // The receiver's own interval has passed by then.
            while let Some(feedback) =
                flow.receiver.poll_feedback(instant(now_us) + Duration::from_millis(60), Ssrc(1), Ssrc(2))
            {
                if self.rng.random::<f64>() >= self.path.feedback_loss {
                    let at_us = now_us + (self.path.propagation_ms * 1000.0) as i64;
                    self.feedback.push_back((at_us, index, feedback));
                }
            }
        }
        while self.feedback.front().is_some_and(|(at_us, ..)| *at_us <= now_us) {
            let Some((_, flow, feedback)) = self.feedback.pop_front() else { break };
            self.flows[flow].estimator.handle_feedback(instant(now_us), &read(&feedback));
        }
    }

    fn send(&mut self, index: usize, now_us: i64) {
        let now = instant(now_us);
        let flow = &mut self.flows[index];
        let wanted = at(&flow.sender.wishes, now_us as f64 / 1e6);
        if wanted != flow.wanted {
            flow.wanted = wanted;
            flow.estimator.set_desired_bps(now, wanted as u64);
        }
        if flow.estimator.poll_timeout().is_some_and(|at| at <= now) {
            flow.estimator.handle_timeout(now);
        }
        while let Some(probe) = flow.estimator.poll_probe(now) {
            let packets = (probe.bytes as u64).div_ceil(PACKET_BYTES).max(probe.min_packets as u64);
            let bytes = (probe.bytes as u64).div_ceil(packets);
            let began_us = flow.probes.back().map_or(now_us, |(last_us, ..)| now_us.max(*last_us));
            for packet in 0..packets {
                let at_us = began_us + (packet * bytes * 8_000_000 / probe.rate_bps) as i64;
                flow.probes.push_back((at_us, probe.id, bytes));
            }
        }
        let estimate = flow.estimator.estimate_bps() as f64;
        let layer = flow.sender.layers.iter().rev().find(|layer| **layer <= estimate).or(flow.sender.layers.first());
        let target = layer.copied().unwrap_or(estimate).min(wanted);
        if now_us >= flow.next_frame_us {
            flow.next_frame_us += FRAME_US;
            // Frames differ in size.
            let size = target * FRAME_US as f64 / 8e6 * self.rng.random_range(0.8..1.2) + flow.frame_rest_bytes;
            let packets = (size / PACKET_BYTES as f64).ceil().max(1.0);
            let bytes = (size / packets).floor();
            flow.frame_rest_bytes = size - bytes * packets;
            // What the pacer could not send of earlier frames is not sent beside the new one: the encoder skips.
            if wanted > 0.0 && flow.paced.len() < 60 {
                flow.paced.extend((0..packets as u64).map(|_| bytes.max(60.0) as u64));
            }
        }
        let until_us = now_us + TICK_US;
        loop {
            let flow = &mut self.flows[index];
            let media_us = flow.paced.front().map(|_| flow.next_paced_us.max(now_us)).filter(|at| *at < until_us);
            let probe_us = flow.probes.front().map(|(at_us, ..)| (*at_us).max(now_us)).filter(|at| *at < until_us);
            match (media_us, probe_us) {
                (Some(media_us), probe_us) if probe_us.is_none_or(|probe_us| media_us <= probe_us) => {
                    let Some(bytes) = flow.paced.pop_front() else { break };
                    flow.next_paced_us = media_us + (bytes as f64 * 8e6 / (flow.sender.pacing * estimate)) as i64;
                    // What is sent anyway is part of what a probe that has begun sends.
                    if flow.probing.is_some() && flow.probing == flow.probes.front().map(|(_, id, _)| *id) {
                        flow.sent_for_probe += bytes;
                    }
                    self.transmit(index, media_us, bytes, None);
                }
                (_, Some(probe_us)) => {
                    let Some((_, id, bytes)) = flow.probes.pop_front() else { break };
                    if flow.probing.replace(id) != Some(id) {
                        flow.sent_for_probe = 0;
                    }
                    if let Some(rest) = flow.sent_for_probe.checked_sub(bytes) {
                        flow.sent_for_probe = rest;
                    } else {
                        self.transmit(index, probe_us, bytes, Some(id));
                    }
                }
                _ => break,
            }
        }
    }

    fn transmit(&mut self, index: usize, now_us: i64, bytes: u64, probe: Option<ProbeId>) {
        let flow = &mut self.flows[index];
        let sequence = flow.sequence;
        flow.sequence = sequence.wrapping_add(1);
        flow.estimator.handle_sent(instant(now_us), sequence, bytes as usize, probe);
        self.outcome.sent += 1;
        if self.is_lost() {
            return;
        }
        while self.queue.front().is_some_and(|(leaves_us, _)| *leaves_us <= now_us) {
            self.queued_bytes -= self.queue.pop_front().map_or(0, |(_, bytes)| bytes);
        }
        if self.queued_bytes + bytes > self.path.queue_bytes {
            self.outcome.dropped += 1;
            return;
        }
        let (starts_us, leaves_us) = self.serve(now_us, bytes);
        self.free_at_us = leaves_us;
        self.queue.push_back((leaves_us, bytes));
        self.queued_bytes += bytes;
        self.outcome.queue_ms.push((now_us as f64 / 1e6, (starts_us - now_us) as f64 / 1e3));
        let jitter_ms = if self.path.jitter_ms > 0.0 { self.rng.random_range(0.0..self.path.jitter_ms) } else { 0.0 };
        let at_us = leaves_us + ((self.path.propagation_ms + jitter_ms) * 1000.0) as i64;
        self.order += 1;
        self.arrivals.push(Reverse(Arrival { at_us, order: self.order, flow: index, sequence }));
        let slice = (leaves_us / 100_000) as usize;
        let slices = &mut self.flows[index].slices;
        if slices.len() <= slice {
            slices.resize(slice + 1, Slice::default());
        }
        slices[slice].served_bytes += bytes;
    }

    /// When the bottleneck begins with the packet and when it is done with it.
    fn serve(&self, now_us: i64, bytes: u64) -> (i64, i64) {
        let mut starts_us = now_us.max(self.free_at_us);
        while at(&self.path.rates, starts_us as f64 / 1e6) <= 0.0 {
            let resumes = self.path.rates.iter().find(|(from, rate)| *from * 1e6 > starts_us as f64 && *rate > 0.0);
            starts_us = resumes.map_or(i64::MAX / 4, |(from, _)| (*from * 1e6) as i64);
        }
        let rate = at(&self.path.rates, starts_us as f64 / 1e6);
        (starts_us, starts_us + (bytes as f64 * 8e6 / rate) as i64)
    }

    fn is_lost(&mut self) -> bool {
        match self.path.loss {
            Loss::None => false,
            Loss::Random(share) => self.rng.random::<f64>() < share,
            Loss::Bursts { begin, end, loss } => {
                let turn = if self.in_burst { end } else { begin };
                if self.rng.random::<f64>() < turn {
                    self.in_burst = !self.in_burst;
                }
                self.in_burst && self.rng.random::<f64>() < loss
            }
        }
    }

    fn observe(&mut self, index: usize, now_us: i64) {
        let flow = &mut self.flows[index];
        let slice = (now_us / 100_000) as usize;
        if flow.slices.len() <= slice {
            flow.slices.resize(slice + 1, Slice::default());
        }
        flow.slices[slice].estimate_bps = flow.estimator.estimate_bps();
    }
}

fn instant(us: i64) -> Instant {
    origin() + Duration::from_micros(us as u64)
}
