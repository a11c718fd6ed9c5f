//! VP9 (RFC 9628 section 4.2).

use super::FrameInfo;

/// Reads the payload descriptor as far as the spatial layer.
pub(super) fn frame_info(payload: &[u8]) -> FrameInfo {
    let Some(&first) = payload.first() else { return FrameInfo::default() };
    let (inter_picture, starts_frame) = (first & 0x40 != 0, first & 0x08 != 0);
    // A layer frame above the base of a key picture has P = 0 too, but needs the base: a decoder starts below it.
    let key_frame = starts_frame && !inter_picture && spatial_layer(payload) == Some(0);
    FrameInfo { key_frame, starts_frame, ..FrameInfo::NONE }
}

/// The spatial layer, 0 when the stream has no layers; `None` when the descriptor is truncated, or nothing follows it.
fn spatial_layer(payload: &[u8]) -> Option<u8> {
    let first = *payload.first()?;
    let mut at = 1;
    if first & 0x80 != 0 {
        let long_picture_id = payload.get(at)? & 0x80 != 0;
        at += if long_picture_id { 2 } else { 1 };
    }
    let mut spatial_layer = 0;
    if first & 0x20 != 0 {
        spatial_layer = payload.get(at)? >> 1 & 0x07;
        let flexible = first & 0x10 != 0;
        at += if flexible { 1 } else { 2 }; // TL0PICIDX in non-flexible mode
    }
    payload.get(at).map(|_| spatial_layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: FrameInfo = FrameInfo { key_frame: true, starts_frame: true, ..FrameInfo::NONE };
    const DELTA: FrameInfo = FrameInfo { key_frame: false, starts_frame: true, ..FrameInfo::NONE };

    #[test]
    fn a_key_frame_starts_a_base_layer_that_refers_to_no_other_picture() {
        let cases: [(&[u8], FrameInfo); 9] = [
            (&[0x08, 0xff], KEY),                              // no picture id, no layers
            (&[0x88, 0x7f, 0xff], KEY),                        // short picture id
            (&[0x88, 0x80, 0x01, 0xff], KEY),                  // long picture id
            (&[0xa8, 0x80, 0x01, 0x00, 0x05, 0xff], KEY),      // non-flexible with layers
            (&[0xb8, 0x80, 0x01, 0x00, 0xff], KEY),            // flexible with layers
            (&[0xb8, 0x80, 0x01, 0xf1, 0xff], KEY), // temporal layer and switching bits are not the spatial layer
            (&[0xb8, 0x80, 0x01, 0x02, 0xff], DELTA), // spatial layer 1 of a key picture
            (&[0xc8, 0x80, 0x01, 0xff], DELTA),     // inter-picture
            (&[0x84, 0x80, 0x01, 0xff], FrameInfo::default()), // the end of a frame, not its start
        ];
        for (payload, expected) in cases {
            assert_eq!(frame_info(payload), expected, "{payload:x?}");
        }
    }

    #[test]
    fn a_truncated_descriptor_is_no_key_frame() {
        let whole = [0xa8, 0x80, 0x01, 0x00, 0x05, 0xff];
        for len in 1..whole.len() {
            assert_eq!(frame_info(&whole[..len]), DELTA, "{len} bytes");
        }
        assert_eq!(frame_info(&whole), KEY);
    }
}
