//! The rate of one layer, cheap to feed and deaf to single key frames.

use std::time::{Duration, Instant};

use super::{LIVE_WITHIN, LIVE_WITHIN_MAX};

/// One sample. Holds two frames of the slowest temporal layer of a camera.
const SAMPLE: Duration = Duration::from_millis(500);

/// A pause longer than this is the sender's stopping, and not part of the rate. A still screen, sent once a second, is no pause.
const STOPPED_AFTER: Duration = Duration::from_secs(2);

/// A layer's rate in samples of [`SAMPLE`]: the median of three drops the one that holds a key frame, and half of each new
/// median is taken, so that a lasting change is three quarters known after a second and a half.
///
/// The `RateMeter` of twenty buckets forgets a stream within a second of its stopping; this one remembers.
#[derive(Debug)]
pub(super) struct LayerMeter {
    sample_start: Instant,
    sample_bytes: u64,
    last_packet: Instant,
    /// The longest pause between packets in this sample, and in the one before.
    pauses: [Duration; 2],
    samples_bps: [Option<u64>; 3],
    smoothed_bps: Option<u64>,
}

impl LayerMeter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            sample_start: now,
            sample_bytes: 0,
            last_packet: now,
            pauses: [Duration::ZERO; 2],
            samples_bps: [None; 3],
            smoothed_bps: None,
        }
    }

    /// Counts `bytes` at `now`. Time that runs backwards counts as the latest time seen.
    pub(super) fn handle_bytes(&mut self, now: Instant, bytes: usize) {
        let pause = now.saturating_duration_since(self.last_packet);
        if pause > STOPPED_AFTER {
            self.end_sample(self.last_packet);
            self.sample_start = now;
        } else if now.saturating_duration_since(self.sample_start) >= SAMPLE {
            self.pauses[0] = self.pauses[0].max(pause);
            self.end_sample(now);
        } else {
            self.pauses[0] = self.pauses[0].max(pause);
        }
        self.sample_bytes = self.sample_bytes.saturating_add(bytes as u64);
        self.last_packet = self.last_packet.max(now);
    }

    /// The rate, or the last one known if nothing is being sent. `None` before the first sample is complete: a key frame alone
    /// says nothing about what follows it.
    pub(super) fn bitrate_bps(&self, now: Instant) -> Option<u64> {
        self.smoothed_bps.or_else(|| {
            let elapsed = now.saturating_duration_since(self.sample_start);
            (elapsed >= SAMPLE).then(|| rate_bps(self.sample_bytes, elapsed.min(STOPPED_AFTER)))
        })
    }

    pub(super) fn is_live(&self, now: Instant) -> bool {
        let usual = self.pauses[0].max(self.pauses[1]) * 2;
        now.saturating_duration_since(self.last_packet) <= usual.clamp(LIVE_WITHIN, LIVE_WITHIN_MAX)
    }

    fn end_sample(&mut self, at: Instant) {
        let length = at.saturating_duration_since(self.sample_start);
        // What was cut short by a stop is kept only if there is nothing better.
        if length >= SAMPLE || self.smoothed_bps.is_none() {
            self.handle_sample(rate_bps(self.sample_bytes, length.max(SAMPLE)));
        }
        self.sample_start = at;
        self.sample_bytes = 0;
        self.pauses = [Duration::ZERO, self.pauses[0]];
    }

    fn handle_sample(&mut self, bps: u64) {
        self.samples_bps = [Some(bps), self.samples_bps[0], self.samples_bps[1]];
        let median = match self.samples_bps {
            [Some(a), Some(b), Some(c)] => a.max(b).min(a.min(b).max(c)),
            // Of the first two the lower: a stream begins with a key frame.
            [Some(a), Some(b), None] => a.min(b),
            _ => bps,
        };
        self.smoothed_bps = Some(match self.smoothed_bps {
            Some(smoothed) if self.samples_bps[2].is_some() => smoothed.midpoint(median),
            _ => median,
        });
    }
}

fn rate_bps(bytes: u64, over: Duration) -> u64 {
    let bits = u128::from(bytes) * 8;
    u64::try_from(bits * 1_000_000_000 / over.as_nanos().max(1)).unwrap_or(u64::MAX)
}
