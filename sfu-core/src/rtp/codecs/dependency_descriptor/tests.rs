use super::structure::MAX_REFERENCES;
use super::test_writer::{BitWriter, Encoder, Frame, Mode, Structure as Written};
use super::{DescribedFrame, DescribedPacket, DescriptorReader};
use crate::rtp::layers::Layers;

const L1T1: Mode = Mode { spatial: 1, temporal: 1, key: false };
const L1T3: Mode = Mode { spatial: 1, temporal: 3, key: false };
const L2T1: Mode = Mode { spatial: 2, temporal: 1, key: false };
const L2T2_KEY: Mode = Mode { spatial: 2, temporal: 2, key: true };
const L3T3: Mode = Mode { spatial: 3, temporal: 3, key: false };
const L3T3_KEY: Mode = Mode { spatial: 3, temporal: 3, key: true };
const MODES: [Mode; 6] = [L1T1, L1T3, L2T1, L2T2_KEY, L3T3, L3T3_KEY];

const WHOLE: (bool, bool) = (true, true);

/// One stream, from its encoder to what was read of it.
struct Stream {
    structure: Written,
    encoder: Encoder,
    reader: DescriptorReader,
}

impl Stream {
    fn started(mode: Mode) -> Self {
        let mut stream = Self::new(mode, 100);
        for frame in stream.encoder.picture(true) {
            assert!(stream.read(&frame).is_some());
        }
        stream
    }

    fn new(mode: Mode, first_number: u16) -> Self {
        Self {
            structure: Written::of(mode, 7),
            encoder: Encoder::new(mode, first_number),
            reader: DescriptorReader::default(),
        }
    }

    /// A descriptor for a whole frame in one packet.
    fn describe(&self, frame: &Frame) -> Vec<u8> {
        self.structure.describe(frame, WHOLE, frame.key_picture && frame.spatial == 0, None)
    }

    fn read(&mut self, frame: &Frame) -> Option<DescribedFrame> {
        let descriptor = self.describe(frame);
        self.reader.read(&descriptor).frame
    }
}

const fn layers(spatial: u8, temporal: u8) -> Layers {
    Layers { spatial, temporal }
}

#[test]
fn every_mode_is_read_as_its_encoder_meant_it() {
    for mode in MODES {
        // Over the end of the frame numbers.
        let mut stream = Stream::new(mode, 0xfff0);
        for picture in 0..40 {
            let key = picture == 0 || picture == 21;
            for frame in stream.encoder.picture(key) {
                let expected = DescribedFrame {
                    layers: layers(frame.spatial, frame.temporal),
                    key_frame: key && frame.spatial == 0,
                    // In Chromium's structures no frame of a higher temporal layer needs one of the same.
                    temporal_switch: true,
                    spatial_switch: key,
                };
                assert_eq!(stream.read(&frame), Some(expected), "{mode:?} {frame:?}");
            }
        }
    }
}

/// What Chromium was measured to send: a template for each of the 15 kinds of frame, 90 to 95 bytes.
#[test]
fn structures_have_the_size_that_browsers_send() {
    let structure = Written::of(L3T3_KEY, 0);
    assert_eq!(structure.templates.len(), 15);
    for mode in [L3T3, L3T3_KEY] {
        let mut stream = Stream::new(mode, 0);
        let key = stream.encoder.picture(true).remove(0);
        let len = stream.describe(&key).len();
        assert!((90..=105).contains(&len), "{mode:?}: {len}");
        let delta = stream.encoder.picture(false).remove(0);
        assert_eq!(stream.describe(&delta).len(), 3);
    }
}

/// Harm prevented: a packet of a layer that nobody can name would go to those who cannot decode it.
#[test]
fn before_its_structure_a_frame_is_unreadable_but_for_its_ends() {
    let mut stream = Stream::new(L3T3, 0);
    let key = stream.encoder.picture(true);
    let early = stream.describe(&key[1]);
    assert_eq!(stream.reader.read(&early), DescribedPacket { starts_frame: true, ends_frame: true, frame: None });
    assert!(stream.read(&key[0]).is_some_and(|frame| frame.key_frame));
    assert!(stream.read(&key[1]).is_some_and(|frame| frame.spatial_switch));
    // An id of no template; and no descriptor at all.
    assert_eq!(
        stream.reader.read(&[0x86, 0, 2]),
        DescribedPacket { starts_frame: true, ends_frame: false, frame: None }
    );
    assert_eq!(stream.reader.read(&[0xc0, 0]), DescribedPacket::default());
}

/// Only a frame's first packet is a place to start or switch at.
#[test]
fn later_packets_of_a_frame_name_its_layers_and_nothing_more() {
    let mut stream = Stream::started(L2T1);
    for key in [true, false] {
        for frame in stream.encoder.picture(key) {
            let attach = key && frame.spatial == 0;
            let first = stream.structure.describe(&frame, (true, false), attach, None);
            let last = stream.structure.describe(&frame, (false, true), false, None);
            let (first, last) = (stream.reader.read(&first), stream.reader.read(&last));
            assert!((first.starts_frame, first.ends_frame) == (true, false) && first.frame.unwrap().temporal_switch);
            let layers = layers(frame.spatial, 0);
            let rest = DescribedFrame { layers, key_frame: false, temporal_switch: false, spatial_switch: false };
            assert_eq!(last, DescribedPacket { starts_frame: false, ends_frame: true, frame: Some(rest) });
        }
    }
}

/// Harm prevented: a retransmission of before a key frame would be read by the new structure, or bring the old one back.
#[test]
fn packets_around_a_new_structure_are_read_by_their_own_in_any_order() {
    let mut old = Stream::new(L1T3, 500);
    let before: Vec<_> = (0..4).flat_map(|picture| old.encoder.picture(picture == 0)).collect();
    let mut new = Stream::new(L2T1, 504);
    // As libwebrtc numbers a new structure's templates: after the old one's.
    new.structure.id_offset = 20;
    let after: Vec<_> = (0..3).flat_map(|picture| new.encoder.picture(picture == 0)).collect();

    let mut reader = DescriptorReader::default();
    let mut read = |stream: &Stream, frame: &Frame| {
        let described = reader.read(&stream.describe(frame)).frame;
        described.map(|described| (described.layers, described.key_frame))
    };
    assert_eq!(read(&old, &before[0]), Some((layers(0, 0), true)));
    assert_eq!(read(&new, &after[1]), None, "the new key frame's first packet was lost");
    assert_eq!(read(&old, &before[2]), Some((layers(0, 1), false)));
    assert_eq!(read(&new, &after[0]), Some((layers(0, 0), true)), "and sent again");
    assert_eq!(read(&new, &after[1]), Some((layers(1, 0), false)));
    assert_eq!(read(&old, &before[1]), Some((layers(0, 2), false)), "late, and of the old structure");
    assert_eq!(read(&old, &before[0]), Some((layers(0, 0), true)), "the old key frame once more");
    assert_eq!(read(&new, &after[3]), Some((layers(1, 0), false)), "which has not brought its structure back");
    assert_eq!(read(&old, &before[3]), Some((layers(0, 2), false)));
}

/// A structure comes with every key frame, mostly the same: that must not push the one before out.
#[test]
fn a_repeated_structure_replaces_nothing() {
    let mut stream = Stream::started(L3T3_KEY);
    for _ in 0..3 {
        for frame in stream.encoder.picture(true) {
            assert!(stream.read(&frame).is_some());
        }
    }
    assert!(stream.reader.previous.is_none());
    assert_eq!(stream.reader.current.as_ref().unwrap().0 & 0xffff, 100);
}

/// Harm prevented: an encoding that was paused for most of a turn of the frame numbers would stay dark after it.
#[test]
fn a_repeated_structure_that_seems_late_holds_from_there_on() {
    let mut stream = Stream::started(L1T3);
    stream.encoder = Encoder::new(L1T3, 50);
    for picture in 0..5 {
        let frame = stream.encoder.picture(picture == 0).remove(0);
        assert!(stream.read(&frame).is_some(), "{frame:?}");
    }
}

/// A structure that comes with anything but a key frame is used for that frame, and not kept.
#[test]
fn a_structure_is_taken_from_a_key_frame_only() {
    let mut stream = Stream::started(L1T3);
    let mut other = Stream::new(L2T1, 101);
    other.structure.id_offset = 20;
    other.encoder.picture(true);
    let delta = other.encoder.picture(false).remove(0);
    let descriptor = other.structure.describe(&delta, WHOLE, true, None);
    let read = stream.reader.read(&descriptor).frame.unwrap();
    assert!(!read.key_frame && read.layers == layers(0, 0));
    assert_eq!(other.describe(&delta).len(), 3);
    assert_eq!(stream.reader.read(&other.describe(&delta)).frame, None);
    let far_back = Frame { number: 60_000, ..delta };
    let descriptor = other.structure.describe(&far_back, WHOLE, true, None);
    assert_eq!(stream.reader.read(&descriptor).frame, None, "nor does it start a new numbering");
}

#[test]
fn an_encoder_that_numbers_anew_is_followed_from_its_key_frame_on() {
    let mut stream = Stream::new(L3T3, 60_000);
    for frame in stream.encoder.picture(true) {
        assert!(stream.read(&frame).is_some());
    }
    stream.encoder = Encoder::new(L1T3, 50_000);
    stream.structure = Written::of(L1T3, 40);
    let (key, delta) = (stream.encoder.picture(true).remove(0), stream.encoder.picture(false).remove(0));
    assert_eq!(stream.read(&delta), None);
    assert!(stream.read(&key).unwrap().key_frame);
    assert_eq!(stream.read(&delta).unwrap().layers, layers(0, 2));
}

#[test]
fn what_a_frame_says_itself_goes_before_its_template() {
    type Change = fn(&mut [Frame]);
    // What is changed in a picture of temporal layer 1; whether its second frame is still a temporal switch.
    let cases: [(Change, bool); 6] = [
        (|_| {}, true),
        // Later frames of its layer need it, and perhaps others before it.
        (|frames| frames[1].indications = frames[1].indications.replace('D', "R"), false),
        // The frame below it, which it needs, cannot be taken.
        (|frames| frames[0].indications = frames[0].indications.replace('D', "R"), false),
        // It needs one of its own layer of an earlier picture.
        (|frames| frames[1].references = vec![12], false),
        // One that was never seen.
        (|frames| frames[1].references = vec![300], false),
        (|frames| frames[1].chains = vec![200, 0, 1], true),
    ];
    for (change, temporal_switch) in cases {
        let mut stream = Stream::started(L3T3);
        for _ in 0..5 {
            for frame in stream.encoder.picture(false) {
                stream.read(&frame);
            }
        }
        let mut frames = stream.encoder.picture(false);
        assert_eq!((frames[1].spatial, frames[1].temporal), (1, 1));
        change(&mut frames);
        stream.read(&frames[0]);
        let expected =
            DescribedFrame { layers: layers(1, 1), key_frame: false, temporal_switch, spatial_switch: false };
        assert_eq!(stream.read(&frames[1]), Some(expected), "{:?}", frames[1]);
    }
}

/// A layer that comes back without a key frame refers to lower ones only at first.
#[test]
fn a_spatial_layer_can_be_taken_where_it_needs_lower_ones_only() {
    let mut stream = Stream::started(L2T1);
    let mut frames = stream.encoder.picture(false);
    stream.read(&frames[0]);
    frames[1].references = vec![1];
    let back = stream.read(&frames[1]).unwrap();
    assert!(back.spatial_switch && !back.key_frame);
    // The lower frame that it needs has not come: who knows what it is.
    let frames = stream.encoder.picture(false);
    assert!(!stream.read(&Frame { references: vec![1], ..frames[1].clone() }).unwrap().spatial_switch);
    stream.read(&frames[0]);
    assert!(!stream.read(&frames[1]).unwrap().spatial_switch);
}

/// Harm prevented: a publisher that has switched its lowest layers off could never be watched.
#[test]
fn the_key_frame_is_that_of_the_lowest_layer_sent() {
    let mut stream = Stream::new(L3T3_KEY, 0);
    let mut frames = stream.encoder.picture(true);
    (frames[1].references, frames[1].chains) = (vec![], vec![0, 0, 0]);
    let without_0 = 0b111_111_000;
    let descriptor = stream.structure.describe(&frames[1], WHOLE, true, Some(without_0));
    assert!(stream.reader.read(&descriptor).frame.unwrap().key_frame);
    let above = stream.read(&frames[2]).unwrap();
    assert!(above.spatial_switch && !above.key_frame);
}

/// Independent layers bring the structure with each; a decoder of all starts with the lowest.
#[test]
fn of_independent_layers_the_lowest_starts_the_picture() {
    let frame = |spatial, references: &[u64], indications: &str| Frame {
        number: 0,
        spatial,
        temporal: 0,
        key_picture: references.is_empty(),
        indications: indications.to_owned(),
        references: references.to_vec(),
        chains: vec![],
    };
    let templates = vec![frame(0, &[], "S-"), frame(0, &[2], "S-"), frame(1, &[], "-S"), frame(1, &[2], "-S")];
    let structure = Written { id_offset: 60, templates, protected_by: vec![], resolutions: vec![] };
    let mut reader = DescriptorReader::default();
    for (number, template, expected) in [(7, 0, (true, true)), (8, 2, (false, true)), (9, 1, (false, false))] {
        let frame = Frame { number, ..structure.templates[template].clone() };
        let read = reader.read(&structure.describe(&frame, WHOLE, template != 1, None)).frame.unwrap();
        assert_eq!((read.key_frame, read.spatial_switch), expected, "frame {number}");
    }
}

/// Harm prevented: half a structure must not replace a whole one.
#[test]
fn a_descriptor_cut_anywhere_changes_nothing() {
    let mut stream = Stream::started(L1T3);
    let mut other = Stream::new(L3T3_KEY, 101);
    other.structure.id_offset = 30;
    let mut key = other.encoder.picture(true).remove(0);
    // Every custom field too.
    (key.indications, key.chains) = ("SSSSSSSSR".to_owned(), vec![0, 0, 200]);
    let whole = other.structure.describe(&key, WHOLE, true, Some(0x1ff));
    for len in 0..whole.len() {
        assert_eq!(stream.reader.read(&whole[..len]).frame, None, "{len} of {} bytes", whole.len());
        assert_eq!(stream.reader.current.as_ref().unwrap().0 & 0xffff, 100);
    }
    let in_the_middle = other.structure.describe(&key, (false, true), true, None);
    assert_eq!(stream.reader.read(&in_the_middle).frame, None, "a structure comes in a frame's first packet");
    let delta = stream.encoder.picture(false).remove(0);
    assert_eq!(stream.read(&delta).unwrap().layers, layers(0, 2));
    assert!(stream.reader.read(&whole).frame.unwrap().key_frame);
}

#[test]
fn structures_beyond_a_limit_are_refused() {
    // Steps between templates; whether that is within the limits.
    let cases: [(&[u64], bool); 6] = [
        (&[0; 63], true),
        (&[0; 64], false),
        (&[2, 2, 2], true),
        (&[2, 2, 2, 2], false),
        (&[1; 7], true),
        (&[1; 8], false),
    ];
    for (steps, fits) in cases {
        assert_eq!(read_structure(steps, 0), fits, "{steps:?}");
    }
    assert!(read_structure(&[], MAX_REFERENCES) && !read_structure(&[], MAX_REFERENCES + 1));
}

/// A structure of one decode target and no chains, whose first template refers to `references` frames.
fn read_structure(steps: &[u64], references: usize) -> bool {
    let mut bits = BitWriter::default();
    bits.number(24, 0xc0_0001);
    bits.number(5, 0x10);
    bits.number(11, 0);
    steps.iter().for_each(|&step| bits.number(2, step));
    bits.number(2, 3);
    (0..=steps.len()).for_each(|_| bits.number(2, 2));
    (0..references).for_each(|_| bits.number(5, 0x1f));
    (0..=steps.len()).for_each(|_| bits.number(1, 0));
    bits.number(2, 0);
    DescriptorReader::default().read(&bits.finish()).frame.is_some()
}

/// Temporal layers that are not told apart are told of as the highest that is.
#[test]
fn temporal_layers_beyond_those_told_apart_count_as_the_highest() {
    let mut bits = BitWriter::default();
    bits.number(24, 0xc0_0001 | 7 << 16);
    bits.number(5, 0x10);
    bits.number(11, 0);
    (0..7).for_each(|_| bits.number(2, 1));
    bits.number(2, 3);
    (0..8).for_each(|_| bits.number(2, 2));
    bits.number(8 + 2, 0);
    let frame = DescriptorReader::default().read(&bits.finish()).frame.unwrap();
    assert_eq!(frame.layers.temporal, Layers::MAX.temporal);
}
