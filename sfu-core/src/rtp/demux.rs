//! Telling apart what shares one port (RFC 7983, and RFC 5761 for RTCP).

/// What a datagram is, judged by its first two bytes. A judgement only: the parser it is handed to decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// A STUN message: first byte 0 to 3.
    Stun,
    /// A DTLS record: first byte 20 to 63.
    Dtls,
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// ZRTP, a TURN channel, or nothing we know: to be dropped.
    Unknown,
}

impl PacketKind {
    /// Classifies `datagram`.
    ///
    /// RTP and RTCP share a first byte of 128 to 191; a second byte of 192 to 223 is an RTCP packet type (RFC 5761
    /// section 4). A second byte of 64 to 95 would be one of the RTP payload types that RFC 5761 forbids here, and is
    /// no RTCP type either: unknown.
    pub fn of(datagram: &[u8]) -> Self {
        match *datagram {
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, 64..=95, ..] => Self::Unknown,
            [128..=191, _, ..] => Self::Rtp,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_has_its_kind() {
        for first in 0..=255u8 {
            let expected = match first {
                0..=3 => PacketKind::Stun,
                20..=63 => PacketKind::Dtls,
                128..=191 => PacketKind::Rtp,
                _ => PacketKind::Unknown,
            };
            assert_eq!(PacketKind::of(&[first, 111]), expected, "first byte {first}");
        }
    }

    #[test]
    fn every_second_byte_has_its_kind() {
        for second in 0..=255u8 {
            let expected = match second {
                192..=223 => PacketKind::Rtcp,
                64..=95 => PacketKind::Unknown,
                _ => PacketKind::Rtp,
            };
            assert_eq!(PacketKind::of(&[0x80, second]), expected, "second byte {second}");
        }
    }

    #[test]
    fn a_datagram_too_short_to_judge_is_unknown() {
        assert_eq!(PacketKind::of(&[]), PacketKind::Unknown);
        assert_eq!(PacketKind::of(&[0x80]), PacketKind::Unknown);
    }
}
