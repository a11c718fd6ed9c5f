//! AV1 (RTP Payload Format For AV1, version 1.0: section 4.4 and appendix A).

use super::FrameInfo;

/// The OBU type of a sequence header (AV1 bitstream specification section 6.2.2).
const OBU_SEQUENCE_HEADER: u8 = 1;

/// A key frame shows in either of two ways. In the payload: the N bit, with the sequence header that a decoder needs to
/// start; the bit alone is not trusted. In the dependency descriptor: the template structure, which comes with the
/// first packet of a coded video sequence only, and is all that end-to-end encryption leaves to see.
pub(super) fn frame_info(payload: &[u8], dependency_descriptor: Option<&[u8]>) -> FrameInfo {
    // Z: the first OBU element continues one of the packet before.
    let Some(continues) = payload.first().map(|aggregation| aggregation & 0x80 != 0) else {
        return FrameInfo::default();
    };
    let by_payload = !continues && starts_sequence(payload);
    match dependency_descriptor.and_then(Descriptor::parse) {
        Some(descriptor) => FrameInfo {
            key_frame: by_payload || descriptor.start_of_frame && descriptor.has_structure,
            starts_frame: by_payload || descriptor.start_of_frame,
            ..FrameInfo::NONE
        },
        None => FrameInfo { key_frame: by_payload, starts_frame: !continues, ..FrameInfo::NONE },
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

/// The dependency descriptor's fields that tell where a frame starts (appendix A.8.1 and A.8.2).
struct Descriptor {
    start_of_frame: bool,
    has_structure: bool,
}

impl Descriptor {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (mandatory, extended) = bytes.split_first_chunk::<3>()?;
        Some(Self {
            start_of_frame: mandatory[0] & 0x80 != 0,
            has_structure: extended.first().is_some_and(|flags| flags & 0x80 != 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: FrameInfo = FrameInfo { key_frame: false, starts_frame: false, ..FrameInfo::NONE };
    const KEY: FrameInfo = FrameInfo { key_frame: true, starts_frame: true, ..FrameInfo::NONE };
    const DELTA: FrameInfo = FrameInfo { key_frame: false, starts_frame: true, ..FrameInfo::NONE };

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
            assert_eq!(frame_info(payload, None), expected, "{payload:x?}");
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
            assert_eq!(frame_info(payload, None), DELTA, "{payload:x?}");
        }
    }

    #[test]
    fn a_template_structure_at_the_start_of_a_frame_is_a_key_frame_though_the_payload_is_opaque() {
        let opaque = [0x10, 0xff, 0xff];
        assert_eq!(frame_info(&opaque, Some(&[0x80, 0, 1, 0x80, 0x05])), KEY);
        assert_eq!(frame_info(&opaque, Some(&[0x80, 0, 1, 0x40])), DELTA);
        assert_eq!(frame_info(&opaque, Some(&[0x80, 0, 1])), DELTA);
        assert_eq!(frame_info(&opaque, Some(&[0x40, 0, 1, 0x80])), NONE);
        assert_eq!(frame_info(&opaque, Some(&[0x80, 0])), DELTA, "a truncated descriptor is as none");
    }
}
