//! What a consumer lets through, packet by packet.

use rand::SeedableRng;
use rand::rngs::StdRng;
use slotmap::SlotMap;

use super::*;
use crate::rtp::codecs::Codec;
use crate::rtp::extensions::ExtensionIds;
use crate::rtp::layers::Layers;
use crate::test_support::{ms, origin};

const VIDEO: PayloadType = PayloadType(101);

fn no_reports(_: usize) -> Option<SourceReport> {
    None
}

fn consumer(kind: MediaKind) -> Consumer {
    consumer_of(kind, Layering::Plain)
}

fn consumer_of(kind: MediaKind, layering: Layering) -> Consumer {
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
            Verdict::Send(admission) => Some(admission),
            Verdict::Drop | Verdict::Hold { .. } => None,
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
