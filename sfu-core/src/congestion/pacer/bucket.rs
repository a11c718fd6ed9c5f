//! The leaky bucket: how much may leave now.

use std::time::{Duration, Instant};

use super::{BURST, MIN_BURST_BYTES};

/// Billionths of a bit: what a rate in bits per second gives in a nanosecond is a whole number of them, so nothing is ever
/// rounded away. A burst of them fits 63 bits up to 400 Gbit/s; beyond it, and beyond what fills any burst, they saturate.
const UNITS_PER_BYTE: i64 = 8 * 1_000_000_000;

#[derive(Debug)]
pub(super) struct Bucket {
    rate_bps: u64,
    /// What may leave at once, which goes by the rate.
    burst: i64,
    updated_at: Instant,
    /// What may leave now. Below zero after more was taken, at most by a burst.
    credit: i64,
}

impl Bucket {
    pub(super) fn full(now: Instant, rate_bps: u64) -> Self {
        Self { rate_bps, burst: burst(rate_bps), updated_at: now, credit: burst(rate_bps) }
    }

    /// To be called after a refill at the old rate.
    pub(super) fn set_rate(&mut self, rate_bps: u64) {
        self.rate_bps = rate_bps;
        self.burst = burst(rate_bps);
        self.credit = self.credit.clamp(-self.burst, self.burst);
    }

    /// Fills with the time since the last refill, at the pacing rate or `drain_bps` if that is more.
    pub(super) fn refill(&mut self, now: Instant, drain_bps: u64) {
        if now <= self.updated_at {
            return;
        }
        let elapsed = now.saturating_duration_since(self.updated_at);
        self.updated_at = now;
        let gained = signed(self.rate_bps.max(drain_bps)).saturating_mul(nanos(elapsed));
        self.credit = self.credit.saturating_add(gained).min(self.burst);
    }

    /// True if `bytes` may leave. What is larger than a burst may leave when the bucket is full.
    pub(super) fn has(&self, bytes: usize) -> bool {
        self.credit >= self.needed(bytes)
    }

    pub(super) fn try_take(&mut self, bytes: usize) -> bool {
        let units = units(bytes);
        let has = self.credit >= units.min(self.burst);
        if has {
            self.take_units(units);
        }
        has
    }

    /// Takes what leaves whether or not it is there. The debt is bounded by a burst, so that a probe does not hold up video for
    /// longer than the bucket takes to fill twice.
    pub(super) fn take(&mut self, bytes: usize) {
        self.take_units(units(bytes));
    }

    fn take_units(&mut self, units: i64) {
        self.credit = self.credit.saturating_sub(units).max(-self.burst);
    }

    /// When `bytes` may leave, at the pacing rate or `drain_bps` if that is more.
    pub(super) fn available_at(&self, bytes: usize, drain_bps: u64) -> Instant {
        let missing = self.needed(bytes).saturating_sub(self.credit).max(0);
        let rate_bps = signed(self.rate_bps.max(drain_bps).max(1));
        let wait = missing.saturating_add(rate_bps - 1) / rate_bps;
        self.updated_at + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    pub(super) fn updated_at(&self) -> Instant {
        self.updated_at
    }

    fn needed(&self, bytes: usize) -> i64 {
        units(bytes).min(self.burst)
    }
}

fn burst(rate_bps: u64) -> i64 {
    signed(rate_bps).saturating_mul(nanos(BURST)).max(units(MIN_BURST_BYTES))
}

fn units(bytes: usize) -> i64 {
    // A GiB fills any burst that is one.
    bytes.min(1 << 30) as i64 * UNITS_PER_BYTE
}

fn nanos(duration: Duration) -> i64 {
    signed(duration.as_secs()).saturating_mul(1_000_000_000).saturating_add(i64::from(duration.subsec_nanos()))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
