//! The AEAD profiles (RFC 7714): one pass that encrypts and authenticates, by `ring`.

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::kdf::{Derivation, Labels};

/// The length of a tag in bytes.
pub(super) const TAG_LEN: usize = 16;

const SALT_LEN: usize = 12;

/// The session key and salt of SRTP or of SRTCP in one direction. The key is expanded once.
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; SALT_LEN],
}

impl Gcm {
    pub(super) fn aes_128(derivation: &Derivation, labels: Labels) -> Option<Self> {
        Self::from_session(&*derivation.derive::<16>(labels.encryption), *derivation.derive(labels.salt))
    }

    pub(super) fn aes_256(derivation: &Derivation, labels: Labels) -> Option<Self> {
        Self::from_session(&*derivation.derive::<32>(labels.encryption), *derivation.derive(labels.salt))
    }

    /// Nothing when `key` is of neither AES size.
    pub(super) fn from_session(key: &[u8], salt: [u8; SALT_LEN]) -> Option<Self> {
        let algorithm = if key.len() == AES_256_GCM.key_len() { &AES_256_GCM } else { &AES_128_GCM };
        Some(Self { key: LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?), salt })
    }

    /// Encrypts `text` and returns its tag, or nothing when `text` is longer than GCM takes (64 GiB).
    pub(super) fn seal(&self, iv: Iv, aad: &[u8], text: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        let tag = self.key.seal_in_place_separate_tag(self.nonce(iv), Aad::from(aad), text).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts `text_and_tag`, and says whether it was authentic. What was not is lost.
    pub(super) fn open(&self, iv: Iv, aad: &[u8], text_and_tag: &mut [u8]) -> bool {
        self.key.open_in_place(self.nonce(iv), Aad::from(aad), text_and_tag).is_ok()
    }

    fn nonce(&self, Iv(mut iv): Iv) -> Nonce {
        for (byte, salt) in iv.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        Nonce::assume_unique_for_key(iv)
    }
}

/// What makes the nonce of a packet unique, before the salt is mixed in.
pub(super) struct Iv([u8; SALT_LEN]);

impl Iv {
    /// Of an RTP packet: its SSRC and the 48 bits of its index (RFC 7714 section 8.1).
    pub(super) fn rtp(ssrc: u32, index: u64) -> Self {
        Self::new(ssrc, index)
    }

    /// Of an RTCP packet: its SSRC and the 31 bits of its index (RFC 7714 section 9.1).
    pub(super) fn rtcp(ssrc: u32, index: u32) -> Self {
        Self::new(ssrc, u64::from(index))
    }

    fn new(ssrc: u32, index: u64) -> Self {
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
        Self([0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5])
    }
}
