//! SRTP: sealing and opening of RTP packets.

use super::context::Cipher;
use super::gcm::Iv;
use super::window::{Refused, Window};
use super::{OpenContext, OpenError, ProtectionProfile, SealContext, SealError};
use crate::ids::Ssrc;

/// The least an RTP header has, in bytes.
const MIN_HEADER_LEN: usize = 12;

/// The highest 48-bit packet index: after it the rollover counter has nowhere to go.
const MAX_INDEX: u64 = (1 << 48) - 1;

/// What we have sent of one SSRC: the rollover counter and which of the latest indices are used.
///
/// Sequence numbers may come out of order, once each. A first sequence number below 2^15 spares receivers that
/// lose the first packets a wrong guess of the rollover counter (RFC 3711 section 3.3.1).
#[derive(Debug, Clone)]
pub struct SealStream {
    ssrc: Ssrc,
    window: Window,
}

impl SealStream {
    /// A stream of which nothing has been sent.
    pub fn new(ssrc: Ssrc) -> Self {
        Self { ssrc, window: Window::default() }
    }

    /// The stream's SSRC.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// How often the sequence number has wrapped.
    pub fn rollover_counter(&self) -> u32 {
        rollover_counter(&self.window)
    }
}

/// What we have received of one SSRC: the rollover counter and which of the latest indices have come.
///
/// Making one is cheap and allocates nothing, so a packet of an unknown SSRC is tried with a new one, which is kept
/// only if the packet was authentic.
#[derive(Debug, Clone)]
pub struct OpenStream {
    ssrc: Ssrc,
    pub(super) window: Window,
}

impl OpenStream {
    /// A stream of which nothing has been received.
    pub fn new(ssrc: Ssrc) -> Self {
        Self { ssrc, window: Window::default() }
    }

    /// The stream's SSRC.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// How often the sequence number has wrapped.
    pub fn rollover_counter(&self) -> u32 {
        rollover_counter(&self.window)
    }
}

impl SealContext {
    /// Encrypts the RTP packet in `buf[..plain_len]` where it lies and puts the tag after it. Returns the length of the
    /// sealed packet, at most [`super::MAX_RTP_OVERHEAD`] more than `plain_len`.
    ///
    /// `header_len` is that of the whole header, extensions included, which stays in the clear.
    ///
    /// A sequence number can be sealed once: a packet that has to be sent again goes under another SSRC (RFC 4588) or,
    /// with the very bytes that were sealed, by [`SealContext::repeat_rtp`].
    ///
    /// # Errors
    /// [`SealError`]; then neither `buf` nor `stream` has changed.
    #[inline(always)]
    pub fn seal_rtp(
        &self,
        stream: &mut SealStream,
        buf: &mut [u8],
        header_len: usize,
        plain_len: usize,
    ) -> Result<usize, SealError> {
        let packet = Unsealed::check(self.profile, stream, buf, header_len, plain_len)?;
        let index = packet.index;
        match stream.window.check(index) {
            Ok(()) => {}
            Err(Refused::Used) => return Err(SealError::IndexReused { index }),
            Err(Refused::TooOld) => return Err(SealError::IndexTooOld { index }),
        }
        let sealed_len = self.apply(packet)?;
        stream.window.mark(index);
        Ok(sealed_len)
    }

    /// Seals a packet AGAIN under the sequence number that it was sealed under before, to answer the NACK of a peer that
    /// takes no retransmission stream: so nobody has to keep each consumer's sealed packets. The arguments are those of
    /// [`SealContext::seal_rtp`], and the stream stays as it is.
    ///
    /// # THE BYTES MUST BE EXACTLY THOSE SEALED BEFORE
    /// The caller guarantees that `buf[..plain_len]` and `header_len` equal, bit for bit, what was sealed under this
    /// sequence number: payload, header, and every extension stamped at the time of sending. The key and the nonce are
    /// the same again, so identical bytes give the identical datagram, which tells nobody anything new. Any other
    /// bytes give an eavesdropper the XOR of the two payloads and, under GCM, the authentication key, with which it can
    /// forge packets for as long as the transport lives. Nothing here can check it. A caller that cannot be sure leaves
    /// the NACK unanswered.
    ///
    /// # Errors
    /// [`SealError`], among them [`SealError::NeverSealed`] for a sequence number not yet used and
    /// [`SealError::IndexTooOld`] for one that is not remembered any more; then `buf` has not changed.
    pub fn repeat_rtp(
        &self,
        stream: &SealStream,
        buf: &mut [u8],
        header_len: usize,
        plain_len: usize,
    ) -> Result<usize, SealError> {
        let packet = Unsealed::check(self.profile, stream, buf, header_len, plain_len)?;
        let index = packet.index;
        match stream.window.check(index) {
            Err(Refused::Used) => self.apply(packet),
            Err(Refused::TooOld) => Err(SealError::IndexTooOld { index }),
            Ok(()) => Err(SealError::NeverSealed { index }),
        }
    }

    /// Encrypts and writes the tag. Returns the length of the sealed packet.
    #[inline(always)]
    fn apply(&self, unsealed: Unsealed<'_>) -> Result<usize, SealError> {
        let Unsealed { ssrc, index, header_len, packet, tag_room } = unsealed;
        let (plain_len, tag_len) = (packet.len(), tag_room.len());
        let sealed_len = plain_len + tag_len;
        let bounds = || SealError::Bounds { header_len, plain_len, buffer_len: sealed_len };
        let (header, payload) = packet.split_at_mut_checked(header_len).ok_or_else(bounds)?;
        match &self.rtp {
            Cipher::Gcm(gcm) => {
                let tag = gcm.seal(Iv::rtp(ssrc.0, index), header, payload).ok_or_else(bounds)?;
                *tag_room.first_chunk_mut().ok_or_else(bounds)? = tag;
            }
            Cipher::AesCm(aes_cm) => {
                aes_cm.apply_keystream(ssrc.0, index, payload);
                tag_room.copy_from_slice(&aes_cm.tag(packet, &roc_bytes(index)));
            }
        }
        Ok(sealed_len)
    }
}

/// A packet of ours whose bounds and stream are right, with the index that it stands for.
struct Unsealed<'a> {
    ssrc: Ssrc,
    index: u64,
    header_len: usize,
    packet: &'a mut [u8],
    tag_room: &'a mut [u8],
}

impl<'a> Unsealed<'a> {
    #[inline(always)]
    fn check(
        profile: ProtectionProfile,
        stream: &SealStream,
        buf: &'a mut [u8],
        header_len: usize,
        plain_len: usize,
    ) -> Result<Self, SealError> {
        let buffer_len = buf.len();
        let bounds = || SealError::Bounds { header_len, plain_len, buffer_len };
        let needed = plain_len.checked_add(profile.tag_len()).ok_or_else(bounds)?;
        let (packet, room) = buf.split_at_mut_checked(plain_len).ok_or_else(bounds)?;
        let tag_room = room.get_mut(..profile.tag_len()).ok_or(SealError::NoRoom { needed, buffer_len })?;
        let header_fits = (MIN_HEADER_LEN..=plain_len).contains(&header_len);
        let id = PacketId::read(packet).filter(|_| header_fits).ok_or_else(bounds)?;
        if id.ssrc != stream.ssrc {
            return Err(SealError::WrongSsrc { expected: stream.ssrc, found: id.ssrc });
        }
        let index = match estimate(stream.window.highest(), id.sequence_number) {
            Estimate::Index(index) => index,
            Estimate::BeforeStart => {
                return Err(SealError::IndexTooOld { index: u64::from(id.sequence_number) });
            }
            Estimate::Overflow => return Err(SealError::KeyExhausted),
        };
        Ok(Self { ssrc: id.ssrc, index, header_len, packet, tag_room })
    }
}

impl OpenContext {
    /// Verifies and decrypts `packet` where it lies. Returns the length of the RTP packet, which is then in
    /// `packet[..length]`.
    ///
    /// `header_len` is that of the whole header, extensions included.
    ///
    /// # Errors
    /// [`OpenError`]; then `stream` has not changed, but what follows the header in `packet` may be lost.
    pub fn open_rtp(&self, stream: &mut OpenStream, packet: &mut [u8], header_len: usize) -> Result<usize, OpenError> {
        let len = packet.len();
        let tag_len = self.profile.tag_len();
        let needed = header_len.saturating_add(tag_len);
        let too_short = OpenError::TooShort { len, needed };
        if header_len < MIN_HEADER_LEN {
            return Err(OpenError::HeaderLength { header_len });
        }
        if len < needed {
            return Err(too_short);
        }
        let plain_len = len - tag_len;
        let id = PacketId::read(packet).ok_or(too_short)?;
        if id.ssrc != stream.ssrc {
            return Err(OpenError::WrongSsrc { expected: stream.ssrc, found: id.ssrc });
        }
        let index = match estimate(stream.window.highest(), id.sequence_number) {
            Estimate::Index(index) => index,
            Estimate::BeforeStart => {
                return Err(OpenError::BeforeStart { sequence_number: id.sequence_number });
            }
            Estimate::Overflow => return Err(OpenError::KeyExhausted),
        };
        stream.window.check(index).map_err(|refused| match refused {
            Refused::Used => OpenError::Replayed { index },
            Refused::TooOld => OpenError::TooOld { index },
        })?;
        let authentic = match &self.rtp {
            Cipher::Gcm(gcm) => {
                let (header, text_and_tag) = packet.split_at_mut_checked(header_len).ok_or(too_short)?;
                gcm.open(Iv::rtp(id.ssrc.0, index), header, text_and_tag)
            }
            Cipher::AesCm(aes_cm) => {
                let (plain, tag) = packet.split_at_mut_checked(plain_len).ok_or(too_short)?;
                let authentic = aes_cm.verify(plain, &roc_bytes(index), tag);
                if authentic && let Some(text) = plain.get_mut(header_len..) {
                    aes_cm.apply_keystream(id.ssrc.0, index, text);
                }
                authentic
            }
        };
        if !authentic {
            return Err(OpenError::AuthenticationFailed);
        }
        stream.window.mark(index);
        Ok(plain_len)
    }
}

/// What of a header the ciphers need.
struct PacketId {
    ssrc: Ssrc,
    sequence_number: u16,
}

impl PacketId {
    fn read(packet: &[u8]) -> Option<Self> {
        let &[_, _, s0, s1, _, _, _, _, a, b, c, d] = packet.first_chunk::<MIN_HEADER_LEN>()?;
        Some(Self { ssrc: Ssrc(u32::from_be_bytes([a, b, c, d])), sequence_number: u16::from_be_bytes([s0, s1]) })
    }
}

/// Which 48-bit index a sequence number stands for.
#[derive(Debug, PartialEq, Eq)]
enum Estimate {
    Index(u64),
    /// The nearest lies before index 0.
    BeforeStart,
    /// The nearest lies beyond [`MAX_INDEX`].
    Overflow,
}

/// The index nearest to the highest used (RFC 3711 section 3.3.1 and appendix A).
fn estimate(highest: Option<u64>, sequence_number: u16) -> Estimate {
    let Some(highest) = highest else { return Estimate::Index(u64::from(sequence_number)) };
    let (roc, last) = (highest >> 16, (highest & 0xffff) as u16);
    const HALF: u16 = 1 << 15;
    let roc = if last < HALF {
        if sequence_number.saturating_sub(last) > HALF { roc.checked_sub(1) } else { Some(roc) }
    } else if last - HALF > sequence_number {
        Some(roc + 1)
    } else {
        Some(roc)
    };
    match roc.map(|roc| roc << 16 | u64::from(sequence_number)) {
        Some(index) if index <= MAX_INDEX => Estimate::Index(index),
        Some(_) => Estimate::Overflow,
        None => Estimate::BeforeStart,
    }
}

fn roc_bytes(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn rollover_counter(window: &Window) -> u32 {
    (window.highest().unwrap_or_default() >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_stands_for_the_nearest_index() {
        let roc = |roc: u64, seq: u64| roc << 16 | seq;
        for (highest, sequence_number, expected) in [
            (None, 0xffff, Estimate::Index(0xffff)),
            (Some(roc(0, 5)), 6, Estimate::Index(6)),
            (Some(roc(0, 0xffff)), 0, Estimate::Index(roc(1, 0))),
            // A packet reordered around the wrap, in both directions.
            (Some(roc(1, 0)), 0xffff, Estimate::Index(0xffff)),
            (Some(roc(1, 100)), 0x8064, Estimate::Index(roc(1, 0x8064))),
            (Some(roc(1, 100)), 0x8065, Estimate::Index(roc(0, 0x8065))),
            // A loss of up to 2^15 packets across the wrap.
            (Some(roc(0, 0xfffe)), 0x7ffd, Estimate::Index(roc(1, 0x7ffd))),
            (Some(roc(0, 0xfffe)), 0x7ffe, Estimate::Index(roc(0, 0x7ffe))),
            // No packet can lie before the first index, nor beyond the last.
            (Some(roc(0, 5)), 0xffff, Estimate::BeforeStart),
            (Some(MAX_INDEX), 0, Estimate::Overflow),
            (Some(MAX_INDEX), 0xfffe, Estimate::Index(MAX_INDEX - 1)),
        ] {
            assert_eq!(estimate(highest, sequence_number), expected, "{sequence_number:#x} after {highest:x?}");
        }
    }
}
