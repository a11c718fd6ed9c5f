//! Retransmissions in a stream of their own (RFC 4588 section 4): the original sequence number before the payload.

use std::ops::Range;

use super::RtpError;
use super::extensions::ExtensionValues;
use super::header::{PADDING_BIT, RtpHeader};
use super::writer::{ExtensionPlan, HeaderRewrite, SourcePacket, WriteError, WrittenPacket, write_header};

/// Length in bytes of the original sequence number.
const OSN_LEN: usize = 2;

/// What a retransmission carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtxPayload {
    /// The sequence number that the packet had in the stream it repairs.
    pub original_sequence_number: u16,
    /// Where the original's payload is, from the start of the retransmission; padding is cut off.
    pub payload: Range<usize>,
}

/// Reads a retransmission: `header` is the view of `packet`, which must be opened. The original packet has this
/// header, extensions included, with its own SSRC, payload type and sequence number. `None` for a packet without a
/// payload: browsers probe the bandwidth with padding on the RTX stream.
///
/// # Errors
/// The sender's padding is malformed, or its payload too short for an original sequence number.
pub fn unwrap_rtx(packet: &[u8], header: &RtpHeader) -> Result<Option<RtxPayload>, RtpError> {
    let range = header.payload_range(packet)?;
    match packet.get(range.clone()) {
        Some(&[high, low, ..]) => Ok(Some(RtxPayload {
            original_sequence_number: u16::from_be_bytes([high, low]),
            payload: range.start + OSN_LEN..range.end,
        })),
        Some([_]) => Err(RtpError::RtxTooShort),
        _ => Ok(None),
    }
}

/// Writes `source` as a retransmission to the start of `out`. `rewrite` has the RTX stream's SSRC, payload type and
/// sequence number, and the timestamp and marker of the packet as the consumer first got it;
/// `original_sequence_number` is the number it had then.
///
/// # Errors
/// `out` is too small.
pub fn write_rtx_packet(
    out: &mut [u8],
    rewrite: &HeaderRewrite,
    plan: &ExtensionPlan,
    source: &SourcePacket<'_>,
    original_sequence_number: u16,
) -> Result<WrittenPacket, WriteError> {
    let (header_len, stamps) = write_header(out, rewrite, plan, source)?;
    let len = header_len + OSN_LEN + source.payload.len();
    let available = out.len();
    let Some((osn, payload)) = out.get_mut(header_len..len).and_then(|place| place.split_first_chunk_mut::<OSN_LEN>())
    else {
        return Err(WriteError::BufferTooSmall { needed: len, available });
    };
    *osn = original_sequence_number.to_be_bytes();
    payload.copy_from_slice(source.payload);
    Ok(WrittenPacket { header_len, payload_start: header_len + OSN_LEN, len, stamps })
}

/// Writes a packet of `padding` bytes of padding alone, at least 1, in the retransmission stream that `rewrite` names: it
/// probes the path and means nothing else ([`unwrap_rtx`] returns `None` for it).
///
/// # Errors
/// `out` is too small.
pub fn write_padding_packet(
    out: &mut [u8],
    rewrite: &HeaderRewrite,
    plan: &ExtensionPlan,
    padding: u8,
) -> Result<WrittenPacket, WriteError> {
    let nothing = SourcePacket { packet: &[], extensions: &ExtensionValues::default(), payload: &[] };
    let (header_len, stamps) = write_header(out, rewrite, plan, &nothing)?;
    let padding = padding.max(1);
    let len = header_len + usize::from(padding);
    let available = out.len();
    let Some(place) = out.get_mut(header_len..len) else {
        return Err(WriteError::BufferTooSmall { needed: len, available });
    };
    place.fill(0);
    if let Some(count) = place.last_mut() {
        *count = padding;
    }
    if let Some(first) = out.first_mut() {
        *first |= PADDING_BIT;
    }
    Ok(WrittenPacket { header_len, payload_start: header_len, len, stamps })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PayloadType, Ssrc};
    use crate::rtp::extensions::{ExtensionIds, ExtensionKind};

    fn rtx_rewrite() -> HeaderRewrite {
        HeaderRewrite {
            ssrc: Ssrc(0x1111_2222),
            payload_type: PayloadType(97),
            sequence_number: 65_535,
            timestamp: 7,
            marker: true,
        }
    }

    fn plan() -> ExtensionPlan {
        let mut ids = ExtensionIds::new();
        ids.set(ExtensionKind::Mid, 1).unwrap();
        ids.set(ExtensionKind::TransportCc, 5).unwrap();
        ExtensionPlan::new(&ids, Some("0")).unwrap()
    }

    #[test]
    fn what_is_wrapped_comes_out_again_without_the_originals_padding() {
        // A packet with three bytes of padding.
        let packet = [0xa0, 0xe0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 1, 0xaa, 0xbb, 0xcc, 0, 0, 3];
        let header = RtpHeader::parse(&packet).unwrap();
        let payload = &packet[header.payload_range(&packet).unwrap()];
        let source = SourcePacket { packet: &packet, extensions: &ExtensionValues::default(), payload };

        let mut out = [0xff; 64];
        let written = write_rtx_packet(&mut out, &rtx_rewrite(), &plan(), &source, 0xfffe).unwrap();

        let out = &out[..written.len];
        let header = RtpHeader::parse(out).unwrap();
        assert_eq!((header.ssrc, header.payload_type), (Ssrc(0x1111_2222), PayloadType(97)));
        assert_eq!((header.sequence_number, header.timestamp), (65_535, 7));
        assert!(header.marker && !header.has_padding);
        let rtx = unwrap_rtx(out, &header).unwrap().unwrap();
        assert_eq!(rtx.original_sequence_number, 0xfffe);
        assert_eq!(out[rtx.payload], [0xaa, 0xbb, 0xcc]);
        assert!(written.stamps.transport_cc.is_some());
    }

    /// Padding left on would become the tail of a frame.
    #[test]
    fn the_padding_of_a_retransmission_is_cut_off() {
        let packet = [0xa0, 97, 0, 9, 0, 0, 0, 7, 0, 0, 0, 1, 0x12, 0x34, 0xaa, 0xbb, 0, 2];
        let rtx = unwrap_rtx(&packet, &RtpHeader::parse(&packet).unwrap()).unwrap().unwrap();
        assert_eq!(packet[rtx.payload], [0xaa, 0xbb]);
    }

    #[test]
    fn an_original_without_payload_is_carried_by_its_number_alone() {
        let packet = [0x80, 97, 0, 9, 0, 0, 0, 7, 0, 0, 0, 1, 0x12, 0x34];
        let rtx = unwrap_rtx(&packet, &RtpHeader::parse(&packet).unwrap()).unwrap().unwrap();
        assert_eq!(rtx, RtxPayload { original_sequence_number: 0x1234, payload: 14..14 });
    }

    #[test]
    fn padding_alone_is_a_probe_not_a_retransmission() {
        for (first, rest) in [(0xa0, &[0, 0, 3][..]), (0x80, &[])] {
            let packet = [&[first, 97, 0, 9, 0, 0, 0, 7, 0, 0, 0, 1], rest].concat();
            assert_eq!(unwrap_rtx(&packet, &RtpHeader::parse(&packet).unwrap()), Ok(None));
        }
    }

    #[test]
    fn half_a_sequence_number_is_refused() {
        for (first, rest) in [(0xa0, &[7, 0, 2][..]), (0x80, &[7])] {
            let packet = [&[first, 97, 0, 9, 0, 0, 0, 7, 0, 0, 0, 1], rest].concat();
            assert_eq!(unwrap_rtx(&packet, &RtpHeader::parse(&packet).unwrap()), Err(RtpError::RtxTooShort));
        }
    }

    #[test]
    fn a_slab_one_byte_too_short_is_an_error() {
        let packet = [0x80, 0xe0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 1, 0xaa];
        let source = SourcePacket { packet: &packet, extensions: &ExtensionValues::default(), payload: &packet[12..] };
        let mut out = [0; 64];
        let needed = write_rtx_packet(&mut out, &rtx_rewrite(), &plan(), &source, 1).unwrap().len;
        for available in 0..needed {
            let result = write_rtx_packet(&mut out[..available], &rtx_rewrite(), &plan(), &source, 1);
            assert!(matches!(result, Err(WriteError::BufferTooSmall { available: a, .. }) if a == available));
        }
    }

    #[test]
    fn padding_alone_is_a_retransmission_of_nothing() {
        for padding in [0, 1, 255] {
            let mut out = [0xff; 600];
            let written = write_padding_packet(&mut out, &rtx_rewrite(), &plan(), padding).unwrap();
            let packet = &out[..written.len];
            let header = RtpHeader::parse(packet).unwrap();
            assert_eq!((header.ssrc, header.sequence_number), (Ssrc(0x1111_2222), 65_535));
            assert_eq!(written.len - written.header_len, usize::from(padding.max(1)));
            assert_eq!(unwrap_rtx(packet, &header), Ok(None));
        }
        let mut short = [0; 40];
        assert!(write_padding_packet(&mut short, &rtx_rewrite(), &plan(), 255).is_err());
    }
}
