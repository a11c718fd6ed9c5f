//! A peer's association: connectivity checks, the DTLS handshake as a client, and the SRTP keys.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::{RingCrypto, RingProvider};
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};
use sfu_core::dtls::Fingerprint;
use sfu_core::engine::WebRtcTransport;
use sfu_core::parameters::{DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm};
use sfu_core::srtp::{OpenContext, ProtectionProfile, SealContext};
use tokio::net::UdpSocket;

/// How long a peer may take to connect; on loopback it takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// When an unanswered check or handshake flight is sent again.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// How often consent is refreshed: the server takes a peer for gone after 30 s (RFC 7675).
pub const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// How a success response to a binding request begins (RFC 8489 section 5).
const BINDING_SUCCESS: [u8; 2] = [1, 1];
/// Longer than any datagram here.
pub const MAX_DATAGRAM_BYTES: usize = 2048;

/// Under which DTLS exports SRTP keys (RFC 5764 section 4.2).
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Why a peer did not connect.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The transport has no UDP candidate with an IP address.
    #[error("the transport has no UDP candidate")]
    NoCandidate,
    /// A socket failed.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    /// A check could not be written.
    #[error("STUN: {0}")]
    Stun(String),
    /// The handshake failed.
    #[error("DTLS: {0}")]
    Dtls(String),
    /// The server refused a call.
    #[error("connect: {0}")]
    Refused(#[from] sfu_core::engine::ConnectError),
    /// Nothing came in time.
    #[error("not connected within {CONNECT_TIMEOUT:?}")]
    TimedOut,
}

/// What all peers of a run share: making a certificate for each would take longer than the run.
#[derive(Clone)]
pub struct Identity {
    config: Arc<HandshakeConfig>,
    fingerprint: DtlsFingerprint,
    profile: ProtectionProfile,
}

/// A connected peer.
pub struct Client {
    /// Connected to the transport's UDP candidate.
    pub socket: UdpSocket,
    /// For what it sends.
    pub seal: SealContext,
    /// For what it is sent.
    pub open: OpenContext,
    check: Vec<u8>,
}

impl Identity {
    /// Makes a certificate, for handshakes that offer one SRTP profile.
    ///
    /// # Errors
    /// [`ClientError::Dtls`].
    pub fn generate(profile: ProtectionProfile) -> Result<Self, ClientError> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let certificate =
            rtc_dtls::crypto::Certificate::generate_self_signed(vec!["bench".to_owned()], provider.crypto())
                .map_err(dtls)?;
        let der = certificate.certificate.first().ok_or_else(|| dtls("an empty certificate"))?;
        let fingerprint = DtlsFingerprint::from(&Fingerprint::of(FingerprintAlgorithm::Sha256, der));
        let offered = match profile {
            ProtectionProfile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            ProtectionProfile::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            ProtectionProfile::Aes128CmHmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![offered])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            // The server runs in this very process.
            .with_insecure_skip_verify(true)
            .with_flight_interval(RETRY_INTERVAL)
            .build(true, None)
            .map_err(dtls)?;
        Ok(Self { config: Arc::new(config), fingerprint, profile })
    }
}

impl Client {
    /// Connects a peer to `transport`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn connect(transport: &WebRtcTransport, identity: &Identity) -> Result<Self, ClientError> {
        let fingerprints = vec![identity.fingerprint.clone()];
        transport.connect(DtlsParameters { role: DtlsRole::Client, fingerprints }).await?;
        let remote = transport
            .ice_candidates()
            .iter()
            .filter(|candidate| candidate.tcp_type.is_none())
            .find_map(|candidate| Some(SocketAddr::new(candidate.address.parse().ok()?, candidate.port)))
            .ok_or(ClientError::NoCandidate)?;
        let unspecified: SocketAddr = if remote.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
        let socket = UdpSocket::bind(unspecified).await?;
        socket.connect(remote).await?;
        let check = check(transport)?;
        let handshake = handshake(&socket, remote, &check, identity);
        let (seal, open) =
            tokio::time::timeout(CONNECT_TIMEOUT, handshake).await.map_err(|_| ClientError::TimedOut)??;
        Ok(Self { socket, seal, open, check })
    }

    /// Refreshes consent: to be called every [`CONSENT_INTERVAL`].
    ///
    /// # Errors
    /// The socket's.
    pub async fn consent(&self) -> std::io::Result<()> {
        self.socket.send(&self.check).await.map(drop)
    }
}

async fn handshake(
    socket: &UdpSocket,
    remote: SocketAddr,
    check: &[u8],
    identity: &Identity,
) -> Result<(SealContext, OpenContext), ClientError> {
    let local = socket.local_addr()?;
    let mut buffer = [0; MAX_DATAGRAM_BYTES];
    // The path first: the server looks at nothing else before.
    loop {
        socket.send(check).await?;
        if let Ok(received) = tokio::time::timeout(RETRY_INTERVAL, socket.recv(&mut buffer)).await
            && buffer.get(..received?).is_some_and(|answer| answer.starts_with(&BINDING_SUCCESS))
        {
            break;
        }
    }
    let mut endpoint = Endpoint::new(local, TransportProtocol::UDP, None);
    endpoint.connect(Instant::now(), remote, Arc::clone(&identity.config), None).map_err(dtls)?;
    loop {
        while let Some(transmit) = endpoint.poll_transmit() {
            socket.send(&transmit.message).await?;
        }
        let wake_at = endpoint.poll_timeout(&remote).unwrap_or_else(|| Instant::now() + RETRY_INTERVAL);
        let Ok(received) = tokio::time::timeout_at(wake_at.into(), socket.recv(&mut buffer)).await else {
            endpoint.handle_timeout(remote, Instant::now()).map_err(dtls)?;
            continue;
        };
        let Some(datagram @ [20..=63, ..]) = buffer.get(..received?) else { continue };
        let events = endpoint.read(Instant::now(), remote, None, datagram.into()).map_err(dtls)?;
        if events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) {
            break;
        }
    }
    while let Some(transmit) = endpoint.poll_transmit() {
        socket.send(&transmit.message).await?;
    }
    let state = endpoint.get_connection_state(remote).ok_or_else(|| dtls("the connection is gone"))?;
    let profile = identity.profile;
    let material = state.export_keying_material(EXPORTER_LABEL, &[], profile.keying_material_len()).map_err(dtls)?;
    // Client key, server key, client salt, server salt (RFC 5764 section 4.2).
    let material: &[u8] = material.as_ref();
    let (keys, salts) = material.split_at(2 * profile.key_len());
    let (client_key, server_key) = keys.split_at(profile.key_len());
    let (client_salt, server_salt) = salts.split_at(profile.salt_len());
    Ok((
        SealContext::new(profile, client_key, client_salt).map_err(dtls)?,
        OpenContext::new(profile, server_key, server_salt).map_err(dtls)?,
    ))
}

/// A check that nominates. The same one serves for the whole run: nothing is lost or reordered that its answers tell apart.
fn check(transport: &WebRtcTransport) -> Result<Vec<u8>, ClientError> {
    let ice = transport.ice_parameters();
    let stun = |error: rtc_shared::error::Error| ClientError::Stun(error.to_string());
    let mut message = Message::new();
    message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId([7; 12]))]).map_err(stun)?;
    message.add(ATTR_USERNAME, format!("{}:bench", ice.username_fragment).as_bytes());
    message.add(ATTR_PRIORITY, &[0x6e, 0, 1, 0xff]);
    message.add(ATTR_ICE_CONTROLLING, &[1; 8]);
    message.add(ATTR_USE_CANDIDATE, &[]);
    MessageIntegrity::new_short_term_integrity_with_provider(ice.password.clone(), &RingCrypto)
        .add_to(&mut message)
        .map_err(stun)?;
    FINGERPRINT.add_to(&mut message).map_err(stun)?;
    Ok(message.raw)
}

fn dtls(error: impl std::fmt::Display) -> ClientError {
    ClientError::Dtls(error.to_string())
}
