//! SRTP protection profiles and keys as DTLS-SRTP gives them (RFC 5764, RFC 7714).

use std::fmt;
use std::hint::black_box;

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;

use super::types::Role;

/// The exporter's label (RFC 5764 section 4.2).
pub(super) const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// An SRTP protection profile that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SrtpProfile {
    /// `SRTP_AEAD_AES_128_GCM` (RFC 7714 section 14.2): preferred, a quarter of the cost of AES-CM with HMAC.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM` (RFC 7714 section 14.2).
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80` (RFC 5764 section 4.1.2): what every WebRTC peer has.
    Aes128CmHmacSha1_80,
}

impl SrtpProfile {
    /// In our order of preference.
    pub const PREFERENCE: [Self; 3] = [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::Aes128CmHmacSha1_80];

    /// The code point in `use_srtp`.
    pub fn code_point(self) -> u16 {
        match self {
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
            Self::Aes128CmHmacSha1_80 => 0x0001,
        }
    }

    /// Bytes of a master key.
    pub fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::Aes128CmHmacSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of a master salt.
    pub fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::Aes128CmHmacSha1_80 => 14,
        }
    }

    /// The one we prefer among the code points that a peer offers.
    pub(super) fn best_of(offered: &[u16]) -> Option<Self> {
        Self::PREFERENCE.into_iter().find(|profile| offered.contains(&profile.code_point()))
    }

    pub(super) fn from_crate(profile: SrtpProtectionProfile) -> Option<Self> {
        Self::PREFERENCE.into_iter().find(|ours| ours.to_crate() == profile)
    }

    pub(super) fn to_crate(self) -> SrtpProtectionProfile {
        match self {
            Self::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            Self::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            Self::Aes128CmHmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        }
    }
}

impl fmt::Display for SrtpProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::Aes128CmHmacSha1_80 => "AES128_CM_HMAC_SHA1_80",
        })
    }
}

/// The master keys and salts of one association. Never printed; overwritten when dropped.
pub struct SrtpKeys {
    profile: SrtpProfile,
    role: Role,
    /// Client key, server key, client salt, server salt (RFC 5764 section 4.2).
    material: Vec<u8>,
}

impl SrtpKeys {
    /// The length of the exporter's output for `profile`, in bytes.
    pub(super) fn material_len(profile: SrtpProfile) -> usize {
        2 * (profile.key_len() + profile.salt_len())
    }

    /// Takes the exporter's output, which must have [`Self::material_len`] bytes.
    pub(super) fn new(profile: SrtpProfile, role: Role, material: &[u8]) -> Option<Self> {
        (material.len() == Self::material_len(profile)).then(|| Self { profile, role, material: material.to_vec() })
    }

    /// Which cipher the keys are for.
    pub fn profile(&self) -> SrtpProfile {
        self.profile
    }

    /// The master key that protects what we send.
    pub fn local_key(&self) -> &[u8] {
        self.key(self.role)
    }

    /// The master salt that goes with [`Self::local_key`].
    pub fn local_salt(&self) -> &[u8] {
        self.salt(self.role)
    }

    /// The master key that protects what the peer sends.
    pub fn remote_key(&self) -> &[u8] {
        self.key(self.role.other())
    }

    /// The master salt that goes with [`Self::remote_key`].
    pub fn remote_salt(&self) -> &[u8] {
        self.salt(self.role.other())
    }

    fn key(&self, writer: Role) -> &[u8] {
        let len = self.profile.key_len();
        let start = if writer == Role::Client { 0 } else { len };
        &self.material[start..start + len]
    }

    fn salt(&self, writer: Role) -> &[u8] {
        let len = self.profile.salt_len();
        let start = 2 * self.profile.key_len() + if writer == Role::Client { 0 } else { len };
        &self.material[start..start + len]
    }
}

impl fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKeys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl Drop for SrtpKeys {
    fn drop(&mut self) {
        self.material.fill(0);
        // Keeps the optimiser from dropping stores to memory that is about to be freed.
        black_box(&self.material);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exporter_output_is_split_by_role() {
        for profile in SrtpProfile::PREFERENCE {
            let (key, salt) = (profile.key_len(), profile.salt_len());
            let mut material = vec![1; key];
            material.extend(vec![2; key]);
            material.extend(vec![3; salt]);
            material.extend(vec![4; salt]);
            let client = SrtpKeys::new(profile, Role::Client, &material).unwrap();
            assert_eq!(client.local_key(), vec![1; key]);
            assert_eq!(client.remote_key(), vec![2; key]);
            assert_eq!(client.local_salt(), vec![3; salt]);
            assert_eq!(client.remote_salt(), vec![4; salt]);
            let server = SrtpKeys::new(profile, Role::Server, &material).unwrap();
            assert_eq!((server.local_key(), server.local_salt()), (client.remote_key(), client.remote_salt()));
            assert_eq!((server.remote_key(), server.remote_salt()), (client.local_key(), client.local_salt()));
            assert!(SrtpKeys::new(profile, Role::Client, &material[1..]).is_none());
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let material = [0xab; 56];
        let keys = SrtpKeys::new(SrtpProfile::AeadAes128Gcm, Role::Client, &material).unwrap();
        let text = format!("{keys:?}");
        assert!(!text.contains("171") && !text.to_lowercase().contains("ab, ab"), "{text}");
    }

    #[test]
    fn our_preference_wins_over_the_order_offered() {
        assert_eq!(SrtpProfile::best_of(&[1, 8, 7]), Some(SrtpProfile::AeadAes128Gcm));
        assert_eq!(SrtpProfile::best_of(&[1, 8]), Some(SrtpProfile::AeadAes256Gcm));
        assert_eq!(SrtpProfile::best_of(&[2, 1]), Some(SrtpProfile::Aes128CmHmacSha1_80));
        assert_eq!(SrtpProfile::best_of(&[2, 5]), None);
        assert_eq!(SrtpProfile::best_of(&[]), None);
    }
}
