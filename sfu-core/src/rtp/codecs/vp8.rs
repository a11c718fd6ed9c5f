//! VP8 (RFC 7741 section 4).

use super::{FrameInfo, PictureNumbers};
use crate::rtp::layers::Layers;

/// Reads the payload descriptor, whose length varies, and the P bit of the payload header after it.
pub(super) fn frame_info(payload: &[u8], marker: bool) -> FrameInfo {
    match Descriptor::read(payload) {
        Some(descriptor) => descriptor.frame_info(payload, marker),
        None => FrameInfo { ends_frame: marker, ..FrameInfo::UNREADABLE },
    }
}

/// The payload descriptor (section 4.2).
struct Descriptor {
    /// S, in the partition with index 0.
    starts_frame: bool,
    numbers: Option<PictureNumbers>,
    temporal: u8,
    /// Y: predicted from the base layer alone.
    layer_sync: bool,
    /// Of the payload header.
    end: usize,
}

impl Descriptor {
    fn read(payload: &[u8]) -> Option<Self> {
        let first = *payload.first()?;
        let mut descriptor =
            Self { starts_frame: first & 0x17 == 0x10, numbers: None, temporal: 0, layer_sync: false, end: 1 };
        if first & 0x80 == 0 {
            return Some(descriptor);
        }
        let extension = *payload.get(1)?;
        let mut at = 2;
        if extension & 0x80 != 0 {
            let numbers = PictureNumbers::read(payload, at)?;
            at += numbers.picture_id_len();
            descriptor.numbers = Some(numbers);
        }
        if extension & 0x40 != 0 {
            let index = *payload.get(usize::from(at))?;
            if let Some(numbers) = &mut descriptor.numbers {
                numbers.tl0_picture_index = Some((index, at));
            }
            at += 1;
        }
        if extension & 0x30 != 0 {
            let byte = *payload.get(usize::from(at))?;
            // Without T the byte is there for its KEYIDX, and the rest of it says nothing.
            if extension & 0x20 != 0 {
                (descriptor.temporal, descriptor.layer_sync) = (byte >> 6, byte & 0x20 != 0);
            }
            at += 1;
        }
        descriptor.end = usize::from(at);
        Some(descriptor)
    }

    fn frame_info(&self, payload: &[u8], marker: bool) -> FrameInfo {
        let starts_frame = self.starts_frame;
        // The payload header is in the first packet of a frame only (section 4.3); its P bit is 0 for a key frame.
        let key_frame = starts_frame && payload.get(self.end).is_some_and(|byte| byte & 0x01 == 0);
        FrameInfo {
            key_frame,
            starts_frame,
            ends_frame: marker,
            layers: Layers { spatial: 0, temporal: self.temporal },
            temporal_switch: starts_frame && (self.temporal == 0 || self.layer_sync) || key_frame,
            spatial_switch: key_frame,
            numbers: self.numbers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: FrameInfo = FrameInfo::of_single_layer(true, false);

    #[test]
    fn the_p_bit_is_found_behind_every_form_of_descriptor() {
        let descriptors: [&[u8]; 9] = [
            &[0x10],
            &[0x90, 0x00],
            &[0x90, 0x80, 0x7f],
            &[0x90, 0x80, 0x80, 0x01],
            &[0x90, 0x40, 0x05],
            &[0x90, 0x20, 0x60],
            &[0x90, 0x10, 0x01],
            &[0x90, 0x30, 0x61],
            &[0x90, 0xf0, 0xff, 0xff, 0xff, 0xff],
        ];
        for descriptor in descriptors {
            let key = [descriptor, &[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a]].concat();
            let delta = [descriptor, &[0x11, 0x02, 0x00]].concat();
            for (payload, key_frame) in [(key, true), (delta, false)] {
                let info = frame_info(&payload, false);
                assert_eq!((info.key_frame, info.spatial_switch), (key_frame, key_frame), "{payload:x?}");
                assert!(info.starts_frame && !info.ends_frame, "{payload:x?}");
            }
        }
    }

    #[test]
    fn numbers_and_layers_of_every_form_of_descriptor() {
        let numbers = |picture_id, is_long, tl0_picture_index| {
            Some(PictureNumbers { picture_id, is_long, picture_id_at: 2, tl0_picture_index })
        };
        // T, Y and K in the last byte: temporal layer, layer sync.
        let cases: [(&[u8], Option<PictureNumbers>, u8, bool); 11] = [
            (&[0x10, 0x01], None, 0, true),
            (&[0x90, 0x80, 0x7f, 0x01], numbers(0x7f, false, None), 0, true),
            (&[0x90, 0x80, 0x92, 0x34, 0x01], numbers(0x1234, true, None), 0, true),
            (&[0x90, 0xc0, 0x05, 0x09, 0x01], numbers(5, false, Some((9, 3))), 0, true),
            (&[0x90, 0xe0, 0x92, 0x34, 0x09, 0x00, 0x01], numbers(0x1234, true, Some((9, 4))), 0, true),
            (&[0x90, 0xe0, 0x92, 0x34, 0x09, 0x40, 0x01], numbers(0x1234, true, Some((9, 4))), 1, false),
            (&[0x90, 0xe0, 0x92, 0x34, 0x09, 0x60, 0x01], numbers(0x1234, true, Some((9, 4))), 1, true),
            (&[0x90, 0xe0, 0x92, 0x34, 0x09, 0x80, 0x01], numbers(0x1234, true, Some((9, 4))), 2, false),
            (&[0x90, 0xf0, 0x92, 0x34, 0x09, 0xff, 0x01], numbers(0x1234, true, Some((9, 4))), 3, true),
            (&[0x90, 0x10, 0xff, 0x01], None, 0, true),        // KEYIDX alone
            (&[0x90, 0x60, 0x09, 0x40, 0x01], None, 1, false), // TL0PICIDX without a picture id
        ];
        for (payload, numbers, temporal, temporal_switch) in cases {
            let layers = Layers { spatial: 0, temporal };
            let expected = FrameInfo { numbers, layers, temporal_switch, ends_frame: true, ..START };
            assert_eq!(frame_info(payload, true), expected, "{payload:x?}");
        }
    }

    /// A later packet's first byte is coded data: read as a header it would look like a key frame half the time.
    #[test]
    fn only_the_start_of_the_first_partition_has_a_header() {
        for first in [0x00, 0x01, 0x11, 0x17] {
            assert_eq!(frame_info(&[first, 0x10], false), FrameInfo::NONE, "first byte {first:#x}");
        }
        // Its layer it names all the same.
        let later = frame_info(&[0x80, 0x20, 0x60, 0x10], false);
        assert_eq!(later, FrameInfo { layers: Layers { spatial: 0, temporal: 1 }, ..FrameInfo::NONE });
    }

    /// Harm prevented: without its layer the packet would pass for one of the lowest, which everybody gets.
    #[test]
    fn a_packet_whose_descriptor_is_truncated_is_of_no_layer() {
        let whole = [0x90, 0xf0, 0x80, 0x01, 0x00, 0x00, 0x10];
        for len in 1..whole.len() - 1 {
            assert_eq!(frame_info(&whole[..len], false), FrameInfo::UNREADABLE, "{len} bytes");
        }
        assert!(!frame_info(&whole[..6], false).key_frame, "nothing after the descriptor");
        assert!(frame_info(&whole, false).key_frame);
    }
}
