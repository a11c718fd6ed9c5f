//! The core's readers of descriptors and the simulation's writers of them, each made from the formats alone: what one reads must be
//! what the other's encoder knows.

use sfu_core::parameters::HeaderExtensionUri;
use sfu_core::rtp::codecs::{Codec, FrameReader};
use simulation::source::payloads::{Media, numbers};
use simulation::source::video::{Video, VideoCodec};
use simulation::truth::Stamp;
use simulation::{World, s};

/// Harm prevented: both could be wrong in the same tests' eyes, and right in their own.
#[test]
fn every_packet_is_read_as_its_encoder_made_it() {
    let mut videos: Vec<Video> = VideoCodec::ALL.map(Video::single).into_iter().collect();
    videos.extend(VideoCodec::ALL.map(|codec| Video::simulcast(codec, 2)));
    for mode in ["L1T2", "L1T3", "L2T2", "L2T3_KEY", "L3T1", "L3T3", "L3T3_KEY"] {
        videos.push(Video::svc(VideoCodec::Vp9, mode));
        videos.push(Video { is_flexible: true, ..Video::svc(VideoCodec::Vp9, mode) });
        videos.push(Video { left_out: 0.2, ..Video::svc(VideoCodec::Av1, mode) });
    }
    let mut world = World::new(210);
    let alice = world.peer();
    for video in videos {
        let source = world.publish(alice, &video);
        for _ in 0..3 {
            world.run_for(s(2));
            let now = world.now;
            world.source_mut(source).layers.iter_mut().for_each(|layer| layer.want_key_frame(now));
        }
        world.source_mut(source).stop();
        let (media, codec) = match video.codec {
            VideoCodec::Vp8 => (Media::Vp8, Codec::Vp8),
            VideoCodec::Vp9 => (Media::Vp9, Codec::Vp9),
            VideoCodec::H264 => (Media::H264, Codec::H264),
            VideoCodec::Av1 => (Media::Av1, Codec::Av1),
        };
        let has_descriptors = world.source(source).ids.contains_key(&HeaderExtensionUri::DependencyDescriptor);
        for layer in &world.source(source).layers {
            let mut reader = FrameReader::default();
            assert!(layer.key_frames >= 3);
            for sent in &layer.sent {
                let info = reader.read(codec, &sent.payload, sent.descriptor.as_deref(), sent.marker);
                let Stamp { index, count, frame, .. } = Stamp::read(&sent.payload).unwrap();
                let what = format!("{codec:?} {} {frame:?}, packet {index} of {count}", video.encodings[0].mode);
                assert_eq!(info.key_frame, sent.starts_key_frame, "{what}");
                // Behind the parameter sets of H.264 the slice itself is a beginning too.
                let is_second_start = codec == Codec::H264 && frame.is_key && index == 1;
                assert_eq!(info.starts_frame, index == 0 || is_second_start, "{what}");
                assert_eq!(info.ends_frame, index + 1 == count, "{what}");
                // Without the descriptor AV1 has no layers to see.
                if codec != Codec::Av1 || has_descriptors {
                    assert_eq!(info.layers, frame.layers, "{what}");
                }
                let known = numbers(media, &sent.payload);
                assert_eq!(
                    info.numbers.map(|numbers| numbers.picture_id),
                    known.picture_id.map(|(_, id)| id),
                    "{what}"
                );
                let base_index = info.numbers.and_then(|numbers| numbers.tl0_picture_index);
                assert_eq!(base_index.map(|(index, _)| index), known.base_index.map(|(_, index)| index), "{what}");
                // A frame that is predicted from nothing but its own picture can be switched to.
                if index == 0 && frame.layers.spatial > 0 && frame.is_key && (codec != Codec::Av1 || has_descriptors) {
                    assert!(info.spatial_switch, "{what}");
                }
            }
        }
    }
}
