//! The SRTP master keys of both directions, out of the DTLS exporter (RFC 5764 section 4.2).

use std::fmt;

use zeroize::Zeroizing;

use super::types::Role;
use crate::srtp::{KeyError, OpenContext, ProtectionProfile, SealContext};

/// The exporter's label (RFC 5764 section 4.2).
pub(super) const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// The master keys and salts of one association. Never printed; wiped from memory when dropped.
pub struct SrtpKeys {
    profile: ProtectionProfile,
    role: Role,
    /// Client key, server key, client salt, server salt.
    material: Zeroizing<Vec<u8>>,
}

impl SrtpKeys {
    /// Takes over what the exporter gave to the side that had `role` in the handshake.
    ///
    /// # Errors
    /// [`KeyError::MaterialLength`] unless it has [`ProtectionProfile::keying_material_len`] bytes.
    pub(super) fn new(profile: ProtectionProfile, role: Role, material: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let (expected, actual) = (profile.keying_material_len(), material.len());
        if actual != expected {
            return Err(KeyError::MaterialLength { expected, actual });
        }
        Ok(Self { profile, role, material })
    }

    /// Which cipher the keys are for.
    pub fn profile(&self) -> ProtectionProfile {
        self.profile
    }

    /// The contexts to send and to receive with. Ask once for each association: two contexts with one key would use the
    /// same indices.
    ///
    /// # Errors
    /// None for keys that an association has given out.
    pub fn contexts(&self) -> Result<(SealContext, OpenContext), KeyError> {
        let (key_len, salt_len) = (self.profile.key_len(), self.profile.salt_len());
        let (client_key, rest) = self.material.split_at(key_len);
        let (server_key, rest) = rest.split_at(key_len);
        let (client_salt, server_salt) = rest.split_at(salt_len);
        let (local, remote) = match self.role {
            Role::Client => ((client_key, client_salt), (server_key, server_salt)),
            Role::Server => ((server_key, server_salt), (client_key, client_salt)),
        };
        Ok((SealContext::new(self.profile, local.0, local.1)?, OpenContext::new(self.profile, remote.0, remote.1)?))
    }
}

impl fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKeys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::tests::opens;

    fn keys(profile: ProtectionProfile, role: Role) -> SrtpKeys {
        let material: Vec<u8> = (0..profile.keying_material_len() as u8).collect();
        SrtpKeys::new(profile, role, Zeroizing::new(material)).unwrap()
    }

    #[test]
    fn each_side_opens_what_the_other_seals_and_not_its_own() {
        for profile in ProtectionProfile::ALL {
            let (client_seal, client_open) = keys(profile, Role::Client).contexts().unwrap();
            let (server_seal, server_open) = keys(profile, Role::Server).contexts().unwrap();
            assert!(opens(&client_seal, &server_open) && opens(&server_seal, &client_open));
            assert!(!opens(&client_seal, &client_open) && !opens(&server_seal, &server_open));
        }
    }

    /// RFC 5764 section 4.2: client key, server key, client salt, server salt.
    #[test]
    fn the_material_is_split_in_the_standards_order() {
        for profile in ProtectionProfile::ALL {
            let (key_len, salt_len) = (profile.key_len(), profile.salt_len());
            let bytes = |from: usize, len: usize| (from as u8..(from + len) as u8).collect::<Vec<u8>>();
            let (client_seal, client_open) = keys(profile, Role::Client).contexts().unwrap();
            let (client_key, client_salt) = (bytes(0, key_len), bytes(2 * key_len, salt_len));
            assert!(opens(&client_seal, &OpenContext::new(profile, &client_key, &client_salt).unwrap()));
            let (server_key, server_salt) = (bytes(key_len, key_len), bytes(2 * key_len + salt_len, salt_len));
            assert!(opens(&SealContext::new(profile, &server_key, &server_salt).unwrap(), &client_open));
        }
    }

    #[test]
    fn material_of_the_wrong_length_is_refused_and_never_printed() {
        let profile = ProtectionProfile::AeadAes128Gcm;
        for actual in [0, 55, 57, 60] {
            let refused = SrtpKeys::new(profile, Role::Client, Zeroizing::new(vec![0; actual])).unwrap_err();
            assert_eq!(refused, KeyError::MaterialLength { expected: 56, actual });
        }
        let keys = SrtpKeys::new(profile, Role::Client, Zeroizing::new(vec![0xab; 56])).unwrap();
        let text = format!("{keys:?} {:?}", keys.contexts().unwrap());
        assert!(!text.contains("171") && !text.to_lowercase().contains("ab, ab"), "{text}");
    }
}
