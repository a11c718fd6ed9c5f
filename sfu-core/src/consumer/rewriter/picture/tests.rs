use proptest::prelude::*;

use super::*;

fn numbers(picture_id: u16, tl0: u8) -> PictureNumbers {
    PictureNumbers { picture_id, is_long: true, picture_id_at: 2, tl0_picture_index: Some((tl0, 4)) }
}

fn short(picture_id: u16) -> PictureNumbers {
    PictureNumbers { is_long: false, ..numbers(picture_id, 0) }
}

fn compact(first: PictureNumbers) -> PictureRewriter {
    let mut rewriter = PictureRewriter::new(Numbering::Compact, first);
    assert!(rewriter.rewrite(first, true).is_some());
    rewriter
}

#[test]
fn vp8_and_vp9_alone_have_picture_ids() {
    assert_eq!(Numbering::of(Codec::Vp8), Some(Numbering::Compact));
    assert_eq!(Numbering::of(Codec::Vp9), Some(Numbering::SourceDistances));
    for codec in [Codec::Opus, Codec::Pcmu, Codec::Pcma, Codec::H264, Codec::Av1] {
        assert_eq!(Numbering::of(codec), None);
    }
}

#[test]
fn a_dropped_picture_leaves_no_gap_and_all_packets_of_one_get_one_id_over_the_wrap() {
    let mut rewriter = compact(numbers(0x7ffe, 255));
    assert_eq!(rewriter.rewrite(numbers(0x7ffe, 255), true), Some((0x7ffe, 255)));
    for _ in 0..3 {
        rewriter.skip(numbers(0x7fff, 255), true);
    }
    assert_eq!(rewriter.rewrite(numbers(0, 0), true), Some((0x7fff, 0)));
    rewriter.skip(numbers(1, 0), true);
    for _ in 0..3 {
        assert_eq!(rewriter.rewrite(numbers(2, 0), true), Some((0, 0)));
    }
}

#[test]
fn short_ids_wrap_at_seven_bits() {
    let mut rewriter = compact(short(126));
    rewriter.skip(short(127), true);
    assert_eq!(rewriter.rewrite(short(0), true).map(|(id, _)| id), Some(127));
    assert_eq!(rewriter.rewrite(short(1), true).map(|(id, _)| id), Some(0));
}

/// A receiver would assemble two pictures into one, or never finish one.
#[test]
fn late_packets_get_the_id_of_their_picture_and_those_of_a_dropped_one_stay_dropped() {
    let mut rewriter = compact(numbers(10, 0));
    rewriter.skip(numbers(11, 0), true);
    assert_eq!(rewriter.rewrite(numbers(13, 0), true), Some((12, 0)));
    rewriter.skip(numbers(14, 0), true);
    assert_eq!(rewriter.rewrite(numbers(15, 0), true), Some((13, 0)));
    assert_eq!(rewriter.rewrite(numbers(10, 0), false), Some((10, 0)));
    assert_eq!(rewriter.rewrite(numbers(12, 0), false), Some((11, 0)), "a whole picture that came late");
    assert_eq!(rewriter.rewrite(numbers(13, 0), false), Some((12, 0)));
    assert_eq!(rewriter.rewrite(numbers(11, 0), false), None);
    assert_eq!(rewriter.rewrite(numbers(14, 0), false), None);
}

#[test]
fn a_picture_dropped_after_a_later_one_was_forwarded_stays_a_gap() {
    let mut rewriter = compact(numbers(10, 0));
    assert_eq!(rewriter.rewrite(numbers(12, 0), true), Some((12, 0)));
    rewriter.skip(numbers(11, 0), false);
    assert_eq!(rewriter.rewrite(numbers(11, 0), false), None);
    assert_eq!(rewriter.rewrite(numbers(13, 0), true), Some((13, 0)));
}

#[test]
fn the_history_reaches_exactly_as_far_as_stated() {
    let mut rewriter = compact(numbers(100, 0));
    assert!(rewriter.rewrite(numbers(100 + PICTURE_HISTORY, 0), true).is_some());
    assert_eq!(rewriter.rewrite(numbers(100, 0), false), None);
    assert_eq!(rewriter.rewrite(numbers(101, 0), false), Some((101, 0)));
}

/// A short id twenty ahead is 108 behind to who does not know the order.
#[test]
fn the_order_of_packets_tells_a_long_loss_from_a_late_picture() {
    let mut rewriter = compact(short(0));
    assert_eq!(rewriter.rewrite(short(60), true).map(|(id, _)| id), Some(60));
    assert_eq!(rewriter.rewrite(short(20), false).map(|(id, _)| id), Some(20));
    assert_eq!(rewriter.rewrite(short(50), true).map(|(id, _)| id), Some(61), "118 lost are a new beginning");
}

#[test]
fn another_source_goes_on_after_the_last_picture_sent() {
    for numbering in [Numbering::Compact, Numbering::SourceDistances] {
        let mut rewriter = PictureRewriter::new(numbering, numbers(0x7fff, 255));
        assert_eq!(rewriter.rewrite(numbers(0x7fff, 255), true), Some((0x7fff, 255)));
        rewriter.resync(numbering, numbers(500, 7));
        assert_eq!(rewriter.rewrite(numbers(500, 7), true), Some((0, 0)));
        assert_eq!(rewriter.rewrite(numbers(501, 7), true), Some((1, 0)));
        assert_eq!(rewriter.rewrite(numbers(502, 8), true), Some((2, 1)));
    }
}

#[test]
fn pictures_from_before_a_resync_are_refused() {
    let mut rewriter = compact(numbers(10, 0));
    rewriter.resync(Numbering::Compact, numbers(20, 0));
    assert_eq!(rewriter.rewrite(numbers(20, 0), true), Some((11, 1)));
    assert_eq!(rewriter.rewrite(numbers(19, 0), false), None);
    rewriter.skip(numbers(18, 0), false);
    assert_eq!(rewriter.rewrite(numbers(21, 0), true), Some((12, 1)), "nor do they count");
}

/// VP9 names references by distance.
#[test]
fn vp9_keeps_the_distances_of_its_source() {
    let mut rewriter = PictureRewriter::new(Numbering::SourceDistances, numbers(10, 0));
    assert_eq!(rewriter.rewrite(numbers(10, 0), true), Some((10, 0)));
    rewriter.skip(numbers(11, 0), true);
    assert_eq!(rewriter.rewrite(numbers(12, 0), true), Some((12, 0)));
    assert_eq!(rewriter.rewrite(numbers(11, 0), false), Some((11, 0)), "another layer of it may be wanted");
}

#[test]
fn a_source_that_changes_the_width_of_its_ids_starts_anew() {
    let mut rewriter = compact(short(100));
    assert_eq!(rewriter.rewrite(numbers(9, 0), false), None);
    assert_eq!(rewriter.rewrite(numbers(9, 0), true), Some((101, 1)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// Whatever comes, ids are of their width and nothing panics.
    #[test]
    fn hostile_numbers_stay_in_their_width(
        packets in prop::collection::vec((0..0x8000u16, any::<bool>(), any::<bool>(), 0..3u8), 1..300),
    ) {
        let mut rewriter = PictureRewriter::new(Numbering::Compact, short(0));
        for (picture_id, is_long, is_newest, operation) in packets {
            let mask = if is_long { 0x7fff } else { 0x7f };
            let input = PictureNumbers { is_long, ..numbers(picture_id & mask, picture_id as u8) };
            match operation {
                0 => rewriter.skip(input, is_newest),
                1 if picture_id % 16 == 0 => rewriter.resync(Numbering::Compact, input),
                _ => {
                    if let Some((id, _)) = rewriter.rewrite(input, is_newest) {
                        prop_assert!(id <= mask);
                        prop_assert_eq!(rewriter.rewrite(input, is_newest).map(|(id, _)| id), Some(id));
                    }
                }
            }
        }
    }
}

/// Harm prevented: after a pause ids go back, when the last pictures were overtaken by what was dropped of them.
#[test]
fn the_last_picture_sent_counts_though_later_packets_came_before_it() {
    let mut rewriter = PictureRewriter::new(Numbering::SourceDistances, numbers(0x7ffe, 0));
    assert!(rewriter.rewrite(numbers(0x7ffe, 0), true).is_some());
    for picture_id in [0x7fff, 0, 1, 0] {
        assert_eq!(rewriter.rewrite(numbers(picture_id, 0), false), Some((picture_id, 0)));
    }
    rewriter.resync(Numbering::SourceDistances, numbers(50, 7));
    assert_eq!(rewriter.rewrite(numbers(50, 7), true), Some((2, 1)));
}
