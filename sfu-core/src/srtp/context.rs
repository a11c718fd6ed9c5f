//! The session keys of one direction of a transport.

use std::fmt;

use super::aes_cm::AesCm;
use super::gcm::Gcm;
use super::kdf::{Derivation, Labels};
use super::{KeyError, ProtectionProfile};

/// Protects the packets that we send to one peer.
///
/// It counts the SRTCP packets by itself. The RTP indices are counted by a [`super::SealStream`] per SSRC, of which
/// there must be no more than one for each SSRC over the context's whole life: a second one would not know which
/// indices the first has used.
pub struct SealContext {
    pub(super) profile: ProtectionProfile,
    pub(super) rtp: Cipher,
    pub(super) rtcp: Cipher,
    /// The index of the next SRTCP packet. One counter for all SSRCs, so that no SSRC can use an index twice.
    pub(super) next_rtcp_index: u32,
}

impl SealContext {
    /// Derives the session keys.
    ///
    /// # Errors
    /// [`KeyError`] when the key or the salt has not the profile's length.
    pub fn new(profile: ProtectionProfile, key: &[u8], salt: &[u8]) -> Result<Self, KeyError> {
        let (rtp, rtcp) = ciphers(profile, key, salt)?;
        Ok(Self { profile, rtp, rtcp, next_rtcp_index: 0 })
    }

    /// The profile in use.
    pub fn profile(&self) -> ProtectionProfile {
        self.profile
    }
}

impl fmt::Debug for SealContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealContext").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Verifies and decrypts the packets that one peer sends.
pub struct OpenContext {
    pub(super) profile: ProtectionProfile,
    pub(super) rtp: Cipher,
    pub(super) rtcp: Cipher,
}

impl OpenContext {
    /// Derives the session keys.
    ///
    /// # Errors
    /// [`KeyError`] when the key or the salt has not the profile's length.
    pub fn new(profile: ProtectionProfile, key: &[u8], salt: &[u8]) -> Result<Self, KeyError> {
        let (rtp, rtcp) = ciphers(profile, key, salt)?;
        Ok(Self { profile, rtp, rtcp })
    }

    /// The profile in use.
    pub fn profile(&self) -> ProtectionProfile {
        self.profile
    }
}

impl fmt::Debug for OpenContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenContext").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// The session keys of SRTP or of SRTCP.
pub(super) enum Cipher {
    Gcm(Box<Gcm>),
    AesCm(Box<AesCm>),
}

fn ciphers(profile: ProtectionProfile, key: &[u8], salt: &[u8]) -> Result<(Cipher, Cipher), KeyError> {
    let key_error = KeyError::KeyLength { expected: profile.key_len(), actual: key.len() };
    if key.len() != profile.key_len() {
        return Err(key_error);
    }
    if salt.len() != profile.salt_len() {
        return Err(KeyError::SaltLength { expected: profile.salt_len(), actual: salt.len() });
    }
    let derivation = Derivation::new(key, salt).ok_or(key_error)?;
    let cipher = |labels| match profile {
        ProtectionProfile::AeadAes128Gcm => Gcm::aes_128(&derivation, labels).map(Box::new).map(Cipher::Gcm),
        ProtectionProfile::AeadAes256Gcm => Gcm::aes_256(&derivation, labels).map(Box::new).map(Cipher::Gcm),
        ProtectionProfile::Aes128CmHmacSha1_80 => AesCm::new(&derivation, labels).map(Box::new).map(Cipher::AesCm),
    };
    Ok((cipher(Labels::RTP).ok_or(key_error)?, cipher(Labels::RTCP).ok_or(key_error)?))
}
