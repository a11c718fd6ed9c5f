//! Probes: short clusters of packets at a higher rate than the estimate, whose arrivals tell whether the path carries
//! it (the parts of libwebrtc's probe controller and probe bitrate estimator as publicly described).
//!
//! At the start two rates are tried; whatever passes is doubled and tried again. Later a probe goes out when more is
//! wanted than is estimated: now and then, and soon after a drop or an outage. A receiver that estimates by itself is sent no
//! clusters but a little more than there is to send, for its estimate follows what comes in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, MIN_PACKETS, ProbeArrival, ProbeId, ProbeResult};

/// A cluster to be sent now: `bytes` in all, of which RTX or padding is what is not sent anyway, in at least `min_packets`
/// packets, at `rate_bps`. Whole datagrams count. Small probes want small packets: five of full size are a queue on a thin path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// To be given to `handle_sent` with each of its packets.
    pub id: ProbeId,
    /// Bits per second that leave while the cluster is sent, with all that is sent anyway.
    pub rate_bps: u64,
    /// Bytes of the whole cluster.
    pub bytes: usize,
    /// The fewest packets that measure anything.
    pub min_packets: usize,
}

/// Rates of the first two probes, as multiples of the initial estimate.
const START_FACTORS: [f64; 2] = [3.0, 6.0];

/// Rate of each later probe, as a multiple of what is known to pass.
const STEP_FACTOR: f64 = 2.0;

/// The same where the estimate is used to the full and jitter asks for a long cluster, which makes a queue.
const SMALL_STEP_FACTOR: f64 = 1.4;

/// A cluster's length: long against the 250 µs of the arrival times and a timer's millisecond, short against the queue
/// that a failed probe makes. Where there is jitter it is longer by a multiple of it, so that the cluster's arrivals
/// still show their order, up to a limit, which is lower where the estimate is used to the full.
const CLUSTER_MS: f64 = 20.0;
const CLUSTER_JITTERS: f64 = 6.0;
const MAX_CLUSTER_MS: f64 = 200.0;
const MAX_CLUSTER_MS_AS_QUEUE: f64 = 60.0;

/// Bytes of a cluster at least: small packets, each with its headers.
const MIN_BYTES: usize = 800;

/// A longer cluster has a packet for every so many milliseconds at least: jitter averages out over packets.
const MS_PER_PACKET: f64 = 4.0;

/// Clusters in the air. Further ones wait until these are judged.
const MAX_CLUSTERS: usize = 4;

/// A probe that reached this share of its rate is followed by a faster one.
const GO_ON: f64 = 0.7;

/// Time between probes while more is wanted, at first and at most: it doubles with each that failed.
const FIRST_INTERVAL: Duration = Duration::from_secs(2);
const MAX_INTERVAL: Duration = Duration::from_secs(6);

/// No probe within this time of a decrease: the queue has to be empty, or it is measured as well.
pub(super) const QUIET_AFTER_DECREASE: Duration = Duration::from_millis(1_500);

/// Useful rates: a little above what is wanted, for estimates are used with a margin.
const USEFUL: f64 = 1.2;

/// A receiver that estimates by itself (REMB) lets its estimate grow by 8 % a second, to one and a half times what comes in: with
/// what is sent alone it would never reach a step that costs more than that. While more is wanted, what is sent is filled up to
/// this share of the estimate, which the receiver has said that it takes: enough to grow by, little enough to leave a full
/// path room for a key frame.
const FILL_SHARE: f64 = 0.8;

/// So long a piece of filling is, before what is sent beside it is looked at again.
const FILL_PIECE: Duration = Duration::from_millis(200);

/// Bytes of its packets at most.
const FILL_PACKET_BYTES: usize = 1_200;

/// How long nothing is filled up after the receiver has lowered its estimate: the path is full then, and filling it again every
/// few seconds would be a queue each time.
const FILL_AFTER_FULL: Duration = Duration::from_secs(30);

/// An estimate is enough when it is this multiple of what is wanted: rates waver, and steps up need headroom.
const ENOUGH: f64 = 1.05;

/// A probe's rate is at least this multiple of what is known to pass.
const NEW_RATE: f64 = 1.05;

/// Decides when to probe and measures what comes of it.
#[derive(Debug, Clone)]
pub(super) struct Probing {
    /// Rates that wait for their turn, and whether they belong to a start.
    waiting: VecDeque<(f64, bool)>,
    clusters: Vec<Cluster>,
    next_id: u32,
    has_started: bool,
    desired_bps: f64,
    max_bps: f64,
    interval: Duration,
    next_at: Option<Instant>,
}

impl Probing {
    pub(super) fn new(max_bps: f64) -> Self {
        Self {
            waiting: VecDeque::new(),
            clusters: Vec::with_capacity(MAX_CLUSTERS),
            next_id: 0,
            has_started: false,
            desired_bps: 0.0,
            max_bps,
            interval: FIRST_INTERVAL,
            next_at: None,
        }
    }

    /// Whether it is one of the first, or was sent after a drop or outage.
    pub(super) fn is_start(&self, id: ProbeId) -> bool {
        self.clusters.iter().any(|cluster| cluster.id == id && cluster.is_start)
    }

    pub(super) fn set_max_bps(&mut self, max_bps: f64) {
        self.max_bps = max_bps;
        self.waiting.iter_mut().for_each(|(rate, _)| *rate = rate.min(max_bps));
    }

    /// Takes what would be sent if it could. The first wish starts the first probes; one that grows beyond the estimate
    /// is tried without waiting.
    pub(super) fn set_desired_bps(&mut self, now: Instant, bps: f64, estimate_bps: f64) {
        let was_enough = !self.is_more_wanted(estimate_bps);
        self.desired_bps = bps;
        if !self.has_started && bps > 0.0 {
            self.has_started = true;
            for factor in START_FACTORS {
                self.enqueue(estimate_bps * factor, estimate_bps, true);
            }
            self.next_at = Some(now + self.interval);
        } else if was_enough && self.is_more_wanted(estimate_bps) {
            self.next_at = Some(now);
        }
    }

    /// Tries `rates_bps` soon: after an outage or a drop, the rate from before may well be back.
    pub(super) fn recover(&mut self, now: Instant, rates_bps: &[f64], estimate_bps: f64) {
        self.waiting.clear();
        self.clusters.clear();
        for rate in rates_bps {
            self.enqueue(*rate, estimate_bps, true);
        }
        self.interval = FIRST_INTERVAL;
        self.next_at = Some(now + self.interval);
    }

    /// The rate fell: the next probe is not for now, and soon after.
    pub(super) fn handle_decrease(&mut self, now: Instant) {
        self.waiting.clear();
        let quiet_until = now + QUIET_AFTER_DECREASE;
        self.next_at = self.next_at.map(|at| at.max(quiet_until));
    }

    pub(super) fn poll_probe(
        &mut self,
        now: Instant,
        estimate_bps: f64,
        is_limited_by_application: bool,
        jitter_ms: f64,
        may_probe: bool,
    ) -> Option<Probe> {
        self.expire(now);
        if !may_probe || self.clusters.len() >= MAX_CLUSTERS {
            return None;
        }
        let is_queue = jitter_ms > 0.0 && !is_limited_by_application;
        let step_factor = if is_queue { SMALL_STEP_FACTOR } else { STEP_FACTOR };
        if self.is_due(now, estimate_bps) {
            self.enqueue(estimate_bps * step_factor, estimate_bps, false);
            self.next_at = Some(now + self.interval);
        }
        // What has waited may have become useless.
        let (rate_bps, is_start) = loop {
            let (rate, is_start) = self.waiting.pop_front()?;
            let rate = rate.min(self.max_bps);
            if rate > estimate_bps {
                break (rate, is_start);
            }
        };
        let id = self.next_id();
        let longest_ms = if is_queue { MAX_CLUSTER_MS_AS_QUEUE } else { MAX_CLUSTER_MS };
        let cluster_ms = (CLUSTER_MS + CLUSTER_JITTERS * jitter_ms).min(longest_ms);
        let bytes = ((rate_bps * cluster_ms / 8_000.0) as usize).max(MIN_BYTES);
        self.clusters.push(Cluster::new(now, id, rate_bps, bytes as u64, is_start, step_factor));
        let min_packets = MIN_PACKETS.max((cluster_ms / MS_PER_PACKET) as usize);
        Some(Probe { id, rate_bps: rate_bps as u64, bytes, min_packets })
    }

    /// The same for a receiver that estimates by itself: what raises its estimate. `sent_bps` is what is sent anyway.
    pub(super) fn poll_fill(&mut self, now: Instant, estimate_bps: f64, sent_bps: f64) -> Option<Probe> {
        // No feedback will tell what came of them.
        self.waiting.clear();
        self.clusters.clear();
        if !self.is_more_wanted(estimate_bps) || self.next_at.is_none_or(|at| now < at) {
            return None;
        }
        self.next_at = Some(now + FILL_PIECE);
        let rate_bps = FILL_SHARE * estimate_bps - sent_bps;
        let bytes = (rate_bps * FILL_PIECE.as_secs_f64() / 8.0) as usize;
        if bytes < MIN_BYTES {
            return None;
        }
        let id = self.next_id();
        Some(Probe { id, rate_bps: rate_bps as u64, bytes, min_packets: bytes.div_ceil(FILL_PACKET_BYTES) })
    }

    /// The receiver says that the path is full: it is left alone for a while.
    pub(super) fn handle_full(&mut self, now: Instant) {
        self.next_at = Some(now + FILL_AFTER_FULL);
    }

    /// When something is to be done; `quiet_until` is before when no probe is polled, if there is such a time.
    pub(super) fn poll_timeout(&self, estimate_bps: f64, quiet_until: Option<Instant>) -> Option<Instant> {
        let expiry = self.clusters.iter().map(|cluster| cluster.expires_at()).min();
        let due = self.next_at.filter(|_| self.is_more_wanted(estimate_bps) && self.clusters.is_empty());
        // Without a quiet time, what waits has been polled already, or there are too many clusters in the air.
        let waiting = quiet_until.filter(|_| !self.waiting.is_empty() && self.clusters.len() < MAX_CLUSTERS);
        expiry.into_iter().chain(due).chain(waiting).min()
    }

    /// Takes note of a packet sent, and tells of which cluster's measurement it is part: its own, or that of one which
    /// it goes out among, for what else is sent then fills the path as well.
    pub(super) fn handle_sent(&mut self, id: Option<ProbeId>, sent_us: i64, bytes: u64) -> Option<ProbeId> {
        let cluster = match id {
            Some(id) => self.clusters.iter_mut().find(|cluster| cluster.id == id),
            None => self.clusters.iter_mut().find(|cluster| cluster.is_being_sent()),
        }?;
        cluster.handle_sent(sent_us, bytes);
        Some(cluster.id)
    }

    pub(super) fn handle_received(&mut self, arrival: ProbeArrival) {
        if let Some(cluster) = self.clusters.iter_mut().find(|cluster| cluster.id == arrival.id) {
            cluster.handle_received(arrival);
        }
    }

    /// The next cluster that can be judged; `newest_us` is when the newest acknowledged packet was sent.
    pub(super) fn poll_result(&mut self, newest_us: i64, estimate_bps: f64) -> Option<ProbeResult> {
        loop {
            let index = self.clusters.iter().position(|cluster| cluster.is_complete(newest_us))?;
            let cluster = self.clusters.remove(index);
            let result = cluster.result();
            self.follow(&cluster, result, estimate_bps);
            if result.is_some() {
                return result;
            }
        }
    }

    fn follow(&mut self, cluster: &Cluster, result: Option<ProbeResult>, estimate_bps: f64) {
        let reached = result.is_some_and(|result| !result.filled_path && result.bps >= GO_ON * cluster.rate_bps);
        if reached {
            self.interval = FIRST_INTERVAL;
            let bps = result.map_or(0.0, |result| result.bps);
            if self.clusters.is_empty() && self.waiting.is_empty() {
                self.enqueue(bps * cluster.step_factor, bps.max(estimate_bps), cluster.is_start);
            }
        } else if !cluster.is_start {
            self.fail();
        }
    }

    fn next_id(&mut self) -> ProbeId {
        let id = ProbeId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    fn fail(&mut self) {
        self.interval = (self.interval * 2).min(MAX_INTERVAL);
    }

    pub(super) fn expire(&mut self, now: Instant) {
        let before = self.clusters.len();
        self.clusters.retain(|cluster| now < cluster.expires_at());
        if self.clusters.len() < before {
            self.fail();
        }
    }

    fn is_due(&self, now: Instant, estimate_bps: f64) -> bool {
        self.waiting.is_empty()
            && self.clusters.is_empty()
            && self.is_more_wanted(estimate_bps)
            && self.next_at.is_some_and(|at| now >= at)
    }

    fn is_more_wanted(&self, estimate_bps: f64) -> bool {
        estimate_bps < self.max_bps && self.desired_bps * ENOUGH > estimate_bps
    }

    /// Queues a rate, as far as it is useful: more than is wanted is never tried.
    fn enqueue(&mut self, rate_bps: f64, known_bps: f64, is_start: bool) {
        let rate_bps = rate_bps.min(self.max_bps).min(self.desired_bps * USEFUL);
        let is_new = self.waiting.back().is_none_or(|(last, _)| rate_bps > *last);
        if rate_bps > known_bps * NEW_RATE && is_new && self.waiting.len() < MAX_CLUSTERS {
            self.waiting.push_back((rate_bps, is_start));
        }
    }
}
