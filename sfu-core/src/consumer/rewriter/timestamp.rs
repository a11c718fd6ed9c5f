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
    use crate::rtcp::ntp::NtpTime;
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

    fn report(ntp_ms: u64, rtp_timestamp: u32) -> SourceReport {
        let ntp = NtpTime((9_000_000_000u64 << 32).wrapping_add((ntp_ms << 32) / 1000));
        SourceReport { ntp, rtp_timestamp, received_at: origin() }
    }

    /// What the first packet of another source gets: the old one's last was at 1000 ms of the sender's clock and came `elapsed_ms`
    /// ago, the new one's was taken at `taken_at_ms`.
    fn step_by_reports(elapsed_ms: u64, taken_at_ms: u64) -> u32 {
        let now = origin();
        let mut rewriter = TimestampRewriter::new(u32::MAX);
        let last = rewriter.rewrite(90_000, now);
        // The one's report is from before, the other's from after the packet.
        let reports = ClockReports { old: report(500, 45_000), new: report(taken_at_ms + 1000, 40_000) };
        let input = 40_000u32.wrapping_sub(90_000);
        let now = now + Duration::from_millis(elapsed_ms);
        rewriter.switch_source(input, now, VIDEO, Some(reports));
        rewriter.rewrite(input, now).wrapping_sub(last)
    }

    /// Timestamps of two encodings start at random: only the sender knows how they belong together.
    #[test]
    fn another_source_is_laid_on_the_timeline_of_the_old_by_the_senders_reports() {
        for (elapsed_ms, taken_at_ms, expected) in [
            (33, 1033, 33 * 90),
            // It lingered on the way, or the old one did.
            (400, 1033, 33 * 90),
            (10, 1133, 133 * 90),
            // Of the same moment, and of an earlier one.
            (5, 1000, 1),
            (5, 900, 1),
            // At the limit of what is believed, and beyond it on either side.
            (0, 3000, 2000 * 90),
            (0, 3001, 1),
            (2133, 1033, 2100 * 90 + 33 * 90),
            (20, 60_000, 20 * 90),
        ] {
            let step = step_by_reports(elapsed_ms, taken_at_ms);
            // The fraction of an NTP second is not a whole number of ticks.
            assert!(step.abs_diff(expected) <= 1 && step > 0, "{elapsed_ms} ms, at {taken_at_ms}: {step}");
        }
    }

    /// Each switch to a picture from before the last one would otherwise push the timeline further off the sender's.
    #[test]
    fn what_a_switch_could_not_go_back_is_made_up_for_at_the_next() {
        let now = origin();
        let mut rewriter = TimestampRewriter::new(0);
        let reports = ClockReports { old: report(0, 0), new: report(0, 0) };
        rewriter.rewrite(9_000, now);
        rewriter.switch_source(4_500, now, VIDEO, Some(reports));
        assert_eq!(rewriter.rewrite(4_500, now), 9_001);
        assert_eq!(rewriter.rewrite(7_500, now), 12_001);
        let later = now + Duration::from_secs(1);
        // The old source is 4 501 ticks ahead by now.
        rewriter.switch_source(18_000, later, VIDEO, Some(reports));
        assert_eq!(rewriter.rewrite(18_000, later), 18_000);
    }

    #[test]
    fn a_source_that_went_on_in_a_pause_stays_on_its_timeline_and_one_that_started_anew_does_not() {
        let second = Duration::from_secs(1);
        for (pause, input, expected) in [
            (second, 90_000, 90_000),
            (second, 90_000 + 2 * 90_000, 90_000 + 2 * 90_000),
            (second, 90_000 + 2 * 90_000 + 1, 90_000),
            (second, 1 << 31, 90_000),
            (second, 0u32.wrapping_sub(3_000), 90_000),
            (Duration::ZERO, 0, 1),
            // Longer than half of what a timestamp can count, and than all of it.
            (second * 30_000, 30_000 * 90_000, 30_000 * 90_000),
            (second * 50_000, (50_000u64 * 90_000) as u32, (50_000u64 * 90_000) as u32),
            (second * 50_000, 5, (50_000u64 * 90_000) as u32),
        ] {
            let now = origin();
            let mut rewriter = TimestampRewriter::new(0);
            rewriter.rewrite(0, now);
            rewriter.resume(input, now + pause, VIDEO);
            assert_eq!(rewriter.rewrite(input, now + pause), expected, "{pause:?} {input}");
        }
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
