//! Our certificate: made once per process and shared by all transports.

use std::fmt;
use std::sync::Arc;

use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::RingProvider;
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use thiserror::Error;

use super::fingerprint::Fingerprint;
use super::limits::{MTU_BYTES, RESEND_INTERVAL};
use super::srtp_profiles;
use crate::parameters::FingerprintAlgorithm;
use crate::srtp::ProtectionProfile;

/// The subject. Peers compare fingerprints; nobody reads it.
const SUBJECT: &str = "sluice.invalid";

/// The cipher suites we accept, best first: authenticated encryption with forward secrecy only. The first is the one
/// that every WebRTC endpoint must have (RFC 8827 section 6.5); the RSA ones serve when the *peer* is the server.
const CIPHER_SUITES: [CipherSuiteId; 4] = [
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_ChaCha20_Poly1305_Sha256,
];

/// A self-signed ECDSA P-256 certificate with its key and the handshake configurations built on it. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
    fingerprints: Vec<Fingerprint>,
    client: Arc<HandshakeConfig>,
    /// One per profile, in the order of [`ProtectionProfile::ALL`]: as a server the crate follows the client's order, so
    /// it is offered the one profile that we chose.
    servers: [Arc<HandshakeConfig>; 3],
}

impl Certificate {
    /// Makes a new key and certificate, about 0.1 ms. This and the handshake's own keys, nonces and cookies come from
    /// ring's system randomness: secrets must not be replayable from a seed. The certificate's dates span centuries,
    /// so no clock is read; peers check its fingerprint only.
    ///
    /// # Errors
    /// Ours: the system has no randomness, or the crates refuse the parameters above.
    pub fn generate() -> Result<Self, CertificateError> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let certificate =
            rtc_dtls::crypto::Certificate::generate_self_signed(vec![SUBJECT.to_owned()], provider.crypto())
                .map_err(|error| CertificateError::Generate(error.to_string()))?;
        let der = certificate.certificate.first().map(|der| der.to_vec()).ok_or(CertificateError::Empty)?;

        let build = |is_client: bool, profiles: &[ProtectionProfile]| {
            ConfigBuilder::default()
                .with_crypto_provider(provider.clone())
                .with_certificates(vec![certificate.clone()])
                .with_cipher_suites(CIPHER_SUITES.to_vec())
                .with_srtp_protection_profiles(profiles.iter().copied().map(srtp_profiles::to_crate).collect())
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                // RFC 7627: binds the master secret, and so the exported SRTP keys, to the certificates.
                .with_extended_master_secret(ExtendedMasterSecretType::Require)
                // There is no chain to verify: the fingerprint vouches. Without this the crate makes a CA key each
                // time.
                .with_insecure_skip_verify(true)
                .with_flight_interval(RESEND_INTERVAL)
                .with_mtu(MTU_BYTES)
                // Else the crate names the pretended address in the server_name extension.
                .with_server_name(SUBJECT.to_owned())
                .build(is_client, None)
                .map(Arc::new)
                .map_err(|error| CertificateError::Configure(error.to_string()))
        };
        let [first, second, third] = ProtectionProfile::ALL;
        Ok(Self(Arc::new(Inner {
            fingerprints: FingerprintAlgorithm::ALL.map(|algorithm| Fingerprint::of(algorithm, &der)).to_vec(),
            der,
            client: build(true, &ProtectionProfile::ALL)?,
            servers: [build(false, &[first])?, build(false, &[second])?, build(false, &[third])?],
        })))
    }

    /// What to signal: one fingerprint for each hash algorithm, sha-256 first.
    pub fn fingerprints(&self) -> &[Fingerprint] {
        &self.0.fingerprints
    }

    /// The certificate in DER, as it goes over the wire.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    pub(super) fn client_config(&self) -> Arc<HandshakeConfig> {
        self.0.client.clone()
    }

    pub(super) fn server_config(&self, profile: ProtectionProfile) -> Arc<HandshakeConfig> {
        let [first, second, third] = &self.0.servers;
        match profile {
            ProtectionProfile::AeadAes128Gcm => first.clone(),
            ProtectionProfile::AeadAes256Gcm => second.clone(),
            ProtectionProfile::Aes128CmHmacSha1_80 => third.clone(),
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.0.fingerprints.first()).finish()
    }
}

/// Why there is no certificate. Always our own fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// Key or certificate could not be made.
    #[error("our DTLS certificate could not be made: {0}")]
    Generate(String),
    /// The chain has no certificate.
    #[error("our DTLS certificate chain is empty")]
    Empty,
    /// The handshake configuration was refused.
    #[error("our DTLS configuration was refused: {0}")]
    Configure(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_one_certificate_across_threads() {
        fn shareable<T: Send + Sync + Clone>() {}
        shareable::<Certificate>();
    }

    #[test]
    fn three_fingerprints_vouch_for_the_der_and_clones_share_it() {
        let certificate = Certificate::generate().unwrap();
        assert_eq!(certificate.fingerprints().len(), 3);
        for (fingerprint, algorithm) in certificate.fingerprints().iter().zip(FingerprintAlgorithm::ALL) {
            assert_eq!(*fingerprint, Fingerprint::of(algorithm, certificate.der()));
        }
        assert!(Arc::ptr_eq(&certificate.0, &certificate.clone().0));
        assert_ne!(Certificate::generate().unwrap().der(), certificate.der());
    }
}
