//! One probe: a cluster of packets, from what is sent of it to what its arrivals say of the path (the parts of libwebrtc's
//! probe bitrate estimator as publicly described).

use std::time::{Duration, Instant};

/// Names a probe: packets sent for it carry it back to the estimator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProbeId(pub u32);

/// A cluster has at least this many packets, so that enough arrive where many are lost.
pub(super) const MIN_PACKETS: usize = 8;

/// Fewer that arrive show no slope.
const MIN_RECEIVED_PACKETS: u32 = 4;

/// After this time a cluster is judged to have failed: longer than any round trip with its feedback.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(2);

/// Packets sent this long after a cluster's end are acknowledged: what is missing of it is lost.
const REORDER_GRACE_US: i64 = 30_000;

/// Below this share of the packets received there is no result.
const MIN_RECEIVED: f64 = 0.5;

/// A cluster sent within less time has no rate.
const MIN_SENT_MS: f64 = 1.0;

/// A cluster whose rate came through to this share, with what was sent among it, did not find the path's end: jitter
/// alone makes a cluster look that much longer.
const PASSED: f64 = 0.85;

/// A cluster that took this much longer to arrive than to leave filled the path.
const MAX_STRETCH: f64 = 1.12;

/// A packet of a probe that arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProbeArrival {
    pub(super) id: ProbeId,
    pub(super) sent_us: i64,
    pub(super) arrival_us: i64,
    pub(super) bytes: u64,
}

/// What came of a cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProbeResult {
    /// Bits per second that passed.
    pub(super) bps: f64,
    /// The path gave no more: the rate is that of a full path, others' share and all.
    pub(super) filled_path: bool,
    /// Its packets were delayed more and more: others on the path gave way to it for that moment.
    pub(super) is_stretched: bool,
    /// It was one of the first, or followed from one, or was sent after a drop or outage.
    pub(super) is_start: bool,
}

/// What was sent for one probe and with it, and how it arrived.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) id: ProbeId,
    pub(super) rate_bps: f64,
    pub(super) is_start: bool,
    /// The rate of the next one, if this one passes.
    pub(super) step_factor: f64,
    began: Instant,
    bytes: u64,
    /// Of its own packets and those that went out among them.
    sent_bytes: u64,
    sent_packets: u32,
    first_sent_us: i64,
    last_sent_us: i64,
    received_bytes: u64,
    received_packets: u32,
    /// Sending time and delay of the packet that came first, and of each from there: what a line through the delays
    /// needs, in milliseconds.
    origin_us: Option<(i64, i64)>,
    sums: Sums,
    first_sent_ms: f64,
    last_sent_ms: f64,
    last_bytes: u64,
}

/// Sums over sending times (x) and delays (y).
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Cluster {
    pub(super) fn new(
        began: Instant,
        id: ProbeId,
        rate_bps: f64,
        bytes: u64,
        is_start: bool,
        step_factor: f64,
    ) -> Self {
        Self {
            id,
            rate_bps,
            is_start,
            step_factor,
            began,
            bytes,
            sent_bytes: 0,
            sent_packets: 0,
            first_sent_us: 0,
            last_sent_us: 0,
            received_bytes: 0,
            received_packets: 0,
            origin_us: None,
            sums: Sums::default(),
            first_sent_ms: 0.0,
            last_sent_ms: 0.0,
            last_bytes: 0,
        }
    }

    /// When it is judged to have failed.
    pub(super) fn expires_at(&self) -> Instant {
        self.began + CLUSTER_TIMEOUT
    }

    pub(super) fn handle_sent(&mut self, sent_us: i64, bytes: u64) {
        if self.sent_packets == 0 {
            self.first_sent_us = sent_us;
        }
        self.sent_bytes += bytes;
        self.sent_packets = self.sent_packets.saturating_add(1);
        self.last_sent_us = sent_us;
    }

    pub(super) fn handle_received(&mut self, arrival: ProbeArrival) {
        let ProbeArrival { sent_us, arrival_us, bytes, .. } = arrival;
        let delay_us = arrival_us.saturating_sub(sent_us);
        let (origin_sent_us, origin_delay_us) = *self.origin_us.get_or_insert((sent_us, delay_us));
        let x = (sent_us - origin_sent_us) as f64 / 1_000.0;
        let y = delay_us.saturating_sub(origin_delay_us) as f64 / 1_000.0;
        self.sums.x += x;
        self.sums.y += y;
        self.sums.xx += x * x;
        self.sums.xy += x * y;
        self.sums.yy += y * y;
        self.received_bytes += bytes;
        self.received_packets = self.received_packets.saturating_add(1);
        self.first_sent_ms = self.first_sent_ms.min(x);
        if x >= self.last_sent_ms {
            self.last_sent_ms = x;
            self.last_bytes = bytes;
        }
    }

    /// A frame that leaves at once in the midst of it may be all of its bytes, and no measure of its rate.
    pub(super) fn is_being_sent(&self) -> bool {
        let planned_us = (self.bytes as f64 * 8e6 / self.rate_bps) as i64;
        let sent_us = self.last_sent_us.saturating_sub(self.first_sent_us);
        self.sent_packets > 0 && (self.sent_bytes < self.bytes || sent_us < planned_us * 3 / 4)
    }

    /// Everything is received, or what is missing will not come.
    pub(super) fn is_complete(&self, newest_us: i64) -> bool {
        if self.sent_packets == 0 {
            return false;
        }
        let is_sent = !self.is_being_sent() && self.sent_packets >= MIN_PACKETS as u32;
        (is_sent && self.received_packets >= self.sent_packets) || newest_us > self.last_sent_us + REORDER_GRACE_US
    }

    pub(super) fn result(&self) -> Option<ProbeResult> {
        let received = f64::from(self.received_packets) / f64::from(self.sent_packets.max(1));
        if received < MIN_RECEIVED || self.received_packets < MIN_RECEIVED_PACKETS {
            return None;
        }
        let sent_ms = self.last_sent_ms - self.first_sent_ms;
        if sent_ms < MIN_SENT_MS {
            return None;
        }
        // The last packet bounds the time of sending and does not fill it.
        let send_bps = (self.received_bytes - self.last_bytes) as f64 * 8_000.0 / sent_ms;
        // A path that is full delays each packet more than the one before, by what it lacks.
        let stretch = 1.0 + self.delay_slope()?.max(0.0);
        let is_stretched = stretch > MAX_STRETCH;
        // A packet lost on the way was sent at the rate all the same, as long as the path was not full.
        let bps = if is_stretched { send_bps / stretch } else { send_bps / stretch / received };
        let filled_path = is_stretched && bps < PASSED * self.rate_bps;
        Some(ProbeResult {
            bps: bps.min(self.rate_bps * MAX_STRETCH),
            filled_path,
            is_stretched,
            is_start: self.is_start,
        })
    }

    /// The slope by least squares, and one standard error on top: jitter must not make a full path look free.
    fn delay_slope(&self) -> Option<f64> {
        let n = f64::from(self.received_packets);
        let Sums { x, y, xx, xy, yy } = self.sums;
        let (variance_x, covariance, variance_y) = (xx - x * x / n, xy - x * y / n, yy - y * y / n);
        if n < 3.0 || variance_x <= 0.0 {
            return None;
        }
        let slope = covariance / variance_x;
        let residual = ((variance_y - slope * covariance) / (n - 2.0)).max(0.0);
        Some(slope + (residual / variance_x).sqrt())
    }
}
