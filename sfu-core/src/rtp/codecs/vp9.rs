//! VP9 (RFC 9628 section 4.2).

use super::{FrameInfo, PictureNumbers};
use crate::rtp::layers::{Layers, MAX_TEMPORAL_LAYERS};

/// References of a picture in flexible mode; the descriptor has place for no more.
const MAX_REFERENCES: usize = 3;

/// Reads the payload descriptor up to the references; the scalability structure after them says nothing of the frame.
///
/// A key frame is the start of the lowest layer of a picture that refers to no other. The frames above it in a key picture
/// have P = 0 too, but need it.
pub(super) fn frame_info(payload: &[u8]) -> FrameInfo {
    let Some(&first) = payload.first() else { return FrameInfo::NONE };
    Descriptor::read(first, payload)
        .map_or(FrameInfo { ends_frame: first & END != 0, ..FrameInfo::UNREADABLE }, |read| read.frame_info(first))
}

const PICTURE_ID: u8 = 0x80;
const INTER_PICTURE: u8 = 0x40;
const LAYER_INDICES: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const BEGINNING: u8 = 0x08;
const END: u8 = 0x04;

struct Descriptor {
    numbers: Option<PictureNumbers>,
    layers: Layers,
    /// U: see [`Descriptor::frame_info`].
    switching_up: bool,
}

impl Descriptor {
    /// `None`: truncated, or nothing follows it.
    fn read(first: u8, payload: &[u8]) -> Option<Self> {
        let mut at: u8 = 1;
        let mut descriptor = Self { numbers: None, layers: Layers::default(), switching_up: false };
        if first & PICTURE_ID != 0 {
            let numbers = PictureNumbers::read(payload, at)?;
            at += numbers.picture_id_len();
            descriptor.numbers = Some(numbers);
        }
        if first & LAYER_INDICES != 0 {
            let indices = *payload.get(usize::from(at))?;
            at += 1;
            let temporal = (indices >> 5).min(MAX_TEMPORAL_LAYERS as u8 - 1);
            descriptor.layers = Layers { spatial: indices >> 1 & 0x07, temporal };
            descriptor.switching_up = indices & 0x10 != 0;
            if first & FLEXIBLE == 0 {
                let index = *payload.get(usize::from(at))?;
                if let Some(numbers) = &mut descriptor.numbers {
                    numbers.tl0_picture_index = Some((index, at));
                }
                at += 1;
            }
        }
        if first & (FLEXIBLE | INTER_PICTURE) == FLEXIBLE | INTER_PICTURE {
            at += references_len(payload.get(usize::from(at)..)?)?;
        }
        payload.get(usize::from(at)).map(|_| descriptor)
    }

    /// By the RFC the U bit of a picture opens the layers above its own to the pictures after it; libwebrtc sets it in a
    /// picture that needs none but lower layers. In its structures both hold of a picture with U for who receives all
    /// layers below.
    fn frame_info(&self, first: u8) -> FrameInfo {
        let starts_frame = first & BEGINNING != 0;
        let spatial_switch = starts_frame && first & INTER_PICTURE == 0;
        FrameInfo {
            key_frame: spatial_switch && self.layers.spatial == 0,
            starts_frame,
            ends_frame: first & END != 0,
            layers: self.layers,
            temporal_switch: starts_frame && (self.layers.temporal == 0 || self.switching_up) || spatial_switch,
            spatial_switch,
            numbers: self.numbers,
        }
    }
}

/// Bytes of the reference indices (flexible mode): the last has its N bit clear. `None`: truncated, or too many.
fn references_len(rest: &[u8]) -> Option<u8> {
    let last = rest.iter().take(MAX_REFERENCES).position(|reference| reference & 0x01 == 0)?;
    u8::try_from(last + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: FrameInfo = FrameInfo::of_single_layer(true, false);
    const KEY: FrameInfo = FrameInfo::of_single_layer(true, true);

    #[test]
    fn a_key_frame_starts_a_base_layer_that_refers_to_no_other_picture() {
        let cases: [(&[u8], [bool; 3]); 10] = [
            // payload; key frame, start, spatial switch
            (&[0x08, 0xff], [true, true, true]),       // no picture id, no layers
            (&[0x88, 0x7f, 0xff], [true, true, true]), // short picture id
            (&[0x88, 0x80, 0x01, 0xff], [true, true, true]), // long picture id
            (&[0xa8, 0x80, 0x01, 0x00, 0x05, 0xff], [true, true, true]), // non-flexible with layers
            (&[0xb8, 0x80, 0x01, 0x00, 0xff], [true, true, true]), // flexible with layers
            (&[0xb8, 0x80, 0x01, 0xf1, 0xff], [true, true, true]), // temporal layer and switching bits are not the spatial layer
            (&[0xb8, 0x80, 0x01, 0x02, 0xff], [false, true, true]), // spatial layer 1 of a key picture
            (&[0xf8, 0x80, 0x01, 0x02, 0x08, 0xff], [false, true, false]), // spatial layer 1 of another
            (&[0xc8, 0x80, 0x01, 0xff], [false, true, false]),     // inter-picture
            (&[0x84, 0x80, 0x01, 0xff], [false, false, false]),    // the end of a frame, not its start
        ];
        for (payload, expected) in cases {
            let info = frame_info(payload);
            assert_eq!([info.key_frame, info.starts_frame, info.spatial_switch], expected, "{payload:x?}");
        }
    }

    #[test]
    fn layers_numbers_and_switches_are_read_in_both_modes() {
        let numbers = PictureNumbers { picture_id: 0x1234, is_long: true, picture_id_at: 1, tl0_picture_index: None };
        let with_index = PictureNumbers { tl0_picture_index: Some((7, 4)), ..numbers };
        let layers = |spatial, temporal| Layers { spatial, temporal };
        let cases: [(&[u8], FrameInfo); 8] = [
            (&[0x08, 0xff], KEY),
            (&[0x0c, 0xff], FrameInfo { ends_frame: true, ..KEY }),
            (&[0xac, 0x92, 0x34, 0x00, 0x07, 0xff], FrameInfo { ends_frame: true, numbers: Some(with_index), ..KEY }),
            (&[0xb8, 0x92, 0x34, 0x00, 0xff], FrameInfo { numbers: Some(numbers), ..KEY }),
            // Inter-picture, temporal layer 1 and spatial layer 2: without U, with it.
            (
                &[0xe8, 0x92, 0x34, 0x25, 0x07, 0xff],
                FrameInfo { layers: layers(2, 1), numbers: Some(with_index), temporal_switch: false, ..START },
            ),
            (
                &[0xf8, 0x92, 0x34, 0x35, 0x05, 0x04, 0xff],
                FrameInfo { layers: layers(2, 1), numbers: Some(numbers), ..START },
            ),
            // The rest of a frame names its layer, and is no place to switch at.
            (
                &[0xf4, 0x92, 0x34, 0x35, 0x04, 0xff],
                FrameInfo { ends_frame: true, layers: layers(2, 1), numbers: Some(numbers), ..FrameInfo::NONE },
            ),
            // Temporal layers that are not told apart.
            (&[0x28, 0xfe, 0x00, 0xff], FrameInfo { layers: layers(7, 3), spatial_switch: true, ..START }),
        ];
        for (payload, expected) in cases {
            assert_eq!(frame_info(payload), expected, "{payload:x?}");
        }
    }

    /// Harm prevented: without its layer the packet would pass for one of the lowest, which everybody gets.
    #[test]
    fn a_packet_whose_descriptor_is_truncated_is_of_no_layer() {
        let flexible = [0xf8, 0x80, 0x01, 0x02, 0x03, 0x05, 0x06, 0xff];
        let fixed = [0xa8, 0x80, 0x01, 0x00, 0x05, 0xff];
        for whole in [&flexible[..], &fixed[..]] {
            for len in 1..whole.len() {
                assert_eq!(frame_info(&whole[..len]), FrameInfo::UNREADABLE, "{:x?}", &whole[..len]);
            }
            assert!(frame_info(whole).starts_frame);
        }
        let four_references = [0xfc, 0x80, 0x01, 0x02, 0x03, 0x05, 0x07, 0x08, 0xff];
        assert_eq!(frame_info(&four_references), FrameInfo { ends_frame: true, ..FrameInfo::UNREADABLE });
    }
}
