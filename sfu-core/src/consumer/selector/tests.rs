use super::*;
use crate::consumer::tests::VIDEO;
use crate::producer::MediaPayload;
use crate::producer::receive_stream::SourceReport;
use crate::rtp::codecs::FrameInfo;

const SIMULCAST: Layering = Layering::Simulcast { encodings: 3, temporal_layers: 3 };
const VP9: Layering = Layering::Svc { spatial_layers: 3, temporal_layers: 3, up_switch: UpSwitch::SpatialSwitch };
const AV1: Layering = Layering::Svc { spatial_layers: 3, temporal_layers: 3, up_switch: UpSwitch::KeyFrame };

fn layers(spatial: u8, temporal: u8) -> Layers {
    Layers { spatial, temporal }
}

fn no_reports(_: usize) -> Option<SourceReport> {
    None
}

/// A frame of one packet, number `extended`, of picture `picture`.
fn frame(extended: u64, picture: u32, spatial: u8, temporal: u8) -> Candidate<'static> {
    Candidate {
        encoding: 0,
        media: MediaPayload { codec: Codec::Vp9, mapped: VIDEO, clock_rate_hz: 90_000, nack: true },
        extended,
        timestamp: picture * 3000,
        marker: false,
        frame: FrameInfo { starts_frame: true, ends_frame: true, layers: layers(spatial, temporal), ..FrameInfo::NONE },
        is_empty: false,
        restarted: false,
        reports: &no_reports,
    }
}

fn key(extended: u64, picture: u32) -> Candidate<'static> {
    let frame = frame(extended, picture, 0, 0);
    Candidate { frame: FrameInfo { key_frame: true, ..frame.frame }, ..frame }
}

fn of(encoding: usize, packet: Candidate<'static>) -> Candidate<'static> {
    Candidate { encoding, ..packet }
}

fn temporal_switch(packet: Candidate<'static>) -> Candidate<'static> {
    Candidate { frame: FrameInfo { temporal_switch: true, ..packet.frame }, ..packet }
}

fn spatial_switch(packet: Candidate<'static>) -> Candidate<'static> {
    Candidate { frame: FrameInfo { spatial_switch: true, ..packet.frame }, ..packet }
}

fn av1(packet: Candidate<'static>) -> Candidate<'static> {
    Candidate { media: MediaPayload { codec: Codec::Av1, ..packet.media }, ..packet }
}

/// Started with the key frame 100 of picture 1.
fn started(layering: Layering, target: Layers) -> LayerSelector {
    let mut selector = LayerSelector::new(layering);
    selector.set_target(Some(target));
    let first = of(layering.encoding(target), key(100, 1));
    assert!(forwards(&mut selector, &first));
    selector
}

/// Whether it is forwarded, sooner or later; and what was foretold is what is done.
fn forwards(selector: &mut LayerSelector, packet: &Candidate<'_>) -> bool {
    let foretold = selector.wants(packet);
    let forwards = selector.decide(packet) != Decision::Drop;
    assert_eq!(foretold, forwards);
    forwards
}

#[test]
fn everything_is_preferred_and_targeted_and_nothing_flows_at_first() {
    let mut selector = LayerSelector::new(VP9);
    assert_eq!(selector.preferred(), layers(2, 2));
    assert_eq!(selector.target(), Some(layers(2, 2)));
    assert_eq!((selector.current(), selector.source()), (None, None));
    assert_eq!(selector.poll_changed(), None);
    assert_eq!(selector.layering(), VP9);
}

#[test]
fn wishes_beyond_what_there_is_are_cut() {
    for (layering, highest) in [(Layering::Plain, layers(0, 0)), (SIMULCAST, layers(2, 2)), (AV1, layers(2, 2))] {
        let mut selector = LayerSelector::new(layering);
        selector.set_preferred(layers(9, 9));
        selector.set_target(Some(layers(9, 9)));
        assert_eq!((selector.preferred(), selector.target()), (highest, Some(highest)));
    }
    let none = Layering::Svc { spatial_layers: 0, temporal_layers: 0, up_switch: UpSwitch::KeyFrame };
    assert_eq!(none.highest(), layers(0, 0));
    let many = Layering::Svc { spatial_layers: 99, temporal_layers: 99, up_switch: UpSwitch::KeyFrame };
    assert_eq!(many.highest(), Layers::MAX);
}

#[test]
fn changes_are_told_once() {
    let mut selector = started(VP9, layers(1, 1));
    assert_eq!(selector.poll_changed(), Some(Some(layers(1, 1))));
    assert_eq!(selector.poll_changed(), None);
    selector.stop();
    selector.stop();
    assert_eq!(selector.poll_changed(), Some(None));
    assert_eq!(selector.poll_changed(), None);
}

#[test]
fn what_key_frame_is_wanted() {
    let table = [
        // Layering, what flows, the target, and the encoding whose key frame would help.
        (Layering::Plain, None, Some(layers(0, 0)), Some(0)),
        (Layering::Plain, Some(layers(0, 0)), Some(layers(0, 0)), None),
        (SIMULCAST, None, Some(layers(1, 0)), Some(1)),
        (SIMULCAST, Some(layers(1, 2)), Some(layers(1, 0)), None),
        (SIMULCAST, Some(layers(1, 2)), Some(layers(2, 0)), Some(2)),
        (SIMULCAST, Some(layers(1, 2)), Some(layers(0, 0)), Some(0)),
        (SIMULCAST, Some(layers(1, 2)), None, None),
        (AV1, None, Some(layers(2, 2)), Some(0)),
        (AV1, None, None, None),
        (AV1, Some(layers(1, 0)), Some(layers(2, 0)), Some(0)),
        (VP9, Some(layers(1, 0)), Some(layers(2, 0)), Some(0)),
        (VP9, Some(layers(1, 0)), Some(layers(1, 2)), None),
        (AV1, Some(layers(2, 2)), Some(layers(0, 0)), None),
    ];
    for (layering, current, target, expected) in table {
        let mut selector = current.map_or(LayerSelector::new(layering), |current| started(layering, current));
        selector.set_target(target);
        assert_eq!(selector.wanted_key_frame(), expected, "{layering:?} from {current:?} to {target:?}");
    }
}

#[test]
fn nothing_starts_but_with_a_key_frame_of_the_target() {
    let mut selector = LayerSelector::new(SIMULCAST);
    selector.set_target(Some(layers(1, 0)));
    for packet in [of(0, key(7, 1)), of(1, frame(5, 1, 0, 0)), of(2, key(9, 1))] {
        assert!(!forwards(&mut selector, &packet));
    }
    assert_eq!(selector.decide(&of(1, key(6, 2))), Decision::Forward { marker: false, starts: true });
    assert_eq!((selector.current(), selector.source()), (Some(layers(1, 0)), Some(1)));
}

#[test]
fn the_old_encoding_flows_until_the_key_frame_of_the_new_up_and_down() {
    for target in [0, 2] {
        let mut selector = started(SIMULCAST, layers(1, 2));
        selector.set_preferred(layers(target, 2));
        selector.set_target(Some(layers(target, 2)));
        assert!(forwards(&mut selector, &of(1, key(101, 2))), "its own key frame changes nothing");
        assert!(!forwards(&mut selector, &of(target.into(), frame(40, 2, 0, 0))));
        assert_eq!(selector.current(), Some(layers(1, 2)));
        let new = selector.decide(&of(target.into(), key(41, 3)));
        assert_eq!(new, Decision::Forward { marker: false, starts: true });
        assert!(!forwards(&mut selector, &of(1, frame(102, 3, 0, 0))), "the old one is left");
        assert!(!forwards(&mut selector, &of(target.into(), frame(40, 2, 0, 0))), "nothing from before the key frame");
    }
}

/// Harm prevented: a link that became thin is flooded with the large picture for the second that a smaller one's key frame takes.
#[test]
fn who_has_to_leave_a_larger_encoding_gets_as_little_of_it_as_there_can_be() {
    let mut selector = started(SIMULCAST, layers(1, 2));
    selector.set_target(Some(layers(0, 2)));
    assert!(!forwards(&mut selector, &of(1, frame(101, 2, 0, 2))));
    assert!(forwards(&mut selector, &of(1, frame(102, 3, 0, 0))));
    assert_eq!(selector.current(), Some(layers(1, 0)));
    assert!(forwards(&mut selector, &of(0, key(41, 4))));
    assert_eq!(selector.current(), Some(layers(0, 2)));
}

#[test]
fn temporal_layers_are_lowered_with_the_next_picture_and_no_frame_is_cut() {
    for layering in [SIMULCAST, VP9, AV1] {
        let mut selector = started(layering, layers(0, 2));
        let begun =
            Candidate { frame: FrameInfo { ends_frame: false, ..frame(101, 2, 0, 2).frame }, ..frame(101, 2, 0, 2) };
        assert!(forwards(&mut selector, &begun));
        selector.set_target(Some(layers(0, 0)));
        assert!(forwards(&mut selector, &frame(102, 2, 0, 2)), "the rest of the frame");
        assert!(!forwards(&mut selector, &frame(103, 3, 0, 1)));
        assert!(forwards(&mut selector, &frame(104, 4, 0, 0)));
        assert_eq!(selector.current(), Some(layers(0, 0)));
    }
}

#[test]
fn temporal_layers_are_raised_one_by_one_where_a_frame_says_so() {
    let mut selector = started(SIMULCAST, layers(0, 0));
    selector.set_target(Some(layers(0, 2)));
    assert!(!forwards(&mut selector, &frame(101, 2, 0, 1)), "it may be predicted from one that was dropped");
    assert!(!forwards(&mut selector, &temporal_switch(frame(102, 3, 0, 2))), "the one below is missing");
    assert!(forwards(&mut selector, &temporal_switch(frame(103, 4, 0, 1))));
    assert_eq!(selector.current(), Some(layers(0, 1)));
    assert!(!forwards(&mut selector, &frame(104, 5, 0, 2)));
    assert!(forwards(&mut selector, &frame(105, 6, 0, 0)));
    assert!(forwards(&mut selector, &temporal_switch(frame(106, 7, 0, 2))));
    assert!(forwards(&mut selector, &frame(107, 8, 0, 1)));
}

#[test]
fn a_key_frame_raises_everything() {
    for layering in [VP9, AV1] {
        let mut selector = started(layering, layers(0, 0));
        selector.set_target(Some(layers(2, 2)));
        // Also behind a gap: a key frame is known as its picture's start.
        assert!(forwards(&mut selector, &key(150, 20)));
        assert_eq!(selector.current(), Some(layers(2, 2)));
        assert!(forwards(&mut selector, &frame(151, 20, 1, 0)));
        assert!(forwards(&mut selector, &frame(152, 20, 2, 0)));
        assert!(forwards(&mut selector, &frame(153, 21, 0, 2)));
    }
}

#[test]
fn av1_raises_temporal_layers_at_any_picture_of_the_lowest_and_spatial_ones_do_not_rise_there() {
    let mut selector = started(AV1, layers(0, 0));
    selector.set_target(Some(layers(1, 2)));
    assert!(!forwards(&mut selector, &av1(temporal_switch(frame(101, 2, 0, 2)))));
    assert!(forwards(&mut selector, &av1(frame(102, 3, 0, 0))));
    assert!(!forwards(&mut selector, &av1(spatial_switch(frame(103, 3, 1, 0)))), "it would stop the video for good");
    assert!(forwards(&mut selector, &av1(frame(104, 4, 0, 2))));
    assert_eq!(selector.current(), Some(layers(0, 2)));
}

#[test]
fn vp9_takes_a_spatial_layer_where_a_frame_says_so() {
    let table = [
        // The frame after one of the layer below, and whether it is taken.
        (spatial_switch(frame(102, 2, 1, 0)), true),
        (frame(102, 2, 1, 0), false),
        // One layer too high; of a higher temporal layer; behind a gap; of another picture; not the start of a frame.
        (spatial_switch(frame(102, 2, 2, 0)), false),
        (spatial_switch(frame(102, 2, 1, 1)), false),
        (spatial_switch(frame(103, 2, 1, 0)), false),
        (spatial_switch(frame(102, 3, 1, 0)), false),
    ];
    for (packet, expected) in table {
        let mut selector = started(VP9, layers(0, 2));
        selector.set_target(Some(layers(2, 2)));
        assert_eq!(selector.decide(&frame(101, 2, 0, 0)), Decision::Hold { starts: false });
        assert_eq!(forwards(&mut selector, &packet), expected, "{:?}", packet.frame);
        assert_eq!(selector.current(), Some(layers(u8::from(expected), 2)));
    }
}

/// The marker went out: what comes after it is another picture to the receiver.
#[test]
fn vp9_takes_no_spatial_layer_behind_a_marker() {
    let mut selector = started(VP9, layers(0, 2));
    assert_eq!(selector.decide(&frame(101, 2, 0, 0)), Decision::Forward { marker: true, starts: false });
    selector.set_target(Some(layers(1, 2)));
    assert!(!forwards(&mut selector, &spatial_switch(frame(102, 2, 1, 0))));
}

#[test]
fn spatial_layers_are_lowered_with_the_next_picture_without_a_key_frame() {
    for layering in [VP9, AV1] {
        let mut selector = started(layering, layers(2, 2));
        selector.set_target(Some(layers(0, 2)));
        assert!(forwards(&mut selector, &frame(101, 1, 1, 0)), "the picture that was begun");
        assert!(forwards(&mut selector, &frame(102, 1, 2, 0)));
        assert!(forwards(&mut selector, &frame(103, 2, 0, 2)));
        assert!(!forwards(&mut selector, &frame(104, 2, 1, 2)));
        assert_eq!(selector.current(), Some(layers(0, 2)));
    }
}

#[test]
fn a_picture_that_may_have_begun_before_a_gap_changes_nothing() {
    let mut selector = started(VP9, layers(2, 2));
    selector.set_target(Some(layers(0, 0)));
    assert!(forwards(&mut selector, &frame(103, 2, 1, 1)), "102 may be its lower layer");
    assert!(forwards(&mut selector, &frame(102, 2, 0, 1)));
    assert!(!forwards(&mut selector, &frame(104, 3, 0, 1)));
}

#[test]
fn a_late_packet_shares_the_fate_of_its_frame() {
    let mut selector = started(SIMULCAST, layers(0, 2));
    assert!(forwards(&mut selector, &frame(102, 2, 0, 2)));
    selector.set_target(Some(layers(0, 0)));
    assert!(forwards(&mut selector, &frame(103, 3, 0, 0)));
    assert!(forwards(&mut selector, &frame(101, 2, 0, 2)), "from before the change");
    assert!(!forwards(&mut selector, &frame(105, 4, 0, 1)));
    assert!(!forwards(&mut selector, &frame(104, 4, 0, 1)));
}

#[test]
fn a_packet_late_by_more_changes_than_are_remembered_is_dropped() {
    for (changes, expected) in [(REMEMBERED_CHANGES - 1, true), (REMEMBERED_CHANGES, false)] {
        let mut selector = started(SIMULCAST, layers(0, 2));
        assert!(forwards(&mut selector, &frame(102, 2, 0, 0)));
        for index in 0..changes as u64 {
            selector.set_target(Some(layers(0, if index % 2 == 0 { 0 } else { 2 })));
            selector.decide(&key(103 + index, 3 + index as u32));
        }
        assert_eq!(forwards(&mut selector, &frame(101, 2, 0, 0)), expected);
    }
}

/// Harm prevented: on a path that halts again and again a late packet is left out, and what follows on it cannot be decoded.
#[test]
fn a_packet_from_before_some_pictures_that_were_cut_off_still_counts() {
    let mut selector = started(AV1, layers(2, 0));
    for picture in 2..5 {
        let at = 100 + 10 * u64::from(picture);
        assert!(forwards(&mut selector, &av1(key(at, picture))));
        assert_eq!(selector.current(), Some(layers(2, 0)));
        selector.end_picture(Some(0), at);
        assert_eq!(selector.decide(&av1(frame(at + 1, picture, 1, 0))), Decision::Drop);
        assert_eq!(selector.current(), Some(layers(0, 0)));
    }
    assert!(forwards(&mut selector, &av1(frame(101, 1, 1, 0))));
}

#[test]
fn without_a_target_the_picture_is_finished_and_then_nothing_flows_until_a_key_frame() {
    let mut selector = started(VP9, layers(1, 0));
    selector.set_target(None);
    assert!(forwards(&mut selector, &frame(102, 1, 1, 0)));
    assert!(!forwards(&mut selector, &frame(103, 2, 0, 0)));
    assert_eq!((selector.current(), selector.wanted_key_frame()), (None, None));
    assert!(forwards(&mut selector, &frame(101, 1, 1, 0)), "late, of the picture that was finished");
    assert!(!forwards(&mut selector, &key(104, 3)));
    selector.set_target(Some(layers(1, 0)));
    assert_eq!(selector.wanted_key_frame(), Some(0));
    assert!(!forwards(&mut selector, &frame(105, 4, 0, 0)));
    assert_eq!(selector.decide(&key(106, 5)), Decision::Hold { starts: true });
}

#[test]
fn a_target_that_comes_back_before_the_picture_ends_changes_nothing() {
    let mut selector = started(VP9, layers(1, 0));
    selector.set_target(None);
    selector.set_target(Some(layers(1, 0)));
    assert!(forwards(&mut selector, &frame(101, 2, 0, 0)));
}

/// Its packets were forwarded before the stop and would be sent twice.
#[test]
fn a_key_frame_from_before_a_stop_starts_nothing() {
    let mut selector = started(VP9, layers(0, 0));
    assert!(forwards(&mut selector, &frame(103, 3, 0, 0)));
    selector.stop();
    selector.decide(&key(102, 3));
    assert_eq!(selector.current(), None);
    assert!(forwards(&mut selector, &key(104, 4)));
}

#[test]
fn a_restarted_source_needs_a_key_frame() {
    let restarted = |packet| Candidate { restarted: true, ..packet };
    let mut selector = started(Layering::Plain, layers(0, 0));
    assert!(!forwards(&mut selector, &restarted(frame(1 << 20, 9, 0, 0))));
    assert_eq!(selector.wanted_key_frame(), Some(0));
    assert!(forwards(&mut selector, &key((1 << 20) + 1, 10)));
    assert_eq!(selector.decide(&restarted(key(1 << 21, 2))), Decision::Forward { marker: false, starts: true });
}

/// A stream of more layers than its mode says loses none that nobody asked to leave out.
#[test]
fn the_highest_layer_includes_what_was_not_announced() {
    let flat = Layering::Svc { spatial_layers: 1, temporal_layers: 1, up_switch: UpSwitch::KeyFrame };
    for layering in [Layering::Plain, flat] {
        let mut selector = started(layering, layers(0, 0));
        assert_eq!(selector.decide(&frame(101, 1, 2, 3)), Decision::Forward { marker: false, starts: false });
    }
    let mut selector = started(SIMULCAST, layers(0, 2));
    assert!(forwards(&mut selector, &frame(101, 1, 0, 3)));
}

#[test]
fn padding_between_pictures_does_not_hide_where_one_starts() {
    let mut selector = started(VP9, layers(0, 2));
    assert!(selector.leave_out(&frame(101, 0, 0, 0)));
    assert!(!selector.leave_out(&of(1, frame(101, 0, 0, 0))));
    selector.set_target(Some(layers(0, 0)));
    assert!(!forwards(&mut selector, &frame(102, 2, 0, 1)));
}

#[test]
fn where_the_marker_goes() {
    let plain = |packet: Candidate<'static>| packet;
    let marked = |packet: Candidate<'static>| Candidate { marker: true, ..packet };
    let open =
        |packet: Candidate<'static>| Candidate { frame: FrameInfo { ends_frame: false, ..packet.frame }, ..packet };
    let sent = |marker| Decision::Forward { marker, starts: false };
    let hold = Decision::Hold { starts: false };
    let table: [(Layering, u8, Candidate<'static>, Decision); 10] = [
        // What the consumer gets, a packet, and what becomes of it.
        (AV1, 1, plain(frame(101, 2, 0, 0)), hold),
        (AV1, 1, open(frame(101, 2, 0, 0)), sent(false)),
        (AV1, 1, plain(frame(101, 2, 1, 0)), sent(true)),
        (AV1, 1, open(frame(101, 2, 1, 0)), sent(false)),
        (AV1, 1, marked(frame(101, 2, 0, 0)), sent(true)),
        (AV1, 2, plain(frame(101, 2, 1, 0)), hold),
        // The sender's own marker is right for all layers.
        (AV1, 2, plain(frame(101, 2, 2, 0)), sent(false)),
        (AV1, 2, marked(frame(101, 2, 2, 0)), sent(true)),
        (SIMULCAST, 0, plain(frame(101, 2, 0, 0)), sent(false)),
        (SIMULCAST, 0, marked(frame(101, 2, 0, 0)), sent(true)),
    ];
    for (layering, spatial, packet, expected) in table {
        let mut selector = started(layering, layers(spatial, 2));
        assert_eq!(selector.decide(&packet), expected, "{layering:?} {spatial} {:?}", packet.frame);
    }
}

#[test]
fn a_late_end_of_a_lower_layer_goes_by_what_came_after_it() {
    let table = [
        // What came first, and whether 101, the lowest layer's end of picture 2, then ends the picture.
        (frame(102, 2, 1, 0), false),
        (frame(102, 2, 2, 0), true),
        (frame(102, 3, 0, 0), true),
        (frame(103, 3, 0, 0), false),
    ];
    for (first, marker) in table {
        let mut selector = started(AV1, layers(1, 2));
        selector.decide(&first);
        assert_eq!(selector.decide(&frame(101, 2, 0, 0)), Decision::Forward { marker, starts: false });
    }
}
