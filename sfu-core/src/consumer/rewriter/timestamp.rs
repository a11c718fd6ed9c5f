//! Timestamps (RFC 3550 section 5.1).

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Gives a producer's timestamps those of a consumer's stream: shifted by an offset that changes with the source only.
///
/// A pause needs no call: after it the stream is on its source's timeline still, as if packets had been lost.
#[derive(Clone, Debug)]
pub struct TimestampRewriter {
    /// Output minus input.
    offset: u32,
    /// The newest output, and when it was handed out.
    last: Option<(u32, Instant)>,
}

impl TimestampRewriter {
    /// A stream whose outputs are the inputs plus `offset`; 0 keeps the producer's own timestamps.
    pub fn new(offset: u32) -> Self {
        Self { offset, last: None }
    }

    /// Goes on with another source whose next packet has the timestamp `input`: it is as far after the newest output
    /// as time has passed since, by the clock of `clock_rate` in Hz, and at least 1. A stream that has sent nothing
    /// yet keeps its offset.
    pub fn switch_source(&mut self, input: u32, now: Instant, clock_rate: NonZeroU32) {
        let Some((output, at)) = self.last else { return };
        let elapsed = ticks(now.saturating_duration_since(at), clock_rate).max(1);
        self.offset = output.wrapping_add(elapsed).wrapping_sub(input);
    }

    /// The timestamp of a packet that is forwarded `now`.
    pub fn rewrite(&mut self, input: u32, now: Instant) -> u32 {
        let output = self.map(input);
        if self.last.is_none_or(|(last, _)| output.wrapping_sub(last) < 1 << 31) {
            self.last = Some((output, now));
        }
        output
    }

    /// Where the source's `input` lies on the consumer's timeline, as sender reports need it: unlike
    /// [`Self::rewrite`] it counts as nothing sent.
    pub fn map(&self, input: u32) -> u32 {
        input.wrapping_add(self.offset)
    }
}

/// `duration` in ticks of a clock, modulo 2^32.
fn ticks(duration: Duration, clock_rate: NonZeroU32) -> u32 {
    // 2^64 s at 2^32 Hz fit 128 bits; the cut to 32 is the timestamp's wrap.
    (duration.as_nanos() * u128::from(clock_rate.get()) / 1_000_000_000) as u32
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
        rewriter.switch_source(7, origin(), VIDEO);
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
        rewriter.switch_source(5_000_000, now + Duration::from_millis(100), VIDEO);
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
            rewriter.switch_source(77, switched_at, VIDEO);
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
        rewriter.switch_source(0, now, VIDEO);
        assert_eq!(rewriter.rewrite(0, now), 6_001);
    }

    #[test]
    fn mapping_a_report_moves_nothing() {
        let now = origin();
        let mut rewriter = TimestampRewriter::new(0);
        rewriter.rewrite(1_000, now);
        assert_eq!(rewriter.map(500_000), 500_000);
        rewriter.switch_source(0, now, VIDEO);
        assert_eq!(rewriter.map(0), 1_001);
    }

    /// More than 13 hours are more than 2^32 ticks: wrapped as the timestamp is, not a panic.
    #[test]
    fn a_very_long_pause_wraps() {
        let now = origin();
        let mut rewriter = TimestampRewriter::new(0);
        rewriter.rewrite(0, now);
        let later = now + Duration::from_secs(100_000);
        rewriter.switch_source(0, later, VIDEO);
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
                rewriter.switch_source(first, now, VIDEO);
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
