//! The master keys of both directions, out of the DTLS exporter (RFC 5764 section 4.2).

use std::fmt;

use zeroize::Zeroizing;

use super::{KeyError, OpenContext, ProtectionProfile, SealContext};

/// The label under which DTLS exports SRTP keys (RFC 5764 section 4.2).
pub const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Which side of the DTLS handshake somebody was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsSide {
    /// Sent the ClientHello.
    Client,
    /// Answered it.
    Server,
}

/// What DTLS exported for SRTP. Wiped from memory when dropped, and never printed.
pub struct KeyingMaterial {
    profile: ProtectionProfile,
    exported: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for KeyingMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyingMaterial").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl KeyingMaterial {
    /// Takes the exporter's output over: client key, server key, client salt, server salt.
    ///
    /// # Errors
    /// [`KeyError::MaterialLength`] unless it has [`ProtectionProfile::keying_material_len`] bytes.
    pub fn new(profile: ProtectionProfile, exported: Vec<u8>) -> Result<Self, KeyError> {
        let exported = Zeroizing::new(exported);
        let (expected, actual) = (profile.keying_material_len(), exported.len());
        if actual != expected {
            return Err(KeyError::MaterialLength { expected, actual });
        }
        Ok(Self { profile, exported })
    }

    /// The contexts to send and to receive with, for the side that we were in the handshake.
    ///
    /// # Errors
    /// None for material that [`KeyingMaterial::new`] accepted.
    pub fn contexts(&self, us: DtlsSide) -> Result<(SealContext, OpenContext), KeyError> {
        let (key_len, salt_len) = (self.profile.key_len(), self.profile.salt_len());
        let (client_key, rest) = self.exported.split_at(key_len);
        let (server_key, rest) = rest.split_at(key_len);
        let (client_salt, server_salt) = rest.split_at(salt_len);
        let (local, remote) = match us {
            DtlsSide::Client => ((client_key, client_salt), (server_key, server_salt)),
            DtlsSide::Server => ((server_key, server_salt), (client_key, client_salt)),
        };
        Ok((SealContext::new(self.profile, local.0, local.1)?, OpenContext::new(self.profile, remote.0, remote.1)?))
    }
}
