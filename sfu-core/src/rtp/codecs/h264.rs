//! H.264 (RFC 6184 section 5).

use super::FrameInfo;
use super::dependency_descriptor::DescribedPacket;
use crate::rtp::layers::Layers;

/// NAL unit types (ITU-T H.264 table 7-1; from 24 on RFC 6184 section 5.2).
const SLICE: u8 = 1;
const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Looks at the NAL units that start in the packet: one, those in a STAP-A, or the one in the first fragment of an
/// FU-A. The other packet types are of the interleaved mode, which is not negotiated.
///
/// A key frame shows as an SPS or as an IDR slice, whichever comes first. Encoders in browsers send SPS, PPS and IDR
/// for every key frame, the parameter sets first, together (Chromium) or in packets of their own: a decoder that
/// starts must get them, so the SPS counts (and, once one came, nothing else: see `FrameReader`). Encoders that announce their parameter sets in the signalling send IDR
/// slices alone, and would never start if only the SPS counted.
///
/// The payload has no layers. Where temporal ones are sent the dependency descriptor names them.
pub(super) fn frame_info(payload: &[u8], described: Option<DescribedPacket>, marker: bool) -> FrameInfo {
    let info = FrameInfo { ends_frame: marker, ..of_payload(payload) };
    match described {
        None => info,
        Some(DescribedPacket { frame: Some(frame), .. }) => FrameInfo {
            layers: Layers { spatial: 0, temporal: frame.layers.temporal },
            temporal_switch: info.key_frame
                || info.starts_frame && (frame.layers.temporal == 0 || frame.temporal_switch),
            ..info
        },
        Some(DescribedPacket { frame: None, .. }) => {
            FrameInfo { starts_frame: info.starts_frame, ends_frame: marker, ..FrameInfo::UNREADABLE }
        }
    }
}

/// Whether a packet begins with a sequence parameter set, alone or in a STAP-A.
pub(super) fn has_parameter_sets(payload: &[u8]) -> bool {
    match payload.first().map(|first| first & 0x1f) {
        Some(SPS) => true,
        Some(STAP_A) => payload.get(3).is_some_and(|first| first & 0x1f == SPS),
        _ => false,
    }
}

fn of_payload(payload: &[u8]) -> FrameInfo {
    let Some((&first, rest)) = payload.split_first() else { return FrameInfo::default() };
    match first & 0x1f {
        1..=23 => nal_unit(first & 0x1f, rest),
        STAP_A => stap_a(rest),
        FU_A => match rest.split_first() {
            Some((&fu, data)) if fu & 0x80 != 0 => nal_unit(fu & 0x1f, data),
            _ => FrameInfo::default(),
        },
        _ => FrameInfo::default(),
    }
}

/// What a NAL unit of this type says, `data` being what follows its first byte.
fn nal_unit(nal_type: u8, data: &[u8]) -> FrameInfo {
    // A slice header starts with first_mb_in_slice, an Exp-Golomb number: a first bit of 1 is zero, the picture's
    // first slice (ITU-T H.264 section 7.3.3).
    let first_slice = data.first().is_some_and(|byte| byte & 0x80 != 0);
    match nal_type {
        SPS => FrameInfo::of_single_layer(true, true),
        IDR => FrameInfo::of_single_layer(first_slice, first_slice),
        SLICE => FrameInfo::of_single_layer(first_slice, false),
        _ => FrameInfo::default(),
    }
}

/// Each NAL unit is preceded by its 16-bit length (RFC 6184 section 5.7.1). A truncated unit ends the reading.
fn stap_a(mut rest: &[u8]) -> FrameInfo {
    let mut info = FrameInfo::default();
    while let Some((&[high, low], after)) = rest.split_first_chunk::<2>() {
        let Some((unit, after)) = after.split_at_checked(usize::from(u16::from_be_bytes([high, low]))) else { break };
        if let Some((&first, data)) = unit.split_first() {
            let unit = nal_unit(first & 0x1f, data);
            info = FrameInfo::of_single_layer(info.starts_frame || unit.starts_frame, info.key_frame || unit.key_frame);
        }
        rest = after;
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: FrameInfo = FrameInfo::NONE;
    const KEY: FrameInfo = FrameInfo::of_single_layer(true, true);
    const DELTA: FrameInfo = FrameInfo::of_single_layer(true, false);

    fn frame_info(payload: &[u8]) -> FrameInfo {
        super::frame_info(payload, None, false)
    }

    #[test]
    fn single_nal_units() {
        let cases: [(&[u8], FrameInfo); 7] = [
            (&[0x67, 0x42, 0xe0, 0x1f], KEY),
            (&[0x65, 0x88], KEY),
            (&[0x65, 0x40], NONE), // a later slice of an IDR picture: too late to start
            (&[0x68, 0xce], NONE), // PPS
            (&[0x41, 0x9a], DELTA),
            (&[0x41, 0x40], NONE),
            (&[0x06, 0x05], NONE), // SEI
        ];
        for (payload, expected) in cases {
            assert_eq!(frame_info(payload), expected, "{payload:x?}");
        }
    }

    #[test]
    fn a_stap_a_is_searched_whole() {
        let chromium = [0x78, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 2, 0x68, 0xce, 0, 3, 0x65, 0x88, 0x80];
        assert_eq!(frame_info(&chromium), KEY);
        assert_eq!(frame_info(&[0x78, 0, 2, 0x68, 0xce, 0, 2, 0x65, 0x88]), KEY);
        assert_eq!(frame_info(&[0x78, 0, 2, 0x06, 0x05, 0, 2, 0x41, 0x9a]), DELTA);
    }

    #[test]
    fn a_malformed_stap_a_is_read_up_to_its_defect() {
        assert_eq!(frame_info(&[0x78]), NONE);
        assert_eq!(frame_info(&[0x78, 0]), NONE);
        assert_eq!(frame_info(&[0x78, 0, 9, 0x67]), NONE);
        assert_eq!(frame_info(&[0x78, 0, 0, 0, 0, 0, 1, 0x67]), KEY);
        assert_eq!(frame_info(&[0x78, 0, 1, 0x67, 0xff, 0xff, 0x41]), KEY);
    }

    #[test]
    fn only_the_first_fragment_of_an_idr_is_a_key_frame() {
        assert_eq!(frame_info(&[0x7c, 0x85, 0x88]), KEY);
        assert_eq!(frame_info(&[0x7c, 0x05, 0x88]), NONE);
        assert_eq!(frame_info(&[0x7c, 0x45, 0x88]), NONE);
        assert_eq!(frame_info(&[0x5c, 0x81, 0x9a]), DELTA);
        assert_eq!(frame_info(&[0x7c, 0x85]), NONE);
        assert_eq!(frame_info(&[0x7c]), NONE);
    }

    #[test]
    fn a_dependency_descriptor_names_the_temporal_layer() {
        use super::super::dependency_descriptor::DescribedFrame;
        let layers = Layers { spatial: 0, temporal: 2 };
        let frame = DescribedFrame { layers, key_frame: false, temporal_switch: true, spatial_switch: false };
        let described = DescribedPacket { starts_frame: true, ends_frame: false, frame: Some(frame) };
        let read = |first_slice: u8, described| super::frame_info(&[0x41, first_slice], Some(described), true);
        assert_eq!(read(0x9a, described), FrameInfo { layers, ends_frame: true, ..DELTA });
        assert_eq!(read(0x40, described), FrameInfo { layers, ends_frame: true, ..NONE });
        let unknown = DescribedPacket { frame: None, ..described };
        let expected = FrameInfo { starts_frame: true, ends_frame: true, ..FrameInfo::UNREADABLE };
        assert_eq!(read(0x9a, unknown), expected, "it may be of any layer");
    }

    #[test]
    fn packet_types_of_the_interleaved_mode_say_nothing() {
        for first in [0x60, 0x79, 0x7a, 0x7b, 0x7d, 0x7e, 0x7f] {
            assert_eq!(frame_info(&[first, 0x85, 0x67, 0x65]), NONE, "first byte {first:#x}");
        }
    }
}
