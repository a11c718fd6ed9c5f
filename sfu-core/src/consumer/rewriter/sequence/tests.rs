use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn started(next_input: u16, first_output: u16) -> SequenceRewriter {
    let mut rewriter = SequenceRewriter::new(first_output);
    rewriter.resync(next_input);
    rewriter
}

#[test]
fn before_the_first_resync_nothing_is_forwarded_and_nothing_counted() {
    let mut rewriter = SequenceRewriter::new(500);
    for input in [0, 1, 0x7fff, 0x8000, 0xffff] {
        rewriter.skip(input);
        assert_eq!(rewriter.rewrite(input), None);
    }
    rewriter.resync(9);
    assert_eq!(rewriter.rewrite(9), Some(500));
}

#[test]
fn a_lost_packet_stays_a_gap_and_fills_it_when_it_comes() {
    let mut rewriter = started(100, 7);
    assert_eq!(rewriter.rewrite(100), Some(7));
    assert_eq!(rewriter.rewrite(103), Some(10));
    assert_eq!(rewriter.rewrite(102), Some(9));
    assert_eq!(rewriter.rewrite(104), Some(11));
    assert_eq!(rewriter.rewrite(101), Some(8));
}

#[test]
fn a_skipped_packet_leaves_no_gap() {
    let mut rewriter = started(65_534, 65_535);
    assert_eq!(rewriter.rewrite(65_534), Some(65_535));
    rewriter.skip(65_535);
    rewriter.skip(0);
    assert_eq!(rewriter.rewrite(1), Some(0));
    assert_eq!(rewriter.rewrite(65_535), None, "its number is another packet's");
}

#[test]
fn a_packet_late_behind_skips_gets_the_number_of_its_place() {
    let mut rewriter = started(10, 10);
    assert_eq!(rewriter.rewrite(10), Some(10));
    rewriter.skip(12);
    rewriter.skip(14);
    assert_eq!(rewriter.rewrite(15), Some(13));
    assert_eq!(rewriter.rewrite(11), Some(11));
    assert_eq!(rewriter.rewrite(13), Some(12));
}

#[test]
fn a_packet_skipped_after_a_later_one_was_sent_stays_a_gap() {
    let mut rewriter = started(10, 10);
    assert_eq!(rewriter.rewrite(12), Some(12));
    rewriter.skip(11);
    rewriter.skip(11);
    assert_eq!(rewriter.rewrite(11), None);
    assert_eq!(rewriter.rewrite(13), Some(13));
    assert_eq!(rewriter.rewrite(10), Some(10));
}

/// A number used twice is a nonce used twice.
#[test]
fn a_duplicate_is_refused() {
    let mut rewriter = started(0, 0);
    for input in [0, 2, 1] {
        assert!(rewriter.rewrite(input).is_some());
        assert_eq!(rewriter.rewrite(input), None);
    }
    rewriter.skip(1);
    assert_eq!(rewriter.rewrite(3), Some(3), "skipping what was sent changes nothing");
}

#[test]
fn after_a_resync_numbers_go_on_and_older_packets_are_refused() {
    let mut rewriter = started(0, 65_535);
    assert_eq!(rewriter.rewrite(0), Some(65_535));
    rewriter.resync(50_000);
    assert_eq!(rewriter.rewrite(49_999), None);
    rewriter.skip(49_999);
    assert_eq!(rewriter.rewrite(50_000), Some(0));
    for older in [49_999, 49_998, 50_000 - SEQUENCE_HISTORY, 40_000, 17_233] {
        assert_eq!(rewriter.rewrite(older), None, "{older}");
    }
    assert_eq!(rewriter.rewrite(50_001), Some(1));
}

/// A stream that lost its end and is resumed would otherwise reuse the number of a late packet.
#[test]
fn a_resync_goes_on_after_the_highest_number_sent_though_it_was_sent_late() {
    let mut rewriter = started(0, 0);
    assert_eq!(rewriter.rewrite(0), Some(0));
    rewriter.skip(3);
    assert_eq!(rewriter.rewrite(2), Some(2));
    rewriter.resync(9);
    assert_eq!(rewriter.rewrite(9), Some(3));
}

#[test]
fn the_history_reaches_exactly_as_far_as_stated() {
    for first in [0, 100, 65_000] {
        let newest = SEQUENCE_HISTORY.wrapping_add(first);
        let mut rewriter = started(first, first);
        assert_eq!(rewriter.rewrite(newest), Some(newest));
        for forgotten in [first, first.wrapping_sub(1), first.wrapping_sub(500)] {
            assert_eq!(rewriter.rewrite(forgotten), None, "{forgotten}");
            rewriter.skip(forgotten);
        }
        assert_eq!(rewriter.rewrite(first.wrapping_add(1)), Some(first.wrapping_add(1)));
        assert_eq!(rewriter.rewrite(newest.wrapping_add(1)), Some(newest.wrapping_add(1)));
        assert_eq!(rewriter.rewrite(first.wrapping_add(1)), None, "one more is forgotten");
    }
}

#[test]
fn skips_beyond_the_history_are_still_counted() {
    let mut rewriter = started(0, 0);
    assert_eq!(rewriter.rewrite(0), Some(0));
    for input in 1..=3 * SEQUENCE_HISTORY {
        rewriter.skip(input);
    }
    assert_eq!(rewriter.rewrite(3 * SEQUENCE_HISTORY + 2), Some(2));
    assert_eq!(rewriter.rewrite(3 * SEQUENCE_HISTORY + 1), Some(1));
}

#[test]
fn the_longest_jump_forward_is_a_gap_and_the_next_longer_is_late() {
    let mut rewriter = started(0, 0);
    assert_eq!(rewriter.rewrite(0), Some(0));
    assert_eq!(rewriter.rewrite(0x8000), None);
    assert_eq!(rewriter.rewrite(0x7fff), Some(0x7fff));
    assert_eq!(rewriter.rewrite(0x7ffe), Some(0x7ffe));
}

/// The number 46 after 8496 would be sealed as the old 46 again: a nonce used twice, at a publisher's bidding.
#[test]
fn jumps_that_add_up_to_half_a_turn_leave_no_gap() {
    let mut rewriter = started(46, 46);
    assert_eq!(rewriter.rewrite(46), Some(46));
    assert_eq!(rewriter.rewrite(8_496), Some(8_496));
    rewriter.skip(32_816);
    assert_eq!(rewriter.rewrite(47), Some(8_497));
    assert_eq!(rewriter.rewrite(48), Some(8_498));

    for input in [0x7000, 0xe000, 0x5000, 0xc000] {
        rewriter.skip(input);
    }
    assert_eq!(rewriter.rewrite(0xc001), Some(8_499));
}

/// What the network and the selector do with one packet of a producer.
#[derive(Clone, Debug)]
enum Fate {
    Forwarded,
    Skipped,
    Lost,
}

/// From one resync to the next: the first input, and each packet's fate, lateness in packets, and whether it comes twice.
type Segment = (u16, Vec<(Fate, usize, bool)>);

fn segment() -> impl Strategy<Value = Segment> {
    let fate = prop_oneof![5 => Just(Fate::Forwarded), 3 => Just(Fate::Skipped), 1 => Just(Fate::Lost)];
    let lateness = prop_oneof![6 => Just(0), 2 => 0..8usize, 1 => 0..400usize];
    let first = prop_oneof![any::<u16>(), 65_000..=u16::MAX];
    (first, prop::collection::vec((fate, lateness, prop::bool::weighted(0.1)), 0..700))
}

/// The packets of a segment, by their distance from its first, in the order of their coming.
fn arrivals(packets: &[(Fate, usize, bool)]) -> Vec<(u64, &Fate)> {
    let mut arrivals = Vec::new();
    for (index, (fate, lateness, twice)) in packets.iter().enumerate() {
        arrivals.push((index + lateness, index as u64, fate));
        if *twice {
            arrivals.push((index + lateness / 2, index as u64, fate));
        }
    }
    arrivals.sort_by_key(|&(at, index, _)| (at, index));
    arrivals.into_iter().map(|(_, index, fate)| (index, fate)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// Against a model that remembers everything in numbers that never wrap.
    #[test]
    fn any_stream_becomes_a_valid_one(first_output: u16, segments in prop::collection::vec(segment(), 1..5)) {
        let mut rewriter = SequenceRewriter::new(first_output);
        let mut last_output = u64::from(first_output) + (1 << 16) - 1;
        let mut outputs = BTreeSet::new();

        for (first, packets) in segments {
            rewriter.resync(first);
            let base = last_output + 1;
            // Inputs sent with their outputs; inputs skipped in time; inputs skipped too late.
            let (mut sent, mut skipped, mut lost) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
            for (index, fate) in arrivals(&packets) {
                let input = first.wrapping_add(index as u16);
                let settled = sent.contains_key(&index) || skipped.contains(&index) || lost.contains(&index);
                match fate {
                    Fate::Lost => {}
                    Fate::Skipped => {
                        rewriter.skip(input);
                        if !settled && sent.last_key_value().is_some_and(|(&later, _)| later > index) {
                            lost.insert(index);
                        } else if !settled {
                            skipped.insert(index);
                        }
                    }
                    Fate::Forwarded => {
                        let output = base + index - skipped.range(..index).count() as u64;
                        let expected = (!settled).then_some(output as u16);
                        prop_assert_eq!(rewriter.rewrite(input), expected, "input {} of the segment", index);
                        if !settled {
                            prop_assert!(outputs.insert(output), "{} handed out twice", output);
                            sent.insert(index, output);
                            last_output = last_output.max(output);
                        }
                    }
                }
            }
            // In the order of the inputs, and between two packets exactly those that were not skipped in time.
            for ((&a, &output_a), (&b, &output_b)) in sent.iter().zip(sent.iter().skip(1)) {
                let between = (b - a) - skipped.range(a..b).count() as u64;
                prop_assert_eq!(output_b - output_a, between);
            }
        }
    }

    /// Whatever comes, no number is handed out twice within half a turn, and nothing panics.
    #[test]
    fn hostile_numbering_never_repeats_an_output(
        operations in prop::collection::vec((0..20u8, prop_oneof![any::<u16>(), 0..64u16, 65_400..=u16::MAX]), 0..600),
    ) {
        let mut rewriter = started(0, 0);
        let mut highest = 0xffffu64;
        let mut outputs = BTreeSet::new();
        for (operation, input) in operations {
            match operation {
                0 => rewriter.resync(input),
                1..=5 => rewriter.skip(input),
                _ => {
                    let Some(output) = rewriter.rewrite(input) else { continue };
                    // The nearest number that never wraps.
                    let distance = output.wrapping_sub(highest as u16) as i16;
                    let output = highest.wrapping_add_signed(i64::from(distance));
                    prop_assert!(outputs.insert(output), "{} handed out twice", output);
                    highest = highest.max(output);
                }
            }
        }
    }
}
