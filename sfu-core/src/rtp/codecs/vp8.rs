//! VP8 (RFC 7741 section 4).

use super::FrameInfo;

/// Reads the payload descriptor, whose length varies, and the P bit of the payload header after it.
pub(super) fn frame_info(payload: &[u8]) -> FrameInfo {
    let starts_frame = payload.first().is_some_and(|first| {
        let (start_of_partition, partition) = (first & 0x10 != 0, first & 0x07);
        start_of_partition && partition == 0
    });
    // The payload header is in the first packet of a frame only (section 4.3); its P bit is 0 for a key frame.
    let key_frame = starts_frame && payload_header(payload).is_some_and(|byte| byte & 0x01 == 0);
    FrameInfo { key_frame, starts_frame, ..FrameInfo::NONE }
}

/// The first byte after the payload descriptor (section 4.2).
fn payload_header(payload: &[u8]) -> Option<u8> {
    let mut at = 1;
    if payload.first()? & 0x80 != 0 {
        let extension = *payload.get(at)?;
        at += 1;
        if extension & 0x80 != 0 {
            let long_picture_id = payload.get(at)? & 0x80 != 0;
            at += if long_picture_id { 2 } else { 1 };
        }
        if extension & 0x40 != 0 {
            at += 1; // TL0PICIDX
        }
        if extension & 0x30 != 0 {
            at += 1; // TID, Y and KEYIDX
        }
    }
    payload.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: FrameInfo = FrameInfo { key_frame: true, starts_frame: true, ..FrameInfo::NONE };
    const DELTA: FrameInfo = FrameInfo { key_frame: false, starts_frame: true, ..FrameInfo::NONE };

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
            assert_eq!(frame_info(&key), KEY, "{descriptor:x?}");
            assert_eq!(frame_info(&delta), DELTA, "{descriptor:x?}");
        }
    }

    /// A later packet's first byte is coded data: read as a header it would look like a key frame half the time.
    #[test]
    fn only_the_start_of_the_first_partition_has_a_header() {
        for first in [0x00, 0x01, 0x11, 0x17] {
            assert_eq!(frame_info(&[first, 0x10]), FrameInfo::default(), "first byte {first:#x}");
        }
    }

    #[test]
    fn a_truncated_descriptor_is_no_key_frame() {
        let whole = [0x90, 0xf0, 0x80, 0x01, 0x00, 0x00, 0x10];
        for len in 1..whole.len() {
            assert_eq!(frame_info(&whole[..len]), DELTA, "{len} bytes");
        }
        assert_eq!(frame_info(&whole), KEY);
    }
}
