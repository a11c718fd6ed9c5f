use std::collections::HashSet;
use std::fs;
use std::path::Path;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::super::dependency_descriptor::test_writer::{Encoder, Frame, Mode, Structure};
use super::super::{Codec, FrameInfo, FrameReader};
use crate::rtp::layers::Layers;

const MODES: [(&str, Mode); 6] = [
    ("l1t1", Mode { spatial: 1, temporal: 1, key: false }),
    ("l1t3", Mode { spatial: 1, temporal: 3, key: false }),
    ("l2t1", Mode { spatial: 2, temporal: 1, key: false }),
    ("l3t3", Mode { spatial: 3, temporal: 3, key: false }),
    ("l3t3_key", Mode { spatial: 3, temporal: 3, key: true }),
    ("l2t2_key", Mode { spatial: 2, temporal: 2, key: true }),
];

/// Coded data of which nothing can be told, as under end-to-end encryption.
const OPAQUE: [u8; 3] = [0x10, 0xff, 0xff];

fn describe(structure: &Structure, frame: &Frame) -> Vec<u8> {
    structure.describe(frame, (true, true), frame.key_picture && frame.spatial == 0, None)
}

#[test]
fn the_descriptor_says_of_an_opaque_packet_what_frame_it_is_of() {
    let mode = MODES[3].1;
    let (mut encoder, structure) = (Encoder::new(mode, 0), Structure::of(mode, 0));
    let mut reader = FrameReader::default();
    for key in [true, false, false] {
        for frame in encoder.picture(key) {
            let info = reader.read(Codec::Av1, &OPAQUE, Some(&describe(&structure, &frame)), false);
            let expected = FrameInfo {
                key_frame: key && frame.spatial == 0,
                starts_frame: true,
                ends_frame: true,
                layers: Layers { spatial: frame.spatial, temporal: frame.temporal },
                temporal_switch: true,
                spatial_switch: key,
                numbers: None,
            };
            assert_eq!(info, expected, "{frame:?}");
        }
    }
}

/// What a forwarder does with the switches, for a receiver that wants other layers now and then.
#[derive(Default)]
struct Receiver {
    current: Option<Layers>,
    got: HashSet<u64>,
}

impl Receiver {
    /// Whether the frame is forwarded.
    fn takes(&mut self, info: FrameInfo, target: Layers) -> bool {
        let Layers { spatial, temporal } = info.layers;
        if info.key_frame {
            self.current = Some(target);
        }
        let Some(current) = &mut self.current else { return false };
        if target.spatial < current.spatial && spatial == 0 {
            current.spatial = target.spatial;
        }
        if target.temporal < current.temporal && spatial == 0 {
            current.temporal = target.temporal;
        }
        if spatial == current.spatial + 1 && spatial <= target.spatial && info.spatial_switch {
            current.spatial = spatial;
        }
        if temporal == current.temporal + 1 && temporal <= target.temporal && info.temporal_switch {
            current.temporal = temporal;
        }
        spatial <= current.spatial && temporal <= current.temporal
    }
}

/// Harm prevented: a switch where a frame needs what was not forwarded stops the video.
#[test]
fn who_switches_where_a_switch_is_told_gets_all_that_its_frames_need() {
    for (name, mode) in MODES {
        let layers: HashSet<_> = (0..10).flat_map(|seed| switch_about(name, mode, seed)).collect();
        assert_eq!(layers.len(), usize::from(mode.spatial * mode.temporal), "{name}: some layer was never taken");
    }
}

/// Changes what a receiver wants now and then, and loses some frames; returns all layers that it took.
fn switch_about(name: &str, mode: Mode, seed: u64) -> HashSet<Layers> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut encoder, structure) = (Encoder::new(mode, rng.random()), Structure::of(mode, 5));
    let (mut reader, mut receiver) = (FrameReader::default(), Receiver::default());
    let (mut lost, mut taken) = (HashSet::new(), HashSet::new());
    let mut target = Layers::MAX;
    for picture in 0..400 {
        if rng.random_ratio(1, 10) {
            target = Layers { spatial: rng.random_range(0..3), temporal: rng.random_range(0..3) };
        }
        let key = picture == 0 || rng.random_ratio(1, 60);
        for frame in encoder.picture(key) {
            // Never a key frame's structure: without it nothing is forwarded at all.
            if rng.random_ratio(1, 50) && !(key && frame.spatial == 0) {
                lost.insert(frame.number);
                continue;
            }
            let info = reader.read(Codec::Av1, &OPAQUE, Some(&describe(&structure, &frame)), false);
            if !receiver.takes(info, target) {
                continue;
            }
            for needed in frame.references.iter().map(|back| frame.number - back) {
                let known = receiver.got.contains(&needed) || lost.contains(&needed);
                assert!(known, "seed {seed}, {name}: {frame:?} needs {needed}");
            }
            taken.insert(info.layers);
            receiver.got.insert(frame.number);
        }
    }
    taken
}

#[test]
fn in_steady_state_reading_allocates_nothing() {
    let mode = MODES[4].1;
    let (mut encoder, structure) = (Encoder::new(mode, 0), Structure::of(mode, 0));
    let packets: Vec<_> =
        (0..50).flat_map(|n| encoder.picture(n == 0)).map(|frame| describe(&structure, &frame)).collect();
    let mut reader = FrameReader::default();
    reader.read(Codec::Av1, &OPAQUE, Some(&packets[0]), false);
    let counted = allocation_counter::measure(|| {
        for packet in &packets[1..] {
            assert!(reader.read(Codec::Av1, &OPAQUE, Some(packet), false).layers != Layers::MAX);
        }
        reader.read(Codec::Vp8, &[0x90, 0xe0, 0x92, 0x34, 0x09, 0x60, 0x01], None, true);
        reader.read(Codec::Vp9, &[0xac, 0x92, 0x34, 0x00, 0x07, 0xff], None, true);
        reader.read(Codec::H264, &[0x65, 0x88], None, true);
    });
    assert_eq!(counted.count_total, 0);
}

/// The seeds that a fuzzer starts from: streams of descriptors, each after its length.
#[test]
fn the_corpus_holds_a_stream_of_each_mode() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/rtp");
    for (name, mode) in MODES {
        let (mut encoder, structure) = (Encoder::new(mode, 0xfffe), Structure::of(mode, 60));
        let mut expected = Vec::new();
        for picture in 0..6 {
            for mut frame in encoder.picture(picture % 5 == 0) {
                if picture == 3 {
                    // Everything that a template could say, said by the frame.
                    frame.indications = frame.indications.replace('D', "R");
                    frame.references.push(70);
                    frame.chains[0] = 200;
                }
                let descriptor = describe(&structure, &frame);
                expected.push(descriptor.len() as u8);
                expected.extend(descriptor);
            }
        }
        let kept = fs::read(folder.join(format!("descriptors_{name}"))).unwrap_or_default();
        assert_eq!(kept, expected, "{name}");
    }
}

/// Harm prevented: when the packet with the parameter sets is lost a viewer starts behind it, and never gets them.
#[test]
fn an_h264_stream_that_sends_parameter_sets_is_started_with_them_alone() {
    let (single, idr) = ([0x67, 0x42, 0xe0, 0x1f], [0x65, 0x88]);
    let aggregated = [24, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 2, 0x68, 0xce];
    for sets in [&single[..], &aggregated] {
        let mut reader = FrameReader::default();
        let mut is_key = |payload: &[u8]| reader.read(Codec::H264, payload, None, false).key_frame;
        assert!(is_key(&idr), "they may have come by signalling");
        assert_eq!([is_key(sets), is_key(&idr), is_key(sets)], [true, false, true]);
    }
}
