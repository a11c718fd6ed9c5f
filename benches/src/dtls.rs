//! The DTLS client's certificate and handshake, and the SRTP keys that come of it (RFC 5764).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::RingProvider;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;

use crate::srtp::{KEY_BYTES, Keys, SALT_BYTES};

/// When a flight that nothing came of is sent again. The crate's own timer stops for good when a flight is answered in part.
pub const RESEND_INTERVAL: Duration = Duration::from_millis(100);

/// Under which DTLS exports SRTP keys (RFC 5764 section 4.2).
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// A handshake that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DtlsError(String);

/// What all peers of a run share: making a certificate for each would take longer than the run.
#[derive(Clone)]
pub struct Identity {
    config: Arc<HandshakeConfig>,
    /// SHA-256 of the certificate, as signalling writes it: `AB:CD:…`.
    pub fingerprint: String,
}

/// One handshake as a client.
pub struct Handshake {
    endpoint: Endpoint,
    remote: SocketAddr,
    last_flight: Vec<Vec<u8>>,
    outbox: Vec<Vec<u8>>,
    is_complete: bool,
}

/// The keys of both directions.
#[derive(Debug)]
pub struct SrtpKeys {
    /// Ours.
    pub send: Keys,
    /// The server's.
    pub receive: Keys,
}

impl Identity {
    /// Makes a certificate.
    ///
    /// # Errors
    /// The cryptography's.
    pub fn generate() -> Result<Self, DtlsError> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let certificate =
            rtc_dtls::crypto::Certificate::generate_self_signed(vec!["bench".to_owned()], provider.crypto())
                .map_err(error)?;
        let der = certificate.certificate.first().ok_or_else(|| error("an empty certificate"))?;
        let octets: Vec<String> = digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        let fingerprint = octets.join(":");
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            // A load generator has nothing to protect from the server that it loads.
            .with_insecure_skip_verify(true)
            .with_flight_interval(RESEND_INTERVAL)
            .build(true, None)
            .map_err(error)?;
        Ok(Self { config: Arc::new(config), fingerprint })
    }
}

impl Handshake {
    /// Begins a handshake; there is something to send at once.
    ///
    /// # Errors
    /// The crate's.
    pub fn begin(now: Instant, identity: &Identity, local: SocketAddr, remote: SocketAddr) -> Result<Self, DtlsError> {
        let mut endpoint = Endpoint::new(local, TransportProtocol::UDP, None);
        endpoint.connect(now, remote, Arc::clone(&identity.config), None).map_err(error)?;
        let mut handshake = Self { endpoint, remote, last_flight: Vec::new(), outbox: Vec::new(), is_complete: false };
        handshake.gather();
        Ok(handshake)
    }

    /// Takes a datagram of the server.
    ///
    /// # Errors
    /// The server ended the handshake, or broke it.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        let events = self.endpoint.read(now, self.remote, None, datagram.into()).map_err(error)?;
        self.is_complete |= events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete));
        self.gather();
        Ok(())
    }

    /// Nothing came within [`RESEND_INTERVAL`]: sends the last flight again.
    pub fn handle_silence(&mut self) {
        self.outbox.extend(self.last_flight.iter().cloned());
    }

    /// What is to be sent now.
    pub fn drain_outbox(&mut self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.outbox.drain(..)
    }

    /// The keys, once the handshake is done.
    ///
    /// # Errors
    /// The server agreed to no profile of ours.
    pub fn keys(&self) -> Result<Option<SrtpKeys>, DtlsError> {
        if !self.is_complete {
            return Ok(None);
        }
        let state = self.endpoint.get_connection_state(self.remote).ok_or_else(|| error("the connection is gone"))?;
        if state.srtp_protection_profile() != SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm {
            return Err(error("the server does not speak SRTP_AEAD_AES_128_GCM, the only profile of this client"));
        }
        let material =
            state.export_keying_material(EXPORTER_LABEL, &[], 2 * (KEY_BYTES + SALT_BYTES)).map_err(error)?;
        // Client key, server key, client salt, server salt (RFC 5764 section 4.2).
        let short = || error("too little keying material");
        let (client_key, rest) = material.as_ref().split_first_chunk().ok_or_else(short)?;
        let (server_key, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (client_salt, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (server_salt, _) = rest.split_first_chunk().ok_or_else(short)?;
        Ok(Some(SrtpKeys {
            send: Keys::derive(client_key, client_salt),
            receive: Keys::derive(server_key, server_salt),
        }))
    }

    fn gather(&mut self) {
        let flight: Vec<Vec<u8>> =
            std::iter::from_fn(|| self.endpoint.poll_transmit()).map(|transmit| transmit.message.to_vec()).collect();
        if !flight.is_empty() {
            self.outbox.extend(flight.iter().cloned());
            self.last_flight = flight;
        }
    }
}

fn error(error: impl std::fmt::Display) -> DtlsError {
    DtlsError(error.to_string())
}
