//! The RTP fixed header as a view (RFC 3550 section 5.1).

use std::ops::Range;

use super::RtpError;
use crate::ids::{PayloadType, Ssrc};

/// Length in bytes of the fixed header, up to and with the SSRC (RFC 3550 section 5.1).
pub const FIXED_HEADER_LEN: usize = 12;

/// The P bit of a header's first byte (RFC 3550 section 5.1).
pub(super) const PADDING_BIT: u8 = 0x20;

/// Where a packet's header extension block is (RFC 3550 section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionBlock {
    /// The 16 bits "defined by profile": 0xBEDE or 0x100x for RFC 8285's forms.
    pub profile: u16,
    /// Offset of the first byte after the block's four bytes of head, from the packet's start.
    pub start: usize,
    /// Length in bytes, without the head; a multiple of 4.
    pub len: usize,
}

/// What the header of one packet says. It holds offsets into the packet, not its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// The marker bit: for video the last packet of a frame, for audio the first of a talk spurt.
    pub marker: bool,
    /// The P bit: the payload ends in padding. SRTP hides how much until the packet is opened.
    pub has_padding: bool,
    /// The payload type.
    pub payload_type: PayloadType,
    /// The sequence number.
    pub sequence_number: u16,
    /// The timestamp, in units of the codec's clock rate.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: Ssrc,
    /// Bytes from the packet's start to its payload: fixed header, CSRCs and extension block.
    pub header_len: usize,
    /// The extension block, when the X bit is set.
    pub extension: Option<ExtensionBlock>,
    /// How many contributing sources are listed, 0 to 15.
    pub csrc_count: u8,
}

impl RtpHeader {
    /// Reads the header of `packet`, which may still be encrypted: SRTP leaves the header in clear (RFC 3711
    /// section 3.1).
    ///
    /// # Errors
    /// The sender's packet is truncated inside the header, or not of version 2.
    pub fn parse(packet: &[u8]) -> Result<Self, RtpError> {
        let Some((&[b0, b1, s0, s1, t0, t1, t2, t3, x0, x1, x2, x3], _)) =
            packet.split_first_chunk::<FIXED_HEADER_LEN>()
        else {
            return Err(RtpError::TooShort { len: packet.len() });
        };
        if b0 >> 6 != 2 {
            return Err(RtpError::Version(b0 >> 6));
        }
        let csrc_count = b0 & 0x0f;
        let mut header_len = FIXED_HEADER_LEN + 4 * usize::from(csrc_count);
        let after_csrcs = packet.get(header_len..).ok_or(RtpError::CsrcsTruncated(csrc_count))?;
        let mut extension = None;
        if b0 & 0x10 != 0 {
            let Some((&[p0, p1, l0, l1], rest)) = after_csrcs.split_first_chunk::<4>() else {
                return Err(RtpError::ExtensionTruncated);
            };
            let len = 4 * usize::from(u16::from_be_bytes([l0, l1]));
            if rest.len() < len {
                return Err(RtpError::ExtensionTruncated);
            }
            let start = header_len + 4;
            extension = Some(ExtensionBlock { profile: u16::from_be_bytes([p0, p1]), start, len });
            header_len = start + len;
        }
        Ok(Self {
            marker: b1 & 0x80 != 0,
            has_padding: b0 & 0x20 != 0,
            payload_type: PayloadType(b1 & 0x7f),
            sequence_number: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: Ssrc(u32::from_be_bytes([x0, x1, x2, x3])),
            header_len,
            extension,
            csrc_count,
        })
    }

    /// Where the payload is in `packet`, which must be opened (decrypted, without its SRTP tag): the padding's length
    /// is its last byte. Empty for a packet of padding alone, as bandwidth probes are.
    ///
    /// # Errors
    /// The sender's padding is empty or longer than what follows the header, or the packet ends inside its header.
    pub fn payload_range(&self, packet: &[u8]) -> Result<Range<usize>, RtpError> {
        let Some(body) = packet.get(self.header_len..) else {
            return Err(RtpError::TooShort { len: packet.len() });
        };
        if !self.has_padding {
            return Ok(self.header_len..packet.len());
        }
        let claimed = body.last().copied().unwrap_or(0);
        if claimed == 0 || usize::from(claimed) > body.len() {
            return Err(RtpError::Padding { claimed, available: body.len() });
        }
        Ok(self.header_len..packet.len() - usize::from(claimed))
    }
}

#[cfg(test)]
mod tests {
    use rtc_shared::marshal::Unmarshal;

    use super::*;

    /// Marker, payload type 96, sequence 0x0102, timestamp 0x03040506, SSRC 0x0708090a; `first` gives V, P, X and CC.
    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        [&[first, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], rest].concat()
    }

    #[test]
    fn a_plain_header_is_read() {
        let bytes = packet(0x80, &[1, 2, 3]);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(
            header,
            RtpHeader {
                marker: true,
                has_padding: false,
                payload_type: PayloadType(96),
                sequence_number: 0x0102,
                timestamp: 0x0304_0506,
                ssrc: Ssrc(0x0708_090a),
                header_len: 12,
                extension: None,
                csrc_count: 0,
            }
        );
        assert_eq!(header.payload_range(&bytes), Ok(12..15));
    }

    #[test]
    fn csrcs_and_extension_are_stepped_over_as_an_independent_parser_does() {
        let bytes = packet(0x92, &[0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0, 0xaa, 0xbb]);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(header.csrc_count, 2);
        assert_eq!(header.extension, Some(ExtensionBlock { profile: 0xbede, start: 24, len: 4 }));
        assert_eq!(header.payload_range(&bytes), Ok(28..30));

        let other = rtc_rtp::packet::Packet::unmarshal(&mut &bytes[..]).unwrap();
        assert_eq!(other.header.csrc, [1, 2]);
        assert_eq!(other.header.get_extension(1).unwrap()[..], [7]);
        assert_eq!(other.payload[..], bytes[28..30]);
    }

    /// rtc-rtp takes what follows an id 15 for payload. Our view goes by the block's length, whatever is in it.
    #[test]
    fn defects_inside_the_block_do_not_move_the_payload() {
        for elements in [[0x10, 7, 0xf0, 9], [0xf0, 1, 2, 3], [0x10, 7, 0x4f, 0], [0x03, 1, 2, 3]] {
            let bytes = packet(0x90, &[&[0xbe, 0xde, 0, 1][..], &elements, &[0xaa, 0xbb]].concat());
            assert_eq!(RtpHeader::parse(&bytes).unwrap().payload_range(&bytes), Ok(20..22), "{elements:x?}");
        }
    }

    #[test]
    fn a_header_truncated_anywhere_is_refused_by_name() {
        let bytes = packet(0x92, &[0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0]);
        for len in 0..bytes.len() {
            let expected = match len {
                0..12 => RtpError::TooShort { len },
                12..20 => RtpError::CsrcsTruncated(2),
                _ => RtpError::ExtensionTruncated,
            };
            assert_eq!(RtpHeader::parse(&bytes[..len]), Err(expected), "{len} bytes");
        }
    }

    #[test]
    fn another_version_is_refused() {
        for (first, version) in [(0x00, 0), (0x40, 1), (0xc0, 3)] {
            assert_eq!(RtpHeader::parse(&packet(first, &[])), Err(RtpError::Version(version)));
        }
    }

    /// A padding count taken at its word would cut into the header or underflow the length.
    #[test]
    fn hostile_padding_is_refused() {
        for (rest, claimed) in [(&[][..], 0), (&[0], 0), (&[1, 2, 0], 0), (&[2], 2), (&[1, 1, 4], 4), (&[255], 255)] {
            let bytes = packet(0xa0, rest);
            let header = RtpHeader::parse(&bytes).unwrap();
            assert_eq!(header.payload_range(&bytes), Err(RtpError::Padding { claimed, available: rest.len() }));
        }
    }

    #[test]
    fn padding_is_cut_off_and_may_be_all_there_is() {
        for (rest, end) in [(&[9, 9, 0, 2][..], 14), (&[9, 1], 13), (&[0, 0, 3], 12), (&[1], 12)] {
            let bytes = packet(0xa0, rest);
            assert_eq!(RtpHeader::parse(&bytes).unwrap().payload_range(&bytes), Ok(12..end));
        }
    }

    #[test]
    fn a_view_used_on_a_shorter_packet_is_an_error_not_a_panic() {
        let header = RtpHeader::parse(&packet(0x81, &[0, 0, 0, 1])).unwrap();
        assert_eq!(header.payload_range(&[0; 15]), Err(RtpError::TooShort { len: 15 }));
    }
}
