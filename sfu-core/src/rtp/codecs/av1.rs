//! AV1 (RTP Payload Format For AV1, version 1.0: section 4.4).

use super::FrameInfo;
use super::dependency_descriptor::DescribedPacket;

/// The OBU type of a sequence header (AV1 bitstream specification section 6.2.2).
const OBU_SEQUENCE_HEADER: u8 = 1;

/// With a dependency descriptor that alone decides: end-to-end encryption leaves nothing else to see, and a receiver that has
/// negotiated it can start with nothing but a template structure.
///
/// Without one a key frame shows in the N bit of the aggregation header, with the sequence header that a decoder needs to
/// start; the bit alone is not trusted. The layers of such a stream are not known, and it passes for one without.
pub(super) fn frame_info(payload: &[u8], described: Option<DescribedPacket>, marker: bool) -> FrameInfo {
    // Z: the first OBU element continues one of the packet before.
    let Some(continues) = payload.first().map(|aggregation| aggregation & 0x80 != 0) else { return FrameInfo::NONE };
    let Some(DescribedPacket { starts_frame, ends_frame, frame }) = described else {
        let key_frame = !continues && starts_sequence(payload);
        return FrameInfo { ends_frame: marker, ..FrameInfo::of_single_layer(!continues, key_frame) };
    };
    let Some(frame) = frame else {
        return FrameInfo { starts_frame, ends_frame, ..FrameInfo::UNREADABLE };
    };
    FrameInfo {
        key_frame: frame.key_frame,
        starts_frame,
        ends_frame,
        layers: frame.layers,
        temporal_switch: frame.temporal_switch,
        spatial_switch: frame.spatial_switch,
        numbers: None,
    }
}

/// Whether the aggregation header has the N bit and one of the OBU elements is a sequence header.
fn starts_sequence(payload: &[u8]) -> bool {
    let Some((&aggregation, mut rest)) = payload.split_first() else { return false };
    if aggregation & 0x08 == 0 {
        return false;
    }
    // W: the number of elements, of which the last has no length; 0 when each has one.
    let mut elements_left = match aggregation >> 4 & 0x03 {
        0 => usize::MAX,
        count => usize::from(count),
    };
    while elements_left > 0 && !rest.is_empty() {
        let element = if elements_left == 1 {
            std::mem::take(&mut rest)
        } else {
            let Some((len, after)) = leb128(rest) else { return false };
            let Some((element, after)) = after.split_at_checked(len) else { return false };
            rest = after;
            element
        };
        if element.first().is_some_and(|header| header >> 3 & 0x0f == OBU_SEQUENCE_HEADER) {
            return true;
        }
        elements_left -= 1;
    }
    false
}

/// Reads a length (AV1 bitstream specification section 4.10.5). Three bytes hold more than any datagram, so a longer
/// one is refused.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().enumerate().take(3) {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: FrameInfo = FrameInfo::NONE;
    const KEY: FrameInfo = FrameInfo::of_single_layer(true, true);
    const DELTA: FrameInfo = FrameInfo::of_single_layer(true, false);

    /// OBU headers without size field: sequence header, frame, padding.
    const SEQUENCE: u8 = 0x08;
    const FRAME: u8 = 0x30;
    const PADDING: u8 = 0x78;

    #[test]
    fn the_n_bit_counts_with_a_sequence_header_wherever_it_is() {
        let cases: [(&[u8], FrameInfo); 10] = [
            (&[0x18, SEQUENCE, 0xff], KEY),                       // W = 1
            (&[0x28, 2, SEQUENCE, 0, FRAME, 0], KEY),             // W = 2
            (&[0x38, 1, PADDING, 1, SEQUENCE, FRAME], KEY),       // W = 3
            (&[0x08, 1, PADDING, 2, SEQUENCE, 0, 1, FRAME], KEY), // W = 0
            (&[0x28, 1, FRAME, SEQUENCE], KEY),                   // in the last element, which has no length
            (&[0x08, 0x81, 0x00, SEQUENCE], KEY),                 // a length of more bytes than it needs
            (&[0x08, 0x81, 0x80, 0x00, SEQUENCE], KEY),
            (&[0x18, FRAME, 0xff], DELTA),    // N, but no sequence header
            (&[0x10, SEQUENCE, 0xff], DELTA), // a sequence header without N
            (&[0x98, SEQUENCE, 0xff], NONE),  // Z: the element is the rest of another
        ];
        for (payload, expected) in cases {
            assert_eq!(frame_info(payload, None, false), expected, "{payload:x?}");
        }
    }

    #[test]
    fn malformed_elements_are_no_key_frame() {
        let cases: [&[u8]; 6] = [
            &[0x08],
            &[0x28, 9, SEQUENCE],
            &[0x08, 0x80],
            &[0x08, 0xff, 0xff, 0xff, 0x7f, SEQUENCE],
            &[0x08, 0, 0, 0],
            &[0x18],
        ];
        for payload in cases {
            assert_eq!(frame_info(payload, None, false), DELTA, "{payload:x?}");
        }
    }

    #[test]
    fn the_descriptor_decides_where_there_is_one() {
        use super::super::dependency_descriptor::DescribedFrame;
        use crate::rtp::layers::Layers;
        let layers = Layers { spatial: 2, temporal: 1 };
        let frame = DescribedFrame { layers, key_frame: false, temporal_switch: true, spatial_switch: true };
        let described = DescribedPacket { starts_frame: true, ends_frame: true, frame: Some(frame) };
        let key = [0x18, SEQUENCE, 0xff];
        let expected = FrameInfo { ends_frame: true, layers, spatial_switch: true, ..DELTA };
        assert_eq!(frame_info(&key, Some(described), false), expected);
        let unknown = DescribedPacket { frame: None, ..described };
        let expected = FrameInfo { starts_frame: true, ends_frame: true, ..FrameInfo::UNREADABLE };
        assert_eq!(frame_info(&key, Some(unknown), false), expected, "its receivers could not start here either");
        assert!(frame_info(&key, None, true).ends_frame);
    }
}
