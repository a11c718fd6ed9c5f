//! Sends a probe: so many bytes at such a rate, to learn whether a path carries it.

use std::time::{Duration, Instant};

use super::TICK;

/// How much longer than planned a probe may take. Later than that it is given up: what it lasts longer it sends slower, and
/// then tells nothing about the rate in question.
pub const PROBE_GRACE: Duration = Duration::from_millis(100);

/// One probe cluster on its way: says how many bytes are due, until all are sent or its time is over. What is sent anyway
/// meanwhile fills the path as well and counts; too few packets measure nothing, so there are always enough of them.
#[derive(Debug, Clone)]
pub struct ProbeSender {
    started_at: Instant,
    rate_bps: u64,
    bytes: usize,
    min_packets: usize,
    sent: usize,
    sent_packets: usize,
    /// Nothing before this: the tick.
    next_at: Instant,
}

impl ProbeSender {
    /// Begins a probe of `bytes` in at least `min_packets` packets at `rate_bps` (both at least 1).
    pub fn new(now: Instant, rate_bps: u64, bytes: usize, min_packets: usize) -> Self {
        let (rate_bps, min_packets) = (rate_bps.max(1), if bytes == 0 { 0 } else { min_packets.max(1) });
        Self { started_at: now, rate_bps, bytes, min_packets, sent: 0, sent_packets: 0, next_at: now }
    }

    /// How large a packet may be, so that there are enough of them: few packets measure nothing.
    pub fn packet_bytes_max(&self) -> usize {
        self.bytes / self.min_packets.max(1)
    }

    /// How many bytes to send at `now`; zero when none are due. Packets are whole, so more may be sent: the next then come later.
    /// Afterwards [`ProbeSender::handle_sent`] for each packet.
    pub fn poll(&mut self, now: Instant) -> usize {
        if self.is_finished(now) || now < self.next_at {
            return 0;
        }
        let elapsed = now.saturating_duration_since(self.started_at);
        // The first packet leaves at once: the rate is that between the packets.
        let due = bytes_in(self.rate_bps, elapsed).saturating_add(1).min(self.bytes_in_all());
        let due = due.saturating_sub(self.sent);
        self.next_at = now + TICK;
        due
    }

    /// Counts so many packets of the probe, of `bytes` together.
    pub fn handle_sent(&mut self, packets: usize, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes);
        self.sent_packets = self.sent_packets.saturating_add(packets);
    }

    /// Counts a packet that is not of the probe. Before the probe's first one it is none of its time.
    pub fn handle_other_sent(&mut self, bytes: usize) {
        if self.sent > 0 {
            self.handle_sent(1, bytes);
        }
    }

    /// When to poll again; `None` once all has been sent.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_sent() {
            return None;
        }
        let due = self.started_at + time_of(self.rate_bps, self.sent);
        Some(due.max(self.next_at).min(self.deadline()).max(self.started_at))
    }

    /// True once all has been sent, or the time for it is over ([`PROBE_GRACE`]).
    pub fn is_finished(&self, now: Instant) -> bool {
        self.is_sent() || now >= self.deadline()
    }

    fn is_sent(&self) -> bool {
        self.sent >= self.bytes && self.sent_packets >= self.min_packets
    }

    /// What is planned, or more where large packets of others made it up and there are too few.
    fn bytes_in_all(&self) -> usize {
        let missing = self.min_packets.saturating_sub(self.sent_packets);
        self.bytes.max(self.sent.saturating_add(missing.saturating_mul(self.packet_bytes_max())))
    }

    fn deadline(&self) -> Instant {
        self.started_at + time_of(self.rate_bps, self.bytes) + PROBE_GRACE
    }
}

fn bytes_in(rate_bps: u64, elapsed: Duration) -> usize {
    let bytes = u128::from(rate_bps).saturating_mul(elapsed.as_nanos()) / 8_000_000_000;
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The longest that a probe is planned to take, however slow: beyond it the path has changed.
const MAX_PLANNED: Duration = Duration::from_secs(5);

fn time_of(rate_bps: u64, bytes: usize) -> Duration {
    let nanos = (bytes as u128 * 8_000_000_000).div_ceil(u128::from(rate_bps));
    u64::try_from(nanos).map_or(MAX_PLANNED, Duration::from_nanos).min(MAX_PLANNED)
}
