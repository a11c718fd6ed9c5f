//! A byte rate over a sliding window, in constant memory.

use std::time::{Duration, Instant};

/// Buckets in the window. Twenty make the window's edge 5 % of its length.
const BUCKETS: usize = 20;

/// One bucket's length.
const BUCKET: Duration = Duration::from_millis(BUCKET_MS);
const BUCKET_MS: u64 = 50;

/// The window that a rate is measured over: 1 s, long enough to hold a key frame and the quiet that follows it.
pub const RATE_WINDOW: Duration = Duration::from_millis(BUCKET_MS * BUCKETS as u64);

/// Bits per second received or sent over the last [`RATE_WINDOW`].
#[derive(Debug, Clone, Default)]
pub struct RateMeter {
    origin: Option<Instant>,
    bytes: [u64; BUCKETS],
    /// The bucket of the latest packet, counted from the origin.
    latest: u64,
    /// Where it ends: the next packet is of the same one most of the time, and then nothing is to be worked out.
    latest_ends: Option<Instant>,
    /// Its place among the buckets.
    latest_index: usize,
}

impl RateMeter {
    /// Counts `bytes` at `now`. Time that runs backwards counts as the latest time seen.
    #[inline]
    pub fn handle_bytes(&mut self, now: Instant, bytes: usize) {
        if self.latest_ends.is_none_or(|end| now >= end) {
            self.begin(now);
        }
        if let Some(slot) = self.bytes.get_mut(self.latest_index) {
            *slot = slot.saturating_add(bytes as u64);
        }
    }

    /// Goes on to the bucket of `now`.
    #[cold]
    fn begin(&mut self, now: Instant) {
        let origin = *self.origin.get_or_insert(now);
        self.advance(bucket_at(origin, now));
        self.latest_index = (self.latest % BUCKETS as u64) as usize;
        self.latest_ends = u32::try_from(self.latest + 1).ok().and_then(|buckets| origin.checked_add(BUCKET * buckets));
    }

    /// The rate at `now`, in bits per second. A window that is not yet full is divided by its full length, so a
    /// stream's first second reads low rather than wild.
    pub fn bitrate_bps(&self, now: Instant) -> u64 {
        let Some(origin) = self.origin else { return 0 };
        let gone = bucket_at(origin, now).saturating_sub(self.latest).min(BUCKETS as u64);
        // The oldest `gone` buckets have left the window since the last packet.
        let live: u64 = (0..BUCKETS as u64 - gone)
            .filter_map(|age| self.latest.checked_sub(age))
            .filter_map(|bucket| self.bytes.get((bucket % BUCKETS as u64) as usize))
            .sum();
        live.saturating_mul(8_000) / RATE_WINDOW.as_millis() as u64
    }

    fn advance(&mut self, bucket: u64) {
        let steps = bucket.saturating_sub(self.latest);
        for step in 1..=steps.min(BUCKETS as u64) {
            // Counted back from the new latest, so that a long silence clears every bucket once.
            let index = ((bucket - (step - 1)) % BUCKETS as u64) as usize;
            if let Some(slot) = self.bytes.get_mut(index) {
                *slot = 0;
            }
        }
        self.latest = self.latest.max(bucket);
    }
}

fn bucket_at(origin: Instant, now: Instant) -> u64 {
    let passed = now.saturating_duration_since(origin);
    (passed.as_secs() * 1000 + u64::from(passed.subsec_millis())) / BUCKET_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::origin;

    #[test]
    fn a_steady_stream_reads_its_rate() {
        let start = origin();
        let mut meter = RateMeter::default();
        for i in 0..500 {
            meter.handle_bytes(start + Duration::from_millis(i * 10), 1250);
        }
        let now = start + Duration::from_millis(4990);
        assert_eq!(meter.bitrate_bps(now), 1_000_000);
    }

    #[test]
    fn the_rate_falls_as_the_window_empties_and_is_zero_after_it() {
        let start = origin();
        let mut meter = RateMeter::default();
        for i in 0..200 {
            meter.handle_bytes(start + Duration::from_millis(i * 10), 1250);
        }
        assert_eq!(meter.bitrate_bps(start + Duration::from_millis(2490)), 500_000);
        assert_eq!(meter.bitrate_bps(start + Duration::from_millis(3000)), 0);
    }

    #[test]
    fn a_silence_longer_than_the_window_leaves_nothing_behind() {
        let start = origin();
        let mut meter = RateMeter::default();
        meter.handle_bytes(start, 1_000_000);
        meter.handle_bytes(start + Duration::from_secs(3600), 125);
        assert_eq!(meter.bitrate_bps(start + Duration::from_secs(3600)), 1000);
    }

    #[test]
    fn a_gap_clears_each_bucket_that_it_skips() {
        let start = origin();
        let mut meter = RateMeter::default();
        for ms in [0, 50, 100] {
            meter.handle_bytes(start + Duration::from_millis(ms), 1000);
        }
        meter.handle_bytes(start + Duration::from_millis(1250), 125);
        assert_eq!(meter.bitrate_bps(start + Duration::from_millis(1250)), 1000);
    }

    #[test]
    fn time_that_runs_backwards_is_harmless() {
        let start = origin() + Duration::from_secs(10);
        let mut meter = RateMeter::default();
        meter.handle_bytes(start, 125);
        meter.handle_bytes(start - Duration::from_secs(5), 125);
        assert_eq!(meter.bitrate_bps(start), 2000);
    }
}
