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
    /// Of the buckets before the latest one.
    bytes: [u64; BUCKETS],
    /// The bucket of the latest packet, counted from the origin.
    latest: u64,
    /// Where it ends: the next packet is of the same one most of the time, and then nothing is to be worked out.
    latest_ends: Option<Instant>,
    /// Its bytes, and those of all others in the window that ends with it.
    latest_bytes: u64,
    older_bytes: u64,
}

impl RateMeter {
    /// Counts `bytes` at `now`. Time that runs backwards counts as the latest time seen.
    #[inline]
    pub fn handle_bytes(&mut self, now: Instant, bytes: usize) {
        if self.latest_ends.is_none_or(|end| now >= end) {
            self.begin(now);
        }
        self.latest_bytes = self.latest_bytes.saturating_add(bytes as u64);
    }

    /// Goes on to the bucket of `now`.
    #[cold]
    fn begin(&mut self, now: Instant) {
        let origin = *self.origin.get_or_insert(now);
        self.advance(bucket_at(origin, now));
        self.latest_ends = u32::try_from(self.latest + 1).ok().and_then(|buckets| origin.checked_add(BUCKET * buckets));
    }

    /// The rate at `now`, in bits per second. A window that is not yet full is divided by its full length, so a
    /// stream's first second reads low rather than wild.
    pub fn bitrate_bps(&self, now: Instant) -> u64 {
        let older_bytes = match self.latest_ends {
            Some(end) if now < end => self.older_bytes,
            _ => {
                let Some(origin) = self.origin else { return 0 };
                let gone = bucket_at(origin, now).saturating_sub(self.latest);
                if gone >= BUCKETS as u64 {
                    return 0;
                }
                // The oldest `gone` buckets have left the window since the last packet.
                (1..=gone)
                    .filter_map(|age| self.bytes.get(((self.latest + age) % BUCKETS as u64) as usize))
                    .fold(self.older_bytes, |bytes, left| bytes.saturating_sub(*left))
            }
        };
        self.latest_bytes.saturating_add(older_bytes).saturating_mul(8_000) / RATE_WINDOW.as_millis() as u64
    }

    fn advance(&mut self, bucket: u64) {
        let steps = bucket.saturating_sub(self.latest);
        if steps == 0 {
            return;
        }
        let latest = std::mem::take(&mut self.latest_bytes);
        if let Some(slot) = self.bytes.get_mut((self.latest % BUCKETS as u64) as usize) {
            *slot = latest;
        }
        let mut left = 0_u64;
        for step in 1..=steps.min(BUCKETS as u64) {
            // Counted back from the new latest, so that a long silence clears every bucket once.
            let index = ((bucket - (step - 1)) % BUCKETS as u64) as usize;
            if let Some(slot) = self.bytes.get_mut(index) {
                left = left.saturating_add(std::mem::take(slot));
            }
        }
        self.older_bytes = self.older_bytes.saturating_add(latest).saturating_sub(left);
        self.latest = bucket;
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

    /// Harm prevented: the sum that is kept drifts from what is in the buckets.
    #[test]
    fn a_rate_is_what_came_in_the_buckets_of_the_window_however_they_came() {
        let start = origin();
        let mut meter = RateMeter::default();
        // Its buckets begin with the first packet.
        meter.handle_bytes(start, 0);
        let (mut at_ms, mut came, mut state) = (0_u64, Vec::new(), 7_u64);
        for _ in 0..2_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let draw = state >> 33;
            // Bursts, pauses within the window, and some beyond it.
            at_ms += [0, 0, 3, 40, 170, 2_500][(draw % 6) as usize] * (1 + draw / 6 % 3);
            meter.handle_bytes(start + Duration::from_millis(at_ms), (draw % 1_500) as usize);
            came.push((at_ms / BUCKET_MS, draw % 1_500));
            for later_ms in [0, 49, 50, 600, 949, 951, 1_000, 5_000] {
                let newest = (at_ms + later_ms) / BUCKET_MS;
                let bytes: u64 = came
                    .iter()
                    .rev()
                    .take_while(|(bucket, _)| bucket + BUCKETS as u64 > newest)
                    .map(|(_, bytes)| bytes)
                    .sum();
                assert_eq!(meter.bitrate_bps(start + Duration::from_millis(at_ms + later_ms)), bytes * 8);
            }
        }
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
