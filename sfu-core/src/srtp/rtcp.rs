//! SRTCP: sealing and opening of RTCP compound packets.

use super::context::Cipher;
use super::gcm::Iv;
use super::window::{Refused, Window};
use super::{OpenContext, OpenError, SealContext, SealError};

/// The highest SRTCP index: 31 bits (RFC 3711 section 3.4).
pub const MAX_RTCP_INDEX: u32 = (1 << 31) - 1;

/// Of how many SSRCs one peer's SRTCP indices are remembered. A peer reports from each SSRC that it sends, so this is
/// room for dozens of simulcast sources; 36 kB at most. At the limit the SSRC that has been silent for longest is
/// forgotten: only the peer itself can make that happen, and the worst of it is that an old report of that SSRC could
/// be replayed.
pub const MAX_RTCP_SENDERS: usize = 256;

/// An RTCP header with its SSRC, which stays in the clear, in bytes.
const HEADER_LEN: usize = 8;

/// The E bit and the index, in bytes.
const INDEX_LEN: usize = 4;

const E_BIT: u32 = 1 << 31;

/// Which SRTCP indices of one peer have come, by SSRC. Only an authentic packet adds an SSRC.
#[derive(Debug, Default)]
pub struct OpenRtcpStreams {
    /// The most recently heard last.
    by_recency: Vec<(u32, Window)>,
}

impl OpenRtcpStreams {
    /// How many SSRCs are remembered.
    pub fn len(&self) -> usize {
        self.by_recency.len()
    }

    /// Whether nothing has been received.
    pub fn is_empty(&self) -> bool {
        self.by_recency.is_empty()
    }

    fn check(&self, ssrc: u32, index: u32) -> Result<(), OpenError> {
        let index = u64::from(index);
        let Some((_, window)) = self.by_recency.iter().rev().find(|(known, _)| *known == ssrc) else { return Ok(()) };
        window.check(index).map_err(|refused| match refused {
            Refused::Used => OpenError::Replayed { index },
            Refused::TooOld => OpenError::TooOld { index },
        })
    }

    fn mark(&mut self, ssrc: u32, index: u32) {
        match self.by_recency.iter().position(|(known, _)| *known == ssrc) {
            Some(at) => {
                if let Some(since) = self.by_recency.get_mut(at..) {
                    since.rotate_left(1);
                }
            }
            None => {
                if self.by_recency.len() >= MAX_RTCP_SENDERS {
                    self.by_recency.remove(0);
                }
                self.by_recency.push((ssrc, Window::default()));
            }
        }
        if let Some((_, window)) = self.by_recency.last_mut() {
            window.mark(u64::from(index));
        }
    }
}

impl SealContext {
    /// Encrypts the RTCP packet in `buf[..plain_len]` where it lies and puts tag and index after it. Returns the
    /// length of the sealed packet, at most [`super::MAX_RTCP_OVERHEAD`] more than `plain_len`.
    ///
    /// # Errors
    /// [`SealError`]; then neither `buf` nor the context has changed.
    pub fn seal_rtcp(&mut self, buf: &mut [u8], plain_len: usize) -> Result<usize, SealError> {
        let buffer_len = buf.len();
        let bounds = SealError::Bounds { header_len: HEADER_LEN, plain_len, buffer_len };
        let tag_len = self.profile.tag_len();
        let needed = plain_len.checked_add(tag_len + INDEX_LEN).ok_or(bounds)?;
        let (packet, room) = buf.split_at_mut_checked(plain_len).ok_or(bounds)?;
        let room = room.get_mut(..tag_len + INDEX_LEN).ok_or(SealError::NoRoom { needed, buffer_len })?;
        let (header, payload) = packet.split_first_chunk_mut::<HEADER_LEN>().ok_or(bounds)?;
        let ssrc = sender_ssrc(header);
        let index = self.next_rtcp_index;
        if index > MAX_RTCP_INDEX {
            return Err(SealError::KeyExhausted);
        }
        let index_word = (E_BIT | index).to_be_bytes();
        match &self.rtcp {
            Cipher::Gcm(gcm) => {
                let (tag_room, index_room) = room.split_at_mut(tag_len);
                let tag =
                    gcm.seal(Iv::rtcp(ssrc, index), &associated_data(header, index_word), payload).ok_or(bounds)?;
                tag_room.copy_from_slice(&tag);
                index_room.copy_from_slice(&index_word);
            }
            Cipher::AesCm(aes_cm) => {
                let (index_room, tag_room) = room.split_at_mut(INDEX_LEN);
                aes_cm.apply_keystream(ssrc, u64::from(index), payload);
                index_room.copy_from_slice(&index_word);
                tag_room.copy_from_slice(&aes_cm.tag(packet, &index_word));
            }
        }
        self.next_rtcp_index = index + 1;
        Ok(needed)
    }
}

impl OpenContext {
    /// Verifies and decrypts `packet` where it lies. Returns the length of the RTCP packet, which is then in
    /// `packet[..length]`.
    ///
    /// # Errors
    /// [`OpenError`]; then `streams` has not changed, but what follows the first 8 bytes of `packet` may be lost.
    pub fn open_rtcp(&self, streams: &mut OpenRtcpStreams, packet: &mut [u8]) -> Result<usize, OpenError> {
        let len = packet.len();
        let tag_len = self.profile.tag_len();
        let needed = HEADER_LEN + tag_len + INDEX_LEN;
        let too_short = OpenError::TooShort { len, needed };
        if len < needed {
            return Err(too_short);
        }
        let plain_len = len - tag_len - INDEX_LEN;
        let index_at = match &self.rtcp {
            Cipher::Gcm(_) => len - INDEX_LEN,
            Cipher::AesCm(_) => plain_len,
        };
        let index_word = *packet.get(index_at..).and_then(|rest| rest.first_chunk::<INDEX_LEN>()).ok_or(too_short)?;
        let word = u32::from_be_bytes(index_word);
        // First of all: a packet in the clear must not come near the rest, where a mistake would let it through
        // unverified.
        if word & E_BIT == 0 {
            return Err(OpenError::NotEncrypted);
        }
        let index = word & MAX_RTCP_INDEX;
        let ssrc = sender_ssrc(packet.first_chunk::<HEADER_LEN>().ok_or(too_short)?);
        streams.check(ssrc, index)?;
        let authentic = match &self.rtcp {
            Cipher::Gcm(gcm) => {
                let (header, rest) = packet.split_first_chunk_mut::<HEADER_LEN>().ok_or(too_short)?;
                let (text_and_tag, _) = rest.split_at_mut_checked(index_at - HEADER_LEN).ok_or(too_short)?;
                gcm.open(Iv::rtcp(ssrc, index), &associated_data(header, index_word), text_and_tag)
            }
            Cipher::AesCm(aes_cm) => {
                let (plain, rest) = packet.split_at_mut_checked(plain_len).ok_or(too_short)?;
                let tag = rest.get(INDEX_LEN..).ok_or(too_short)?;
                let authentic = aes_cm.verify(plain, &index_word, tag);
                if authentic && let Some(text) = plain.get_mut(HEADER_LEN..) {
                    aes_cm.apply_keystream(ssrc, u64::from(index), text);
                }
                authentic
            }
        };
        if !authentic {
            return Err(OpenError::AuthenticationFailed);
        }
        streams.mark(ssrc, index);
        Ok(plain_len)
    }
}

fn sender_ssrc(&[_, _, _, _, a, b, c, d]: &[u8; HEADER_LEN]) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// The header and the index word (RFC 7714 section 9.2).
fn associated_data(header: &[u8; HEADER_LEN], index_word: [u8; INDEX_LEN]) -> [u8; HEADER_LEN + INDEX_LEN] {
    let mut data = [0; HEADER_LEN + INDEX_LEN];
    data[..HEADER_LEN].copy_from_slice(header);
    data[HEADER_LEN..].copy_from_slice(&index_word);
    data
}
