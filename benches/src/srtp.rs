//! SRTP as a client needs it: AES-128-GCM (RFC 7714) in place, keys derived as RFC 3711 section 4.3 says.

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes that sealing adds to an RTP packet.
pub const RTP_OVERHEAD: usize = 16;
/// Bytes that sealing adds to an RTCP packet: the tag, and the index with the bit that says that it is encrypted.
pub const RTCP_OVERHEAD: usize = 20;
/// Of `SRTP_AEAD_AES_128_GCM`.
pub const KEY_BYTES: usize = 16;
/// Of `SRTP_AEAD_AES_128_GCM`.
pub const SALT_BYTES: usize = 12;

/// The part of an RTCP packet that stays readable.
const RTCP_HEADER_BYTES: usize = 8;
/// The encryption bit before an RTCP index.
const ENCRYPTED: u32 = 1 << 31;

/// The keys of one direction.
#[derive(Debug)]
pub struct Keys {
    rtp: Half,
    rtcp: Half,
}

#[derive(Debug)]
struct Half {
    key: LessSafeKey,
    salt: [u8; SALT_BYTES],
}

/// A packet that is too short, forged, or of another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the packet does not open with this key")]
pub struct NotOpened;

impl Keys {
    /// Derives a direction's keys from its master key and salt.
    pub fn derive(master_key: &[u8; KEY_BYTES], master_salt: &[u8; SALT_BYTES]) -> Self {
        Self { rtp: Half::derive(master_key, master_salt, 0, 2), rtcp: Half::derive(master_key, master_salt, 3, 5) }
    }

    /// Seals the RTP packet in `packet`, whose header is `header_len` bytes long; the tag is added to its end. `index` is the
    /// sequence number with its rounds.
    pub fn seal_rtp(&self, packet: &mut Vec<u8>, header_len: usize, ssrc: u32, index: u64) {
        packet.resize(packet.len() + RTP_OVERHEAD, 0);
        self.seal_rtp_in_place(packet, header_len, ssrc, index);
    }

    /// Seals the RTP packet in `packet`, whose last [`RTP_OVERHEAD`] bytes are the tag's.
    pub fn seal_rtp_in_place(&self, packet: &mut [u8], header_len: usize, ssrc: u32, index: u64) {
        let nonce = self.rtp.nonce(ssrc, index);
        let Some((header, body)) = packet.split_at_mut_checked(header_len) else { return };
        let Some((payload, place)) = body.split_last_chunk_mut::<RTP_OVERHEAD>() else { return };
        // It fails for more than 64 GB only.
        if let Ok(tag) = self.rtp.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload) {
            place.copy_from_slice(tag.as_ref());
        }
    }

    /// Opens the RTP packet in `packet`; returns its payload.
    ///
    /// # Errors
    /// [`NotOpened`]; the packet is of no use then.
    pub fn open_rtp<'a>(
        &self,
        packet: &'a mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<&'a mut [u8], NotOpened> {
        let nonce = self.rtp.nonce(ssrc, index);
        let (header, body) = packet.split_at_mut_checked(header_len).ok_or(NotOpened)?;
        self.rtp.key.open_in_place(nonce, Aad::from(&*header), body).map_err(|_| NotOpened)
    }

    /// Seals the RTCP compound in `packet`. `index` must never repeat.
    pub fn seal_rtcp(&self, packet: &mut Vec<u8>, index: u32) {
        let Some(ssrc) = rtcp_ssrc(packet) else { return };
        let trailer = (index | ENCRYPTED).to_be_bytes();
        let nonce = self.rtcp.nonce(ssrc, u64::from(index));
        let aad = rtcp_aad(packet, trailer);
        let body = packet.get_mut(RTCP_HEADER_BYTES..).unwrap_or_default();
        if let Ok(tag) = self.rtcp.key.seal_in_place_separate_tag(nonce, Aad::from(aad), body) {
            packet.extend_from_slice(tag.as_ref());
            packet.extend_from_slice(&trailer);
        }
    }

    /// Opens the RTCP compound in `packet`; returns its length.
    ///
    /// # Errors
    /// [`NotOpened`], for a packet that is not encrypted too.
    pub fn open_rtcp(&self, packet: &mut [u8]) -> Result<usize, NotOpened> {
        let ssrc = rtcp_ssrc(packet).ok_or(NotOpened)?;
        let (sealed, trailer) = packet.split_last_chunk_mut::<4>().ok_or(NotOpened)?;
        let index = u32::from_be_bytes(*trailer);
        if index & ENCRYPTED == 0 {
            return Err(NotOpened);
        }
        let nonce = self.rtcp.nonce(ssrc, u64::from(index & !ENCRYPTED));
        let aad = rtcp_aad(sealed, *trailer);
        let body = sealed.get_mut(RTCP_HEADER_BYTES..).ok_or(NotOpened)?;
        let opened = self.rtcp.key.open_in_place(nonce, Aad::from(aad), body).map_err(|_| NotOpened)?;
        Ok(RTCP_HEADER_BYTES + opened.len())
    }
}

impl Half {
    fn derive(master_key: &[u8; KEY_BYTES], master_salt: &[u8; SALT_BYTES], key_label: u8, salt_label: u8) -> Self {
        let key = LessSafeKey::new(
            UnboundKey::new(&AES_128_GCM, &derived::<KEY_BYTES>(master_key, master_salt, key_label))
                .expect("the key has the algorithm's length"),
        );
        Self { key, salt: derived(master_key, master_salt, salt_label) }
    }

    /// RFC 7714 sections 8.1 and 9.1: the SSRC from the third byte on, the index in the last six.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let wide = (u128::from(ssrc) << 48) | u128::from(index & 0xffff_ffff_ffff);
        let mut nonce = self.salt;
        for (byte, mask) in nonce.iter_mut().zip(&wide.to_be_bytes()[4..]) {
            *byte ^= mask;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// AES in counter mode over zeros, from the salt with the label in its eighth byte.
fn derived<const N: usize>(master_key: &[u8; KEY_BYTES], master_salt: &[u8; SALT_BYTES], label: u8) -> [u8; N] {
    let mut counter = [0; 16];
    counter[..SALT_BYTES].copy_from_slice(master_salt);
    counter[7] ^= label;
    let mut out = [0; N];
    Ctr128BE::<Aes128>::new(master_key.into(), &counter.into()).apply_keystream(&mut out);
    out
}

fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    packet.get(4..8)?.first_chunk().copied().map(u32::from_be_bytes)
}

fn rtcp_aad(packet: &[u8], trailer: [u8; 4]) -> [u8; RTCP_HEADER_BYTES + 4] {
    let mut aad = [0; RTCP_HEADER_BYTES + 4];
    for (to, from) in aad.iter_mut().zip(packet.iter().take(RTCP_HEADER_BYTES).chain(&trailer)) {
        *to = *from;
    }
    aad
}

#[cfg(test)]
mod tests {
    use rtc_srtp::context::Context;
    use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
    use rtc_srtp::protection_profile::ProtectionProfile;

    use super::*;

    const KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];
    const SALT: [u8; SALT_BYTES] = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8];
    const SSRC: u32 = 0x1234_5678;

    /// An implementation that shares nothing with ours.
    fn theirs() -> Context {
        let provider = rtc_crypto::default_provider().unwrap();
        let replay = (Some(srtp_replay_protection(64)), Some(srtcp_replay_protection(64)));
        Context::new(&KEY, &SALT, ProtectionProfile::AeadAes128Gcm, replay.0, replay.1, provider.crypto()).unwrap()
    }

    fn rtp(sequence_number: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend(sequence_number.to_be_bytes());
        packet.extend([0, 0, 0, 9]);
        packet.extend(SSRC.to_be_bytes());
        packet.extend(b"the payload");
        packet
    }

    #[test]
    fn another_implementation_opens_what_is_sealed_and_the_other_way_round() {
        let (ours, mut theirs) = (Keys::derive(&KEY, &SALT), theirs());
        for sequence_number in [5, 6, 9] {
            let plain = rtp(sequence_number);
            let mut sealed = plain.clone();
            ours.seal_rtp(&mut sealed, 12, SSRC, u64::from(sequence_number));
            assert_eq!(sealed.len(), plain.len() + RTP_OVERHEAD);
            assert_eq!(theirs.decrypt_rtp(&sealed).unwrap().as_ref(), plain);

            let mut sealed = theirs.encrypt_rtp(&plain).unwrap().to_vec();
            assert_eq!(ours.open_rtp(&mut sealed, 12, SSRC, u64::from(sequence_number)).unwrap(), b"the payload");
        }
    }

    #[test]
    fn another_implementation_opens_reports_and_the_other_way_round() {
        let (ours, mut theirs) = (Keys::derive(&KEY, &SALT), theirs());
        let plain = [&[0x81, 206, 0, 2][..], &SSRC.to_be_bytes(), &[0, 0, 0, 1]].concat();
        let mut sealed = plain.clone();
        ours.seal_rtcp(&mut sealed, 1);
        assert_eq!(sealed.len(), plain.len() + RTCP_OVERHEAD);
        assert_eq!(theirs.decrypt_rtcp(&sealed).unwrap().as_ref(), plain);

        let mut sealed = theirs.encrypt_rtcp(&plain).unwrap().to_vec();
        let len = ours.open_rtcp(&mut sealed).unwrap();
        assert_eq!(sealed[..len], plain);
    }

    #[test]
    fn nothing_forged_or_cut_off_opens() {
        let keys = Keys::derive(&KEY, &SALT);
        let mut sealed = rtp(5);
        keys.seal_rtp(&mut sealed, 12, SSRC, 5);
        assert_eq!(keys.open_rtp(&mut sealed.clone(), 12, SSRC, 5 + (1 << 16)), Err(NotOpened), "another round");
        for len in 0..sealed.len() {
            assert_eq!(keys.open_rtp(&mut sealed[..len].to_vec(), 12, SSRC, 5), Err(NotOpened), "{len} bytes");
        }
        let mut report = [&[0x81, 206, 0, 2][..], &SSRC.to_be_bytes(), &[0, 0, 0, 1]].concat();
        keys.seal_rtcp(&mut report, 1);
        for len in 0..report.len() {
            assert_eq!(keys.open_rtcp(&mut report[..len].to_vec()), Err(NotOpened), "{len} bytes");
        }
    }
}
