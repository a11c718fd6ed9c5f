//! A peer's DTLS: the bare crate, made proof against loss in the simplest way there is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::RingProvider;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile as TheirProfile;
use sfu_core::dtls::{Fingerprint, Role};
use sfu_core::parameters::{DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm};
use sfu_core::srtp::ProtectionProfile;

/// The last flight is repeated this often until the handshake is done.
const RESEND_INTERVAL: Duration = Duration::from_millis(100);
/// Datagrams that may come late or again and are still taken.
const REPLAY_WINDOW: usize = 1024;

/// One peer's association.
pub struct PeerDtls {
    endpoint: Endpoint,
    role: Role,
    der: Vec<u8>,
    last_flight: Vec<Vec<u8>>,
    resend_at: Option<Instant>,
    outbox: Vec<Vec<u8>>,
    /// The handshake is done.
    pub is_complete: bool,
    /// The core said `close_notify`, or a fatal alert.
    pub is_closed: bool,
}

/// What the exporter gave: for each direction a master key and salt.
pub struct PeerKeys {
    /// What was agreed on.
    pub profile: ProtectionProfile,
    /// Ours to send with.
    pub send: (Vec<u8>, Vec<u8>),
    /// Theirs to open with.
    pub receive: (Vec<u8>, Vec<u8>),
}

impl PeerDtls {
    const CORE: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(203, 0, 113, 9), 4433));

    /// An association that does nothing yet.
    pub fn new(role: Role, profiles: &[SrtpProtectionProfile]) -> (Self, Arc<rtc_dtls::config::HandshakeConfig>) {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let certificate =
            rtc_dtls::crypto::Certificate::generate_self_signed(vec!["peer".to_owned()], provider.crypto()).unwrap();
        let der = certificate.certificate[0].to_vec();
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(profiles.to_vec())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .build(role == Role::Client, Some(Self::CORE))
            .unwrap();
        let config = Arc::new(config);
        let server = (role == Role::Server).then(|| Arc::clone(&config));
        let dtls = Self {
            endpoint: Endpoint::new(Self::CORE, TransportProtocol::UDP, server),
            role,
            der,
            last_flight: Vec::new(),
            resend_at: None,
            outbox: Vec::new(),
            is_complete: false,
            is_closed: false,
        };
        (dtls, config)
    }

    /// What is signalled of us.
    pub fn parameters(&self) -> DtlsParameters {
        let fingerprint = Fingerprint::of(FingerprintAlgorithm::Sha256, &self.der);
        DtlsParameters {
            role: if self.role == Role::Client { DtlsRole::Client } else { DtlsRole::Server },
            fingerprints: vec![DtlsFingerprint::from(&fingerprint)],
        }
    }

    /// As a client, sends the ClientHello.
    pub fn start(&mut self, now: Instant, config: Arc<rtc_dtls::config::HandshakeConfig>) {
        if self.role == Role::Client {
            self.endpoint.connect(now, Self::CORE, config, None).unwrap();
            self.gather(now);
        }
    }

    /// Takes a datagram of the core.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) {
        let is_handshake = datagram.first() == Some(&22);
        match self.endpoint.read(now, Self::CORE, None, datagram.into()) {
            Ok(events) => {
                for event in events {
                    self.is_complete |= matches!(event, EndpointEvent::HandshakeComplete);
                    self.is_closed |= matches!(event, EndpointEvent::PeerClosed);
                }
            }
            Err(_) => self.is_closed |= datagram.first() == Some(&21),
        }
        // The core repeats its flight: ours was lost.
        if !self.gather(now) && is_handshake && self.is_complete {
            self.outbox.extend(self.last_flight.iter().cloned());
        }
        if self.is_complete {
            self.resend_at = None;
        }
    }

    /// Repeats the last flight if it is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.resend_at.is_some_and(|at| at <= now) {
            self.resend_at = Some(now + RESEND_INTERVAL);
            self.outbox.extend(self.last_flight.iter().cloned());
        }
    }

    /// When a flight is to be repeated.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.resend_at
    }

    /// The next datagram for the core.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.outbox.is_empty()).then(|| self.outbox.remove(0))
    }

    /// Says `close_notify`.
    pub fn close(&mut self, now: Instant) {
        drop(self.endpoint.stop(now, Self::CORE));
        self.gather(now);
    }

    /// The keys, once the handshake is done.
    pub fn keys(&self) -> Option<PeerKeys> {
        let state = self.endpoint.get_connection_state(Self::CORE).filter(|_| self.is_complete)?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => ProtectionProfile::AeadAes256Gcm,
            _ => ProtectionProfile::Aes128CmHmacSha1_80,
        };
        let (key_len, salt_len) = (profile.key_len(), profile.salt_len());
        let material = state
            .export_keying_material("EXTRACTOR-dtls_srtp", &[], 2 * (key_len + salt_len))
            .unwrap()
            .as_ref()
            .to_vec();
        let (client_key, rest) = material.split_at(key_len);
        let (server_key, rest) = rest.split_at(key_len);
        let (client_salt, server_salt) = rest.split_at(salt_len);
        let client = (client_key.to_vec(), client_salt.to_vec());
        let server = (server_key.to_vec(), server_salt.to_vec());
        let (send, receive) = if self.role == Role::Client { (client, server) } else { (server, client) };
        Some(PeerKeys { profile, send, receive })
    }

    /// Takes what the crate wants sent. Whether there was anything.
    fn gather(&mut self, now: Instant) -> bool {
        let flight: Vec<Vec<u8>> =
            std::iter::from_fn(|| self.endpoint.poll_transmit()).map(|transmit| transmit.message.to_vec()).collect();
        if flight.is_empty() {
            return false;
        }
        self.outbox.extend(flight.iter().cloned());
        self.last_flight = flight;
        self.resend_at = Some(now + RESEND_INTERVAL);
        true
    }
}

/// The crate's context for one direction.
pub fn srtp_context(profile: ProtectionProfile, (key, salt): &(Vec<u8>, Vec<u8>)) -> Context {
    let theirs = match profile {
        ProtectionProfile::AeadAes128Gcm => TheirProfile::AeadAes128Gcm,
        ProtectionProfile::AeadAes256Gcm => TheirProfile::AeadAes256Gcm,
        ProtectionProfile::Aes128CmHmacSha1_80 => TheirProfile::Aes128CmHmacSha1_80,
    };
    let provider = rtc_crypto::default_provider().unwrap();
    let replay = (srtp_replay_protection(REPLAY_WINDOW), srtcp_replay_protection(REPLAY_WINDOW));
    Context::new(key, salt, theirs, Some(replay.0), Some(replay.1), provider.crypto()).unwrap()
}
