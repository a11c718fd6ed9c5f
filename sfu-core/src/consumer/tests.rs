//! What a consumer lets through, packet by packet.

use rand::SeedableRng;
use rand::rngs::StdRng;
use slotmap::SlotMap;

use super::*;
use crate::rtp::codecs::Codec;
use crate::rtp::extensions::ExtensionIds;
use crate::test_support::{ms, origin};

const VIDEO: PayloadType = PayloadType(101);

fn consumer(kind: MediaKind) -> Consumer {
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
    };
    Consumer::new(origin(), setup, &mut rng)
}

fn packet(encoding: usize, sequence_number: u16, key_frame: bool) -> Candidate {
    Candidate {
        encoding,
        best: 0,
        media: MediaPayload { codec: Codec::Vp8, mapped: VIDEO, clock_rate_hz: 90_000, nack: true },
        sequence_number,
        timestamp: u32::from(sequence_number) * 3000,
        frame: FrameInfo { key_frame, ..FrameInfo::NONE },
        is_empty: false,
        restarted: false,
    }
}

#[test]
fn nothing_leaves_before_a_key_frame_and_everything_after_it() {
    let mut consumer = consumer(MediaKind::Video);
    assert_eq!(consumer.admit(origin(), &packet(0, 10, false)), None);
    let first = consumer.admit(origin(), &packet(0, 11, true)).unwrap();
    assert!(first.starts);
    let second = consumer.admit(origin(), &packet(0, 12, false)).unwrap();
    assert!(!second.starts);
    assert_eq!(second.sequence_number, first.sequence_number.wrapping_add(1));
    assert_eq!(second.timestamp.wrapping_sub(first.timestamp), 3000);
}

#[test]
fn a_pause_leaves_no_gap_and_ends_with_a_key_frame_on_the_same_timeline() {
    let mut consumer = consumer(MediaKind::Video);
    let before = consumer.admit(origin(), &packet(0, 10, true)).unwrap();
    consumer.paused = true;
    consumer.stop();
    assert_eq!(consumer.admit(origin(), &packet(0, 11, true)), None);
    consumer.paused = false;
    assert_eq!(consumer.admit(origin() + ms(1000), &packet(0, 12, false)), None);
    let after = consumer.admit(origin() + ms(1000), &packet(0, 40, true)).unwrap();
    assert_eq!(after.sequence_number, before.sequence_number.wrapping_add(1), "a gap would be asked for in vain");
    assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 30 * 3000, "the source's own timeline");
}

#[test]
fn the_old_encoding_flows_until_the_key_frame_of_the_new() {
    let mut consumer = consumer(MediaKind::Video);
    let old = consumer.admit(origin(), &packet(0, 10, true)).unwrap();
    assert!(!consumer.wants_key_frame(0));
    assert!(consumer.wants_key_frame(1));
    let to_new = |packet: Candidate| Candidate { best: 1, ..packet };
    assert!(consumer.admit(origin(), &to_new(packet(0, 11, false))).is_some());
    assert_eq!(consumer.admit(origin(), &to_new(packet(1, 500, false))), None);
    let new = consumer.admit(origin() + ms(100), &to_new(packet(1, 501, true))).unwrap();
    assert!(new.starts);
    assert_eq!(new.sequence_number, old.sequence_number.wrapping_add(2));
    assert_eq!(consumer.admit(origin() + ms(100), &to_new(packet(0, 12, true))), None, "the old one is left");
}

#[test]
fn probing_padding_is_left_out_without_a_gap() {
    let mut consumer = consumer(MediaKind::Video);
    let before = consumer.admit(origin(), &packet(0, 10, true)).unwrap();
    assert_eq!(consumer.admit(origin(), &Candidate { is_empty: true, ..packet(0, 11, false) }), None);
    let after = consumer.admit(origin(), &packet(0, 12, false)).unwrap();
    assert_eq!(after.sequence_number, before.sequence_number.wrapping_add(1));
}

#[test]
fn a_payload_type_that_was_not_negotiated_stays_out() {
    let mut consumer = consumer(MediaKind::Video);
    let mut other = packet(0, 10, true);
    other.media.mapped = PayloadType(103);
    assert_eq!(consumer.admit(origin(), &other), None);
    assert!(consumer.needs_start, "and starts nothing");
}

#[test]
fn a_restarted_source_goes_on_where_time_says() {
    let mut consumer = consumer(MediaKind::Video);
    let before = consumer.admit(origin(), &packet(0, 10, true)).unwrap();
    let restarted = Candidate { restarted: true, ..packet(0, 40_000, true) };
    let after = consumer.admit(origin() + ms(100), &restarted).unwrap();
    assert_eq!(after.sequence_number, before.sequence_number.wrapping_add(1));
    assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 9000);
}

#[test]
fn audio_starts_with_any_packet() {
    let mut consumer = consumer(MediaKind::Audio);
    assert!(!consumer.wants_key_frame(0), "nobody asks for key frames of sound");
    assert!(consumer.admit(origin(), &packet(0, 10, true)).is_some());
}
