//! What a consumer lets through, packet by packet.

mod follow;

use rand::SeedableRng;
use rand::rngs::StdRng;
use slotmap::SlotMap;

use super::selector::UpSwitch;
use super::*;
use crate::rtcp::ntp::NtpTime;
use crate::rtp::codecs::{Codec, PictureNumbers};
use crate::rtp::extensions::ExtensionIds;
use crate::rtp::layers::Layers;
use crate::test_support::{ms, origin};

pub(super) const VIDEO: PayloadType = PayloadType(101);

fn no_reports(_: usize) -> Option<SourceReport> {
    None
}

fn consumer(kind: MediaKind) -> Consumer {
    consumer_of(kind, Layering::Plain)
}

pub(super) fn consumer_of(kind: MediaKind, layering: Layering) -> Consumer {
    let mut rng = StdRng::seed_from_u64(1);
    let setup = ConsumerSetup {
        id: ConsumerId::random(&mut rng),
        producer: SlotMap::<ProducerKey, ()>::with_key().insert(()),
        transport: SlotMap::<TransportKey, ()>::with_key().insert(()),
        kind,
        ssrc: Ssrc(1),
        rtx: None,
        payload_types: vec![VIDEO],
        plan: ExtensionPlan::new(&ExtensionIds::new(), None).unwrap(),
        clock_rate_hz: 90_000,
        cname: Cname::new("cname").unwrap(),
        paused: false,
        layering,
    };
    Consumer::new(origin(), setup, &mut rng)
}

fn packet(encoding: usize, sequence_number: u16, key_frame: bool) -> Candidate<'static> {
    Candidate {
        encoding,
        media: MediaPayload { codec: Codec::Vp8, mapped: VIDEO, clock_rate_hz: 90_000, nack: true },
        extended: u64::from(sequence_number),
        timestamp: u32::from(sequence_number) * 3000,
        marker: false,
        frame: FrameInfo { key_frame, ..FrameInfo::NONE },
        is_empty: false,
        restarted: false,
        reports: &no_reports,
    }
}

trait Sent {
    fn sent(self) -> Option<Admission>;
}

impl Sent for Verdict {
    fn sent(self) -> Option<Admission> {
        match self {
            Self::Send(admission) => Some(admission),
            Self::Drop | Self::Hold { .. } => None,
        }
    }
}

#[test]
fn nothing_leaves_before_a_key_frame_and_everything_after_it() {
    let mut consumer = consumer(MediaKind::Video);
    assert_eq!(consumer.admit(origin(), &packet(0, 10, false)), Verdict::Drop);
    let first = consumer.admit(origin(), &packet(0, 11, true)).sent().unwrap();
    assert!(first.starts);
    let second = consumer.admit(origin(), &packet(0, 12, false)).sent().unwrap();
    assert!(!second.starts);
    assert_eq!(second.sequence_number, first.sequence_number.wrapping_add(1));
    assert_eq!(second.timestamp.wrapping_sub(first.timestamp), 3000);
}

#[test]
fn a_pause_leaves_no_gap_and_ends_with_a_key_frame_on_the_same_timeline() {
    let mut consumer = consumer(MediaKind::Video);
    let before = consumer.admit(origin(), &packet(0, 10, true)).sent().unwrap();
    consumer.paused = true;
    consumer.stop();
    assert_eq!(consumer.admit(origin(), &packet(0, 11, true)), Verdict::Drop);
    consumer.paused = false;
    assert_eq!(consumer.admit(origin() + ms(1000), &packet(0, 12, false)), Verdict::Drop);
    let after = consumer.admit(origin() + ms(1000), &packet(0, 40, true)).sent().unwrap();
    assert_eq!(after.sequence_number, before.sequence_number.wrapping_add(1), "a gap would be asked for in vain");
    assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 30 * 3000, "the source's own timeline");
}

#[test]
fn the_old_encoding_flows_until_the_key_frame_of_the_new() {
    let mut consumer = consumer_of(MediaKind::Video, Layering::Simulcast { encodings: 2, temporal_layers: 1 });
    let to = |spatial| Some(Layers { spatial, temporal: 0 });
    consumer.selector.set_target(to(0));
    let old = consumer.admit(origin(), &packet(0, 10, true)).sent().unwrap();
    assert_eq!(consumer.wanted_key_frame(), None);
    consumer.selector.set_target(to(1));
    assert_eq!(consumer.wanted_key_frame(), Some(1));
    assert!(consumer.admit(origin(), &packet(0, 11, false)).sent().is_some());
    assert_eq!(consumer.admit(origin(), &packet(1, 500, false)), Verdict::Drop);
    let new = consumer.admit(origin() + ms(100), &packet(1, 501, true)).sent().unwrap();
    assert!(new.starts);
    assert_eq!(new.sequence_number, old.sequence_number.wrapping_add(2));
    assert_eq!(consumer.admit(origin() + ms(100), &packet(0, 12, true)), Verdict::Drop, "the old one is left");
}

#[test]
fn probing_padding_is_left_out_without_a_gap() {
    let mut consumer = consumer(MediaKind::Video);
    let before = consumer.admit(origin(), &packet(0, 10, true)).sent().unwrap();
    assert_eq!(consumer.admit(origin(), &Candidate { is_empty: true, ..packet(0, 11, false) }), Verdict::Drop);
    let after = consumer.admit(origin(), &packet(0, 12, false)).sent().unwrap();
    assert_eq!(after.sequence_number, before.sequence_number.wrapping_add(1));
}

#[test]
fn a_payload_type_that_was_not_negotiated_stays_out() {
    let mut consumer = consumer(MediaKind::Video);
    let mut other = packet(0, 10, true);
    other.media.mapped = PayloadType(103);
    assert_eq!(consumer.admit(origin(), &other), Verdict::Drop);
    assert_eq!(consumer.selector.current(), None, "and starts nothing");
}

#[test]
fn a_restarted_source_goes_on_where_time_says() {
    let mut consumer = consumer(MediaKind::Video);
    let before = consumer.admit(origin(), &packet(0, 10, true)).sent().unwrap();
    let restarted = Candidate { restarted: true, ..packet(0, 40_000, true) };
    let after = consumer.admit(origin() + ms(100), &restarted).sent().unwrap();
    assert_eq!(after.sequence_number, before.sequence_number.wrapping_add(1));
    assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 9000);
}

#[test]
fn audio_starts_with_any_packet() {
    let mut consumer = consumer(MediaKind::Audio);
    assert!(consumer.wanted_key_frame().is_none(), "nobody asks for key frames of sound");
    assert!(consumer.admit(origin(), &packet(0, 10, true)).sent().is_some());
}

/// A frame of one packet of an AV1 stream with three spatial layers.
fn layer(extended: u64, picture: u32, spatial: u8) -> Candidate<'static> {
    let key_frame = picture == 1 && spatial == 0;
    let layers = Layers { spatial, temporal: 0 };
    let mut packet = packet(0, 0, false);
    packet.media.codec = Codec::Av1;
    let frame = FrameInfo { key_frame, starts_frame: true, ends_frame: true, layers, ..FrameInfo::NONE };
    Candidate { extended, timestamp: picture * 3000, frame, ..packet }
}

/// Gets the lower two layers; the lowest one's frame of the first picture is held.
fn holding() -> Consumer {
    let layering = Layering::Svc { spatial_layers: 3, temporal_layers: 1, up_switch: UpSwitch::KeyFrame };
    let mut consumer = consumer_of(MediaKind::Video, layering);
    consumer.selector.set_target(Some(Layers { spatial: 1, temporal: 0 }));
    assert_eq!(consumer.admit(origin(), &layer(10, 1, 0)), Verdict::Hold { starts: true });
    consumer
}

#[test]
fn the_next_packet_tells_whether_a_held_one_ends_its_picture() {
    let other = |packet: Candidate<'static>| Candidate { encoding: 1, ..packet };
    let empty = |packet: Candidate<'static>| Candidate { is_empty: true, ..packet };
    let restarted = |packet: Candidate<'static>| Candidate { restarted: true, ..packet };
    let table = [
        (layer(11, 1, 1), Some(false)),
        // Packets are missing, but the wanted layer is there.
        (layer(14, 1, 1), Some(false)),
        // The wanted layer was left out.
        (layer(11, 1, 2), Some(true)),
        (layer(11, 2, 0), Some(true)),
        (restarted(layer(1 << 20, 1, 0)), Some(true)),
        // What is missing is most likely the wanted layer.
        (layer(12, 1, 2), Some(false)),
        (layer(12, 2, 0), Some(false)),
        // These cannot tell.
        (layer(9, 0, 0), None),
        (layer(10, 1, 0), None),
        (other(layer(11, 1, 1)), None),
        (empty(layer(11, 0, 0)), None),
    ];
    for (next, marker) in table {
        let mut consumer = holding();
        let held = consumer.take_held(&next);
        assert_eq!(held.map(|held| held.admission.marker), marker, "{} {:?}", next.extended, next.frame);
        assert_eq!(held.map(|held| (held.encoding, held.extended)), marker.map(|_| (0, 10)));
        if marker.is_some() {
            assert_eq!(consumer.take_held(&layer(30, 9, 0)), None, "it comes out once");
        }
    }
}

/// Harm prevented: a picture without an end is never shown, nor what is predicted from it. Only a layer that flows already may
/// be what is missing.
#[test]
fn a_whole_picture_that_waits_for_one_layer_more_ends_at_a_gap() {
    let layering = Layering::Svc { spatial_layers: 3, temporal_layers: 1, up_switch: UpSwitch::SpatialSwitch };
    for next in [layer(22, 2, 1), layer(23, 3, 0)] {
        let mut consumer = consumer_of(MediaKind::Video, layering);
        consumer.selector.set_target(Some(Layers { spatial: 0, temporal: 0 }));
        assert!(consumer.admit(origin(), &layer(10, 1, 0)).sent().unwrap().marker);
        consumer.selector.set_target(Some(Layers { spatial: 1, temporal: 0 }));
        assert_eq!(consumer.admit(origin(), &layer(20, 2, 0)), Verdict::Hold { starts: false });
        assert!(consumer.take_held(&next).unwrap().admission.marker);
    }
}

#[test]
fn a_held_packet_keeps_its_place() {
    let mut consumer = holding();
    let next = layer(11, 1, 1);
    let held = consumer.take_held(&next).unwrap().admission;
    let after = consumer.admit(origin(), &next).sent().unwrap();
    assert!(held.starts && !after.starts);
    assert_eq!(after.sequence_number, held.sequence_number.wrapping_add(1));
    assert_eq!(after.timestamp, held.timestamp);
    assert!(after.marker);
}

#[test]
fn padding_behind_a_held_packet_is_no_gap() {
    let mut consumer = holding();
    let padding = Candidate { is_empty: true, ..layer(11, 0, 0) };
    assert_eq!(consumer.take_held(&padding), None);
    assert_eq!(consumer.admit(origin(), &padding), Verdict::Drop);
    assert!(consumer.take_held(&layer(12, 2, 0)).unwrap().admission.marker);
}

/// Harm prevented: the last picture before a pause is shown when the pause is over.
#[test]
fn a_packet_is_held_for_so_long_and_then_ends_its_picture() {
    let mut consumer = holding();
    assert_eq!(consumer.held_until(), Some(origin() + MAX_HOLD));
    assert_eq!(consumer.take_overdue(origin() + MAX_HOLD - ms(1)), None);
    let held = consumer.take_overdue(origin() + MAX_HOLD).unwrap();
    assert_eq!((held.extended, held.admission.marker), (10, true));
    assert_eq!((consumer.held_until(), consumer.take_overdue(origin() + ms(1000))), (None, None), "it comes out once");
    // What follows without a gap shows that the layer above was left out.
    let next = consumer.admit(origin(), &layer(11, 2, 0));
    assert_eq!(next, Verdict::Hold { starts: false });
    assert_eq!(consumer.selector.current(), Some(Layers { spatial: 1, temporal: 0 }));
    let next = consumer.take_held(&layer(12, 2, 1)).unwrap();
    assert_eq!(next.admission.sequence_number, held.admission.sequence_number.wrapping_add(1));
}

/// Harm prevented: what is predicted from a layer that came behind its picture's end cannot be decoded.
#[test]
fn a_layer_behind_the_end_of_its_picture_is_left_out_until_a_key_frame() {
    let lowest = Layers { spatial: 0, temporal: 0 };
    // The layer itself; one packet more of it; the next picture, behind a gap that the layer is most likely in.
    for late in [layer(11, 1, 1), layer(12, 1, 1), layer(13, 2, 0)] {
        let mut consumer = holding();
        let held = consumer.take_overdue(origin() + MAX_HOLD).unwrap().admission;
        assert_eq!(consumer.wanted_key_frame(), None);
        let is_next_picture = late.frame.layers.spatial == 0;
        let verdict = consumer.admit(origin(), &late);
        assert_eq!(
            verdict.sent().map(|sent| sent.marker),
            is_next_picture.then_some(true),
            "of the lowest layer alone"
        );
        assert_eq!(consumer.admit(origin(), &layer(11, 1, 1)), Verdict::Drop, "its repetition too");
        assert_eq!(consumer.selector.current(), Some(lowest));
        assert_eq!(consumer.wanted_key_frame(), Some(0));
        assert_eq!(consumer.admit(origin(), &layer(14, 2, 1)), Verdict::Drop);
        let next = consumer.admit(origin(), &layer(15, 3, 0)).sent().unwrap();
        assert!(next.marker);
        assert_ne!(next.sequence_number, held.sequence_number);
        let start = Candidate { frame: FrameInfo { key_frame: true, ..layer(20, 4, 0).frame }, ..layer(20, 4, 0) };
        assert_eq!(consumer.admit(origin(), &start), Verdict::Hold { starts: false });
        assert_eq!(consumer.selector.current(), Some(Layers { spatial: 1, temporal: 0 }));
    }
}

#[test]
fn nothing_is_overdue_after_a_stop_or_a_start() {
    let mut consumer = holding();
    consumer.stop();
    assert_eq!(consumer.held_until(), None);
    let mut consumer = holding();
    let start =
        Candidate { marker: true, frame: FrameInfo { key_frame: true, ..layer(20, 3, 0).frame }, ..layer(20, 3, 0) };
    assert!(consumer.take_held(&start).is_some());
    assert!(consumer.admit(origin(), &start).sent().is_some());
    assert_eq!((consumer.held_until(), consumer.take_overdue(origin() + ms(1000))), (None, None));
}

/// A number given to a packet that never leaves would be asked for in vain.
#[test]
fn a_stop_drops_what_is_held_and_leaves_no_gap() {
    let mut consumer = holding();
    consumer.take_held(&layer(11, 1, 1));
    let before = consumer.admit(origin(), &layer(11, 1, 1)).sent().unwrap();
    assert_eq!(consumer.admit(origin(), &layer(12, 2, 0)), Verdict::Hold { starts: false });
    consumer.stop();
    assert_eq!(consumer.take_held(&layer(13, 2, 1)), None);
    let start = Candidate { frame: FrameInfo { key_frame: true, ..layer(20, 3, 0).frame }, ..layer(20, 3, 0) };
    assert_eq!(consumer.admit(origin(), &start), Verdict::Hold { starts: true });
    let held = consumer.take_held(&layer(21, 3, 1)).unwrap();
    assert_eq!(held.admission.sequence_number, before.sequence_number.wrapping_add(1));
}

/// Picture ids go on over a switch, and a picture that is refused by its id takes no sequence number.
#[test]
fn picture_numbers_go_on_over_a_switch() {
    let numbered = |packet: Candidate<'static>, picture_id, temporal| {
        let numbers = PictureNumbers {
            picture_id,
            is_long: true,
            picture_id_at: 2,
            tl0_picture_index: Some((picture_id as u8, 4)),
        };
        let layers = Layers { spatial: 0, temporal };
        Candidate { frame: FrameInfo { numbers: Some(numbers), layers, ..packet.frame }, ..packet }
    };
    let mut consumer = consumer_of(MediaKind::Video, Layering::Simulcast { encodings: 2, temporal_layers: 2 });
    consumer.selector.set_target(Some(Layers { spatial: 0, temporal: 0 }));
    let first = consumer.admit(origin(), &numbered(packet(0, 10, true), 500, 0)).sent().unwrap();
    assert_eq!(first.numbers, Some((500, 244)));
    assert_eq!(consumer.admit(origin(), &numbered(packet(0, 11, false), 501, 1)), Verdict::Drop);
    let second = consumer.admit(origin(), &numbered(packet(0, 13, false), 502, 0)).sent().unwrap();
    assert_eq!(second.numbers.map(|(picture_id, _)| picture_id), Some(501), "what was dropped leaves no gap");
    assert_eq!(
        consumer.admit(origin(), &numbered(packet(0, 12, false), 501, 0)),
        Verdict::Drop,
        "it was dropped before"
    );
    consumer.selector.set_target(Some(Layers { spatial: 1, temporal: 0 }));
    let other = consumer.admit(origin(), &numbered(packet(1, 900, true), 7, 0)).sent().unwrap();
    assert_eq!(other.numbers, Some((502, 247)));
    assert_eq!(other.sequence_number, second.sequence_number.wrapping_add(1));
}

#[test]
fn timestamps_follow_the_senders_clock_over_a_switch() {
    let report = |encoding: usize| {
        let rtp_timestamp = if encoding == 0 { 30_000 } else { 2_000_000_000 };
        Some(SourceReport { ntp: NtpTime(5 << 32), rtp_timestamp, received_at: origin() })
    };
    let mut consumer = consumer_of(MediaKind::Video, Layering::Simulcast { encodings: 2, temporal_layers: 1 });
    consumer.selector.set_target(Some(Layers { spatial: 0, temporal: 0 }));
    let old = consumer.admit(origin(), &Candidate { reports: &report, ..packet(0, 10, true) }).sent().unwrap();
    consumer.selector.set_target(Some(Layers { spatial: 1, temporal: 0 }));
    // One picture later by the sender's clock, though it came half a second later.
    let new = Candidate { timestamp: 2_000_003_000, reports: &report, ..packet(1, 900, true) };
    let new = consumer.admit(origin() + ms(500), &new).sent().unwrap();
    assert_eq!(new.timestamp.wrapping_sub(old.timestamp), 3000);
}

#[test]
fn a_codec_that_was_not_negotiated_leaves_no_gap_in_what_flows() {
    let mut consumer = consumer(MediaKind::Video);
    let before = consumer.admit(origin(), &packet(0, 10, true)).sent().unwrap();
    let mut other = packet(0, 11, false);
    other.media.mapped = PayloadType(103);
    assert_eq!(consumer.admit(origin(), &other), Verdict::Drop);
    let after = consumer.admit(origin(), &packet(0, 12, false)).sent().unwrap();
    assert_eq!(after.sequence_number, before.sequence_number.wrapping_add(1));
}

#[test]
fn a_paused_consumer_and_one_of_sound_want_no_key_frame() {
    let mut video = consumer(MediaKind::Video);
    assert_eq!(video.wanted_key_frame(), Some(0));
    video.paused = true;
    assert_eq!(video.wanted_key_frame(), None);
    assert_eq!(consumer(MediaKind::Audio).wanted_key_frame(), None);
}

/// There is one for each stream that anybody watches.
#[test]
fn what_a_consumer_keeps_for_choosing_is_small() {
    assert!(size_of::<LayerSelector>() <= 192);
    assert!(size_of::<PictureRewriter>() <= 48);
    assert!(size_of::<Held>() <= 48);
}
