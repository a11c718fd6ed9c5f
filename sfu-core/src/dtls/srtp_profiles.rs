//! How `use_srtp` (RFC 5764 section 4.1.1) and the crate name the protection profiles, and which one we take.

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;

use crate::srtp::ProtectionProfile;

/// The one we prefer among the code points that a peer offers.
pub(super) fn best_of(offered: &[u16]) -> Option<ProtectionProfile> {
    ProtectionProfile::ALL.into_iter().find(|profile| offered.contains(&code_point(*profile)))
}

/// The profile that the crate has negotiated.
pub(super) fn from_crate(negotiated: SrtpProtectionProfile) -> Option<ProtectionProfile> {
    ProtectionProfile::ALL.into_iter().find(|profile| to_crate(*profile) == negotiated)
}

/// What the crate calls the profile.
pub(super) fn to_crate(profile: ProtectionProfile) -> SrtpProtectionProfile {
    match profile {
        ProtectionProfile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        ProtectionProfile::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        ProtectionProfile::Aes128CmHmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    }
}

/// The code point in `use_srtp` (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
fn code_point(profile: ProtectionProfile) -> u16 {
    match profile {
        ProtectionProfile::AeadAes128Gcm => 0x0007,
        ProtectionProfile::AeadAes256Gcm => 0x0008,
        ProtectionProfile::Aes128CmHmacSha1_80 => 0x0001,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_preference_wins_over_the_order_offered() {
        assert_eq!(best_of(&[1, 8, 7]), Some(ProtectionProfile::AeadAes128Gcm));
        assert_eq!(best_of(&[1, 8]), Some(ProtectionProfile::AeadAes256Gcm));
        assert_eq!(best_of(&[2, 1]), Some(ProtectionProfile::Aes128CmHmacSha1_80));
        assert_eq!(best_of(&[2, 5]), None);
        assert_eq!(best_of(&[]), None);
    }
}
