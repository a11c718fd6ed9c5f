//! Redundant audio (RFC 2198): Opus with earlier packets repeated in each.
//!
//! A payload is a row of block headers, then the blocks: the repeated ones first, oldest first, and the primary one, which
//! is what the packet would have been without redundancy, last. A repeated block's header has four bytes, `F` 1 bit (1),
//! block payload type 7 bits, timestamp offset 14 bits, length 10 bits; the primary one's has one, `F` (0) and the type.

mod fuzzing;

use thiserror::Error;

pub use self::fuzzing::fuzz_red;
use crate::ids::PayloadType;

/// The most repeated blocks that a payload may have. Browsers send one or two, and libwebrtc can at most send nine; a
/// payload with more is refused.
pub const REPEATED_BLOCKS_MAX: usize = 16;

/// Length in bytes of a repeated block's header.
const REPEATED_HEADER_LEN: usize = 4;
/// Length in bytes of the primary block's header.
const PRIMARY_HEADER_LEN: usize = 1;
/// The bit that says that another header follows.
const FOLLOWED: u8 = 0x80;

/// What is wrong with a payload; its sender is to blame, and the packet is to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedError {
    /// The payload ends before the primary block's header.
    #[error("the sender's RED payload ends inside its block headers")]
    HeadersTruncated,
    /// The repeated blocks are longer than the payload.
    #[error("the sender's RED payload claims {claimed} bytes of repeated blocks and has {available}")]
    BlocksTruncated {
        /// Bytes of the repeated blocks, by their headers.
        claimed: usize,
        /// Bytes after the headers.
        available: usize,
    },
    /// More repeated blocks than [`REPEATED_BLOCKS_MAX`].
    #[error("the sender's RED payload has more than {REPEATED_BLOCKS_MAX} repeated blocks")]
    TooManyBlocks,
    /// The primary block is not of the codec that was negotiated.
    #[error("the sender's RED payload has a primary block of payload type {found}, not {expected}")]
    ForeignPrimary {
        /// Its payload type.
        found: PayloadType,
        /// The one that was negotiated.
        expected: PayloadType,
    },
}

/// Where the parts of a payload are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedHeader {
    /// The primary block's payload type.
    pub primary_payload_type: PayloadType,
    /// How many repeated blocks there are.
    repeated_blocks: usize,
    /// Offset of the primary block, which goes on to the payload's end.
    primary_at: usize,
}

impl RedHeader {
    /// Reads the headers of `payload`, a RED packet's payload without padding.
    ///
    /// # Errors
    /// The sender's payload is malformed.
    pub fn parse(payload: &[u8]) -> Result<Self, RedError> {
        let mut rest = payload;
        let mut repeated_blocks = 0;
        let mut claimed = 0;
        loop {
            match *rest {
                [first, ref blocks @ ..] if first & FOLLOWED == 0 => {
                    let headers_len = repeated_blocks * REPEATED_HEADER_LEN + PRIMARY_HEADER_LEN;
                    if claimed > blocks.len() {
                        return Err(RedError::BlocksTruncated { claimed, available: blocks.len() });
                    }
                    return Ok(Self {
                        primary_payload_type: PayloadType(first),
                        repeated_blocks,
                        primary_at: headers_len + claimed,
                    });
                }
                [_, _, length_high, length_low, ref after @ ..] => {
                    if repeated_blocks == REPEATED_BLOCKS_MAX {
                        return Err(RedError::TooManyBlocks);
                    }
                    repeated_blocks += 1;
                    claimed += usize::from(u16::from_be_bytes([length_high & 0x03, length_low]));
                    rest = after;
                }
                _ => return Err(RedError::HeadersTruncated),
            }
        }
    }

    /// The primary block of the payload that the headers were read from; its timestamp is the packet's. Empty if the
    /// sender had nothing new to say.
    pub fn primary<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        payload.get(self.primary_at..).unwrap_or_default()
    }

    /// Gives the blocks of one payload type another, in the payload that the headers were read from or a copy: a receiver
    /// knows the codec by the number that was negotiated with it, not by the sender's. Only the lower 7 bits of `to` count.
    pub fn write_payload_type(&self, payload: &mut [u8], from: PayloadType, to: PayloadType) {
        let headers = (0..=self.repeated_blocks).map(|block| block * REPEATED_HEADER_LEN);
        for at in headers {
            if let Some(first) = payload.get_mut(at)
                && *first & !FOLLOWED == from.0
            {
                *first = *first & FOLLOWED | to.0 & !FOLLOWED;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPUS: PayloadType = PayloadType(111);

    /// A payload of the blocks given, the last of them primary.
    fn payload(blocks: &[(u8, &[u8])]) -> Vec<u8> {
        let (last, repeated) = blocks.split_last().unwrap();
        let mut payload = Vec::new();
        for (index, (payload_type, bytes)) in repeated.iter().enumerate() {
            let offset = 960 * (repeated.len() - index) as u32;
            payload.push(FOLLOWED | payload_type);
            payload.extend_from_slice(&(offset << 10 | bytes.len() as u32).to_be_bytes()[1..]);
        }
        payload.push(last.0);
        payload.extend(blocks.iter().flat_map(|(_, bytes)| bytes.iter()));
        payload
    }

    fn primary(payload: &[u8]) -> Result<(PayloadType, &[u8]), RedError> {
        RedHeader::parse(payload).map(|header| (header.primary_payload_type, header.primary(payload)))
    }

    #[test]
    fn the_primary_block_is_what_the_packet_would_be_without_redundancy() {
        let long = [7; 1_023];
        let table: [&[(u8, &[u8])]; 5] = [
            &[(111, b"new")],
            &[(111, b"old"), (111, b"new")],
            &[(111, b"older"), (111, b""), (111, b"new")],
            &[(111, &long), (111, b"new")],
            &[(13, b"noise"), (111, b"new")],
        ];
        for blocks in table {
            assert_eq!(primary(&payload(blocks)), Ok((OPUS, &b"new"[..])), "{blocks:?}");
        }
    }

    /// As Chromium sends it: one repeated block of 3 bytes, 20 ms earlier.
    #[test]
    fn the_bits_are_where_the_rfc_has_them() {
        let bytes = [0x80 | 111, 0x0f, 0x00, 0x03, 111, 1, 2, 3, 4, 5];
        assert_eq!(primary(&bytes), Ok((OPUS, &[4, 5][..])));
        assert_eq!(payload(&[(111, &[1, 2, 3]), (111, &[4, 5])]), bytes);
    }

    #[test]
    fn an_empty_primary_block_is_empty() {
        assert_eq!(primary(&payload(&[(111, b"old"), (111, b"")])), Ok((OPUS, &b""[..])));
        assert_eq!(primary(&[111]), Ok((OPUS, &b""[..])));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let whole = payload(&[(111, b"old"), (111, b"new")]);
        for len in 0..5 {
            assert_eq!(primary(&whole[..len]), Err(RedError::HeadersTruncated), "{len}");
        }
        for len in 5..8 {
            let available = len - 5;
            assert_eq!(primary(&whole[..len]), Err(RedError::BlocksTruncated { claimed: 3, available }));
        }
        assert!(primary(&whole[..8]).is_ok());
    }

    #[test]
    fn there_is_a_limit_to_the_blocks() {
        let block = (111, &b"x"[..]);
        assert!(primary(&payload(&[block; REPEATED_BLOCKS_MAX + 1])).is_ok());
        assert_eq!(primary(&payload(&[block; REPEATED_BLOCKS_MAX + 2])), Err(RedError::TooManyBlocks));
    }

    /// A receiver drops blocks of a payload type that was not negotiated with it.
    #[test]
    fn blocks_get_the_receivers_payload_type_and_others_keep_theirs() {
        let mut bytes = payload(&[(111, b"ooo"), (13, b"ooo"), (111, b"ooo")]);
        let header = RedHeader::parse(&bytes).unwrap();
        header.write_payload_type(&mut bytes, OPUS, PayloadType(100));
        assert_eq!(bytes, payload(&[(100, b"ooo"), (13, b"ooo"), (100, b"ooo")]));
        // Nothing but headers is touched, and a copy cut short is no reason to panic.
        let mut bytes = payload(&[(111, b"oooo"), (111, b"oooo")]);
        let header = RedHeader::parse(&bytes).unwrap();
        bytes.truncate(2);
        header.write_payload_type(&mut bytes, OPUS, PayloadType(100));
        assert_eq!(bytes, [FOLLOWED | 100, 0x0f]);
    }
}
