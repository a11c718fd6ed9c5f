//! Interarrival jitter.

use std::time::{Duration, Instant};

/// A transit time that differs by more than this from the last packet's says that the timestamps jumped, not that
/// the network did. It is left out of the jitter, which would take minutes to decay.
const MAX_TRANSIT_CHANGE: Duration = Duration::from_secs(5);

/// Interarrival jitter (RFC 3550 appendix A.8), over packets in order whose timestamp differs from the last one's:
/// the packets of one video frame share a timestamp, and the time that a burst takes is not the network's jitter.
#[derive(Debug, Clone)]
pub(super) struct Jitter {
    clock_rate_hz: u32,
    last: Option<(Instant, u32)>,
    scaled_by_16: u32,
}

impl Jitter {
    pub(super) fn new(clock_rate_hz: u32) -> Self {
        Self { clock_rate_hz, last: None, scaled_by_16: 0 }
    }

    /// The timestamps have nothing to do with those before.
    pub(super) fn restart(&mut self) {
        self.last = None;
    }

    pub(super) fn handle_packet(&mut self, now: Instant, timestamp: u32) {
        let Some((last_at, last_timestamp)) = self.last else {
            self.last = Some((now, timestamp));
            return;
        };
        if timestamp == last_timestamp {
            return;
        }
        self.last = Some((now, timestamp));
        let elapsed = now.saturating_duration_since(last_at).as_micros() as i64;
        let elapsed_units = elapsed.saturating_mul(i64::from(self.clock_rate_hz)) / 1_000_000;
        let media_units = i64::from(timestamp.wrapping_sub(last_timestamp) as i32);
        let change = (elapsed_units - media_units).unsigned_abs();
        if change < MAX_TRANSIT_CHANGE.as_secs() * u64::from(self.clock_rate_hz) {
            let decayed = self.scaled_by_16 - ((self.scaled_by_16 + 8) >> 4).min(self.scaled_by_16);
            self.scaled_by_16 = decayed.saturating_add(change as u32);
        }
    }

    pub(super) fn value(&self) -> u32 {
        self.scaled_by_16 >> 4
    }
}
