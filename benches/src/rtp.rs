//! RTP as far as a light client reads and writes it (RFC 3550 section 5.1, RFC 8285).

/// The fixed part of a header.
pub const FIXED_HEADER_BYTES: usize = 12;

/// What a received packet's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where the payload, or what is sealed of it, begins.
    pub len: usize,
    /// P: the payload's last byte says how many bytes at its end are none.
    pub has_padding: bool,
    /// SEQ.
    pub sequence_number: u16,
    /// SSRC.
    pub ssrc: u32,
    /// Where the extension block's elements are, if it is one of one-byte elements.
    extensions: Option<(usize, usize)>,
}

/// What a datagram is, by its first bytes (RFC 7983, RFC 5761 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagram {
    /// Media.
    Rtp,
    /// Reports and feedback.
    Rtcp,
    /// A connectivity check or its answer.
    Stun,
    /// A handshake, or the end of an association.
    Dtls,
    /// Nothing that a WebRTC transport carries.
    Unknown,
}

impl Datagram {
    /// Looks at the first two bytes.
    pub fn of(datagram: &[u8]) -> Self {
        match datagram {
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, ..] => Self::Rtp,
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            _ => Self::Unknown,
        }
    }
}

impl Header {
    /// Reads a header; `None` if it is cut off.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let [first, _, s0, s1, _, _, _, _, a, b, c, d] = *packet.first_chunk::<FIXED_HEADER_BYTES>()?;
        let mut len = FIXED_HEADER_BYTES + 4 * usize::from(first & 0x0f);
        let mut extensions = None;
        if first & 0x10 != 0 {
            let [p0, p1, l0, l1] = *packet.get(len..)?.first_chunk::<4>()?;
            let words = usize::from(u16::from_be_bytes([l0, l1]));
            let start = len + 4;
            len = start + 4 * words;
            extensions = ([p0, p1] == [0xbe, 0xde]).then_some((start, len));
        }
        (packet.len() >= len).then_some(Self {
            len,
            has_padding: first & 0x20 != 0,
            sequence_number: u16::from_be_bytes([s0, s1]),
            ssrc: u32::from_be_bytes([a, b, c, d]),
            extensions,
        })
    }

    /// The two bytes of the extension element `id`: a transport-wide sequence number.
    pub fn extension_u16(&self, packet: &[u8], id: u8) -> Option<u16> {
        let (start, end) = self.extensions?;
        let mut rest = packet.get(start..end)?;
        while let [first, tail @ ..] = rest {
            // Padding between elements.
            if *first == 0 {
                rest = tail;
                continue;
            }
            let len = usize::from(first & 0x0f) + 1;
            if first >> 4 == id {
                return tail.get(..len)?.try_into().ok().map(u16::from_be_bytes);
            }
            rest = tail.get(len..)?;
        }
        None
    }
}

/// The payload without padding.
pub fn without_padding(payload: &[u8], has_padding: bool) -> Option<&[u8]> {
    if !has_padding {
        return Some(payload);
    }
    let padding = usize::from(*payload.last()?);
    payload.get(..payload.len().checked_sub(padding)?)
}

/// Writes a header with one-byte extension elements.
#[derive(Debug)]
pub struct HeaderWriter<'a> {
    packet: &'a mut Vec<u8>,
    block_at: usize,
}

impl<'a> HeaderWriter<'a> {
    /// Begins a packet in `packet`, whose contents are forgotten.
    pub fn begin(
        packet: &'a mut Vec<u8>,
        payload_type: u8,
        marker: bool,
        sequence_number: u16,
        timestamp: u32,
        ssrc: u32,
    ) -> Self {
        packet.clear();
        packet.extend_from_slice(&[0x90, payload_type | if marker { 0x80 } else { 0 }]);
        packet.extend_from_slice(&sequence_number.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&ssrc.to_be_bytes());
        packet.extend_from_slice(&[0xbe, 0xde, 0, 0]);
        Self { packet, block_at: FIXED_HEADER_BYTES + 4 }
    }

    /// Adds an element of 1 to 16 bytes.
    pub fn extension(self, id: u8, value: &[u8]) -> Self {
        debug_assert!((1..=14).contains(&id) && (1..=16).contains(&value.len()));
        self.packet.push((id << 4) | (value.len().wrapping_sub(1) as u8 & 0x0f));
        self.packet.extend_from_slice(value);
        self
    }

    /// Ends the header; returns its length.
    pub fn end(self) -> usize {
        while !self.packet.len().is_multiple_of(4) {
            self.packet.push(0);
        }
        let words = (self.packet.len() - self.block_at) / 4;
        if let Some(place) = self.packet.get_mut(self.block_at - 2..self.block_at) {
            place.copy_from_slice(&(words as u16).to_be_bytes());
        }
        self.packet.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> (Vec<u8>, usize) {
        let mut packet = Vec::new();
        let len = HeaderWriter::begin(&mut packet, 96, true, 0xfffe, 9, 0x0102_0304)
            .extension(4, b"0")
            .extension(3, &[0xab, 0xcd])
            .extension(10, b"r0")
            .end();
        (packet, len)
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut packet, len) = written();
        packet.extend([1, 2, 3]);
        let header = Header::read(&packet).unwrap();
        assert_eq!((header.len, header.sequence_number, header.ssrc), (len, 0xfffe, 0x0102_0304));
        assert!(!header.has_padding);
        assert_eq!(header.extension_u16(&packet, 3), Some(0xabcd));
        assert_eq!(header.extension_u16(&packet, 4), None, "one byte is no number of two");
        assert_eq!(header.extension_u16(&packet, 5), None);
        assert_eq!(len % 4, 0);
    }

    #[test]
    fn a_header_that_is_cut_off_is_none() {
        let (packet, len) = written();
        for cut in 0..len {
            assert_eq!(Header::read(&packet[..cut]), None, "{cut} bytes");
        }
    }

    #[test]
    fn an_element_that_reaches_beyond_its_block_is_none() {
        let mut packet = vec![0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x3f, 1, 2, 3];
        packet.extend([0; 16]);
        assert_eq!(Header::read(&packet).unwrap().extension_u16(&packet, 3), None);
    }

    #[test]
    fn padding_ends_a_payload_and_may_not_exceed_it() {
        assert_eq!(without_padding(&[7, 7, 0, 2], true), Some(&[7, 7][..]));
        assert_eq!(without_padding(&[7, 7, 0, 2], false), Some(&[7, 7, 0, 2][..]));
        assert_eq!(without_padding(&[7, 9], true), None);
        assert_eq!(without_padding(&[], true), None);
    }

    #[test]
    fn a_datagram_is_told_by_its_first_bytes() {
        let kinds = [
            (&[0x80, 96][..], Datagram::Rtp),
            (&[0x80, 0x80 | 111], Datagram::Rtp),
            (&[0x81, 205], Datagram::Rtcp),
            (&[1, 1], Datagram::Stun),
            (&[22, 254], Datagram::Dtls),
            (&[70], Datagram::Unknown),
            (&[], Datagram::Unknown),
        ];
        for (bytes, kind) in kinds {
            assert_eq!(Datagram::of(bytes), kind, "{bytes:?}");
        }
    }
}
