//! AES in counter mode with HMAC-SHA1 (RFC 3711 sections 4.1.1 and 4.2.1).

use aes::Aes128;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::kdf::{Derivation, Labels};

/// The length of a tag in bytes: HMAC-SHA1 cut to 80 bits.
pub(super) const TAG_LEN: usize = 10;

/// The session keys of SRTP or of SRTCP in one direction, expanded once.
pub(super) struct AesCm {
    cipher: Aes128,
    /// HMAC that has taken its key in: cloned for each packet.
    mac: Hmac<Sha1>,
    salt: [u8; 14],
}

impl AesCm {
    pub(super) fn new(derivation: &Derivation, labels: Labels) -> Option<Self> {
        let cipher = Aes128::new_from_slice(&*derivation.derive::<16>(labels.encryption)).ok()?;
        let mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&*derivation.derive::<20>(labels.authentication)).ok()?;
        Some(Self { cipher, mac, salt: *derivation.derive(labels.salt) })
    }

    /// Encrypts or decrypts, which is the same, the part of packet `index` of `ssrc` that is not in the clear.
    pub(super) fn apply_keystream(&self, ssrc: u32, index: u64, text: &mut [u8]) {
        apply_keystream(&self.cipher, counter(&self.salt, ssrc, index), text);
    }

    /// The tag of `packet` followed by `suffix`.
    pub(super) fn tag(&self, packet: &[u8], suffix: &[u8]) -> [u8; TAG_LEN] {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(suffix);
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG_LEN]);
        tag
    }

    /// Whether `tag` is that of `packet` followed by `suffix`, in a time that does not tell where they differ.
    pub(super) fn verify(&self, packet: &[u8], suffix: &[u8], tag: &[u8]) -> bool {
        self.tag(packet, suffix).ct_eq(tag).into()
    }
}

/// The first counter block of a packet: salt, SSRC and index, each shifted to its place (RFC 3711 section 4.1.1).
fn counter(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let iv = (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
    let mut block = iv.to_be_bytes();
    for (byte, salt) in block.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    block
}

fn apply_keystream(cipher: &Aes128, counter: [u8; 16], text: &mut [u8]) {
    let core = CtrCore::<&Aes128, Ctr128BE>::inner_iv_init(cipher, &counter.into());
    core.apply_keystream_partial(text.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;

    /// RFC 3711 appendix B.2: the session salt already shifted, SSRC and index zero.
    #[test]
    fn the_rfc_3711_keystream_holds() {
        let cipher = Aes128::new_from_slice(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let salt: [u8; 14] = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let mut keystream = vec![0; 0xff02 * 16];
        apply_keystream(&cipher, counter(&salt, 0, 0), &mut keystream);
        assert_eq!(
            keystream[..48],
            hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0")
        );
        assert_eq!(
            keystream[0xfeff * 16..],
            hex("EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44")
        );
    }

    #[test]
    fn ssrc_and_index_go_to_their_places() {
        assert_eq!(
            counter(&[0; 14], 0x1122_3344, 0x5566_7788_99aa).to_vec(),
            hex("00000000 11223344 5566778899aa 0000")
        );
    }
}
