//! Timestamps (RFC 3550 section 5.1).

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::producer::receive_stream::SourceReport;

/// How far a source's own clock may be from the time that passed here, in seconds, to be believed: more than any network delays
/// a packet while people still talk over it, less than what a viewer would take for a broken clock.
const MAX_CLOCK_DEVIATION_S: i64 = 2;

/// Gives a producer's timestamps those of a consumer's stream: shifted by an offset that changes with the source only.
#[derive(Clone, Debug)]
pub struct TimestampRewriter {
    /// Output minus input.
    offset: u32,
    /// The newest output, and when it was handed out.
    last: Option<(u32, Instant)>,
    /// How many ticks the outputs are ahead of the sources' common clock, for time never went back at a switch. Made up for at
    /// later switches.
    ahead: i64,
}

/// The latest sender reports of two sources of one peer, which place both timelines on its clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockReports {
    /// Of the source that flowed.
    pub old: SourceReport,
    /// Of the source that flows from now on.
    pub new: SourceReport,
}

impl TimestampRewriter {
    /// A stream whose outputs are the inputs plus `offset`; 0 keeps the producer's own timestamps.
    pub fn new(offset: u32) -> Self {
        Self { offset, last: None, ahead: 0 }
    }

    /// Goes on with another source whose next packet has the timestamp `input`. `clock_rate`, in Hz, is that of both.
    ///
    /// With `reports` it is as far after the newest output as the sender's clock says, else, or when that is more than
    /// two seconds off, as time has passed here since. In any case at least 1: two pictures with one timestamp are
    /// one to a receiver. A stream that has sent nothing yet keeps its offset.
    pub fn switch_source(&mut self, input: u32, now: Instant, clock_rate: NonZeroU32, reports: Option<ClockReports>) {
        let Some((output, at)) = self.last else { return };
        let elapsed = ticks(now.saturating_duration_since(at), clock_rate);
        let last_input = output.wrapping_sub(self.offset);
        let by_reports = reports
            .map(|reports| reports.ticks_between(last_input, input, clock_rate))
            .filter(|ticks| ticks.abs_diff(elapsed) <= max_deviation(clock_rate));
        let wanted = match by_reports {
            Some(ticks) => ticks - self.ahead,
            None => elapsed,
        };
        let step = wanted.max(1);
        self.ahead = if by_reports.is_some() { step - wanted } else { 0 };
        // The cut is the timestamp's wrap.
        self.offset = output.wrapping_add(step as u32).wrapping_sub(input);
    }

    /// Goes on with the same source after a pause, with a packet whose timestamp is `input`. It stays on its timeline, as if
    /// packets had been lost, unless that went back or is more than two seconds off the time that passed: then the
    /// source started anew meanwhile, and is another.
    pub fn resume(&mut self, input: u32, now: Instant, clock_rate: NonZeroU32) {
        let Some((output, at)) = self.last else { return };
        let elapsed = ticks(now.saturating_duration_since(at), clock_rate);
        // Both modulo 2^32: a pause may be longer than that.
        let advance = self.map(input).wrapping_sub(output);
        let deviation = advance.wrapping_sub(elapsed as u32) as i32;
        let goes_back = elapsed < i64::from(i32::MAX) && advance as i32 <= 0;
        if goes_back || u64::from(deviation.unsigned_abs()) > max_deviation(clock_rate) {
            self.switch_source(input, now, clock_rate, None);
        }
    }

    /// The timestamp of a packet that is forwarded `now`.
    pub fn rewrite(&mut self, input: u32, now: Instant) -> u32 {
        let output = self.map(input);
        if self.last.is_none_or(|(last, _)| output.wrapping_sub(last) < 1 << 31) {
            self.last = Some((output, now));
        }
        output
    }

    /// The newest output, 0 before the first.
    pub fn newest(&self) -> u32 {
        self.last.map_or(0, |(output, _)| output)
    }

    /// Where the source's `input` lies on the consumer's timeline, as sender reports need it: unlike
    /// [`Self::rewrite`] it counts as nothing sent.
    pub fn map(&self, input: u32) -> u32 {
        input.wrapping_add(self.offset)
    }
}

impl ClockReports {
    /// From the old source's `from` to the new one's `to`, by the sender's clock.
    fn ticks_between(&self, from: u32, to: u32, clock_rate: NonZeroU32) -> i64 {
        let Self { old, new } = self;
        let reports_apart = new.ntp.0.wrapping_sub(old.ntp.0) as i64;
        // 32.32 fixed point seconds times 32 bits fit 128.
        let reports_apart = (i128::from(reports_apart) * i128::from(clock_rate.get())) >> 32;
        let after_report =
            |timestamp: u32, report: &SourceReport| i64::from(timestamp.wrapping_sub(report.rtp_timestamp) as i32);
        // 31 bits of seconds times 32 bits of rate fit 64.
        reports_apart as i64 + after_report(to, new) - after_report(from, old)
    }
}

/// `duration` in ticks of a clock; more than 63 bits of them saturate.
fn ticks(duration: Duration, clock_rate: NonZeroU32) -> i64 {
    i64::try_from(duration.as_nanos() * u128::from(clock_rate.get()) / 1_000_000_000).unwrap_or(i64::MAX)
}

fn max_deviation(clock_rate: NonZeroU32) -> u64 {
    MAX_CLOCK_DEVIATION_S.unsigned_abs() * u64::from(clock_rate.get())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::origin;

    const VIDEO: NonZeroU32 = NonZeroU32::new(90_000).unwrap();

    #[test]
    fn the_first_source_is_shifted_by_the_given_offset_over_the_wrap() {
        let mut rewriter = TimestampRewriter::new(10);
        rewriter.switch_source(7, origin(), VIDEO, None);
        assert_eq!(rewriter.rewrite(u32::MAX - 5, origin()), 4);
        assert_eq!(TimestampRewriter::new(0).rewrite(1_234, origin()), 1_234);
    }

    #[test]
    fn a_pause_leaves_the_timeline_of_the_source() {
        let now = origin();
        let mut rewriter = TimestampRewriter::new(100);
        rewriter.rewrite(0, now);
        assert_eq!(rewriter.rewrite(900_000, now + Duration::from_secs(10)), 900_100);
    }

    #[test]
    fn another_source_goes_on_after_the_time_that_passed() {
        let now = origin();
        let mut rewriter = TimestampRewriter::new(0);
        rewriter.rewrite(u32::MAX - 4_499, now);
        rewriter.switch_source(5_000_000, now + Duration::from_millis(100), VIDEO, None);
        assert_eq!(rewriter.rewrite(5_000_000, now + Duration::from_millis(100)), 4_500);
        assert_eq!(rewriter.rewrite(5_003_000, now + Duration::from_millis(133)), 7_500);
        assert_eq!(rewriter.map(5_003_000), 7_500);
    }

    /// Two frames with one timestamp are one frame to a receiver.
    #[test]
    fn another_source_at_the_same_instant_or_an_earlier_one_is_one_tick_later() {
        let now = origin() + Duration::from_secs(1);
        for switched_at in [now, now - Duration::from_secs(1)] {
            let mut rewriter = TimestampRewriter::new(0);
            rewriter.rewrite(1_000, now);
            rewriter.switch_source(77, switched_at, VIDEO, None);
            assert_eq!(rewriter.rewrite(77, switched_at), 1_001);
        }
    }

    /// Counting from a late packet would put the new source before what was already sent.
    #[test]
    fn a_reordered_packet_is_not_the_newest() {
        let now = origin();
        let mut rewriter = TimestampRewriter::new(0);
        rewriter.rewrite(6_000, now);
        assert_eq!(rewriter.rewrite(3_000, now), 3_000);
        rewriter.switch_source(0, now, VIDEO, None);
        assert_eq!(rewriter.rewrite(0, now), 6_001);
    }

    #[test]
    fn mapping_a_report_moves_nothing() {
        let now = origin();
        let mut rewriter = TimestampRewriter::new(0);
        rewriter.rewrite(1_000, now);
        assert_eq!(rewriter.map(500_000), 500_000);
        rewriter.switch_source(0, now, VIDEO, None);
        assert_eq!(rewriter.map(0), 1_001);
    }

    /// More than 13 hours are more than 2^32 ticks: wrapped as the timestamp is, not a panic.
    #[test]
    fn a_very_long_pause_wraps() {
        let now = origin();
        let mut rewriter = TimestampRewriter::new(0);
        rewriter.rewrite(0, now);
        let later = now + Duration::from_secs(100_000);
        rewriter.switch_source(0, later, VIDEO, None);
        assert_eq!(rewriter.rewrite(0, later), (9_000_000_000u64 % (1 << 32)) as u32);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        /// Inside a source distances stay as they are; from one source to the next time goes forward as the clock did.
        #[test]
        fn any_row_of_sources_is_one_timeline(
            offset: u32,
            sources in prop::collection::vec(
                (any::<u32>(), 0..10_000u64, prop::collection::vec((0..9_000u32, 0..100u64), 1..20)),
                1..6,
            ),
        ) {
            let mut now = origin();
            let mut rewriter = TimestampRewriter::new(offset);
            let mut last: Option<u32> = None;
            for (first, silence_ms, packets) in sources {
                now += Duration::from_millis(silence_ms);
                rewriter.switch_source(first, now, VIDEO, None);
                let (mut input, mut output) = (first, rewriter.rewrite(first, now));
                let expected = last.map_or(first.wrapping_add(offset), |last| {
                    last.wrapping_add((silence_ms as u32 * 90).max(1))
                });
                prop_assert_eq!(output, expected);
                for (ticks, wait_ms) in packets {
                    now += Duration::from_millis(wait_ms);
                    input = input.wrapping_add(ticks);
                    let next = rewriter.rewrite(input, now);
                    prop_assert_eq!(next.wrapping_sub(output), ticks);
                    output = next;
                }
                last = Some(output);
            }
        }
    }
}
