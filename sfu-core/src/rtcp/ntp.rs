//! NTP time for reports, from a clock that is read once, outside the core.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds from the NTP epoch (1900) to the Unix epoch (1970), RFC 868.
const NTP_TO_UNIX_SECONDS: u64 = 2_208_988_800;

/// A 64-bit NTP timestamp (RFC 3550 section 4): seconds since 1900 in the upper half, their fraction in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The middle 32 bits, in units of 1/65536 s: the form of LSR (RFC 3550 section 6.4.1).
    pub fn middle_32(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// Milliseconds since 1970, for the first 136 years of it: a time before 1970 is one after the format's wrap of 2036.
    pub fn unix_ms(self) -> u64 {
        let seconds = self.0 >> 32;
        let era = if seconds < NTP_TO_UNIX_SECONDS { 1 << 32 } else { 0 };
        let fraction_ms = ((self.0 & 0xffff_ffff) * 1000) >> 32;
        (seconds + era - NTP_TO_UNIX_SECONDS) * 1000 + fraction_ms
    }
}

/// Ties the monotonic clock to the wall clock at one moment, so that reports carry NTP time while the core reads no
/// clock. Later steps of the machine's wall clock are deliberately not followed: receivers need a steady timeline
/// more than a correct date.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    origin: Instant,
    ntp_at_origin: NtpTime,
}

impl WallClock {
    /// `instant` and `wall` are readings of the two clocks at the same moment. A wall clock before 1970 counts as 1970.
    pub fn new(instant: Instant, wall: SystemTime) -> Self {
        let since_unix_epoch = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let since_ntp_epoch = since_unix_epoch.saturating_add(Duration::from_secs(NTP_TO_UNIX_SECONDS));
        Self { origin: instant, ntp_at_origin: NtpTime(to_fixed_32_32(since_ntp_epoch)) }
    }

    /// The NTP time at `now`. Wraps in 2036, as the format does.
    pub fn ntp(&self, now: Instant) -> NtpTime {
        let offset = match now.checked_duration_since(self.origin) {
            Some(after) => to_fixed_32_32(after),
            None => to_fixed_32_32(self.origin.saturating_duration_since(now)).wrapping_neg(),
        };
        NtpTime(self.ntp_at_origin.0.wrapping_add(offset))
    }
}

/// A duration in units of 1/65536 s, as DLSR has it (RFC 3550 section 6.4.1). Saturates after 18 hours.
pub fn to_short_ntp(duration: Duration) -> u32 {
    u32::try_from(to_fixed_32_32(duration) >> 16).unwrap_or(u32::MAX)
}

/// The inverse of [`to_short_ntp`].
pub fn from_short_ntp(units: u32) -> Duration {
    Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16)
}

/// Seconds in 32.32 fixed point; whole seconds wrap at 2^32.
fn to_fixed_32_32(duration: Duration) -> u64 {
    let fraction = (u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000;
    (duration.as_secs() << 32) | fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::origin;

    #[test]
    fn the_unix_epoch_is_the_known_ntp_second() {
        let start = origin();
        let clock = WallClock::new(start, UNIX_EPOCH);
        assert_eq!(clock.ntp(start).0, 2_208_988_800 << 32);
        assert_eq!(clock.ntp(start + Duration::from_millis(1500)).0, (2_208_988_801 << 32) | 0x8000_0000);
    }

    #[test]
    fn unix_time_goes_on_after_the_format_wraps() {
        let start = origin();
        for ms in [0, 1_700_000_000_250, 2_085_978_495_500, 2_085_978_496_500, 4_000_000_000_750] {
            let clock = WallClock::new(start, UNIX_EPOCH + Duration::from_millis(ms));
            assert_eq!(clock.ntp(start).unix_ms(), ms);
        }
    }

    #[test]
    fn a_moment_before_the_origin_is_earlier_too() {
        let start = origin() + Duration::from_secs(10);
        let clock = WallClock::new(start, UNIX_EPOCH + Duration::from_secs(100));
        assert_eq!(clock.ntp(start - Duration::from_secs(1)).0, (2_208_988_800 + 99) << 32);
    }

    #[test]
    fn the_short_form_is_the_middle() {
        assert_eq!(NtpTime(0x1122_3344_5566_7788).middle_32(), 0x3344_5566);
    }

    #[test]
    fn short_durations_round_trip_and_saturate() {
        assert_eq!(to_short_ntp(Duration::from_millis(500)), 0x8000);
        assert_eq!(from_short_ntp(0x8000), Duration::from_millis(500));
        assert_eq!(to_short_ntp(Duration::from_secs(70_000)), u32::MAX);
    }
}
