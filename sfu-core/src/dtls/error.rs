//! Why an association fails, and whose fault it is.

use thiserror::Error;

use super::fingerprint::Fingerprint;

/// Why an association failed. It stays failed; a new transport is needed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DtlsError {
    /// The peer offers none of our SRTP profiles.
    #[error("the peer offers no SRTP protection profile that we have (it offers {offered:?})")]
    NoCommonSrtpProfile {
        /// The code points that it offers (RFC 5764 section 4.1.2), at most [`Self::OFFERED_SHOWN`]; empty when it
        /// does not use `use_srtp`.
        offered: Vec<u16>,
    },
    /// The peer's certificate is not the one that signalling vouches for: a wrong signalling, or somebody in the
    /// middle.
    #[error("the peer's certificate has the {} fingerprint {actual}, which was not signalled", .actual.algorithm())]
    FingerprintMismatch {
        /// The certificate's own, by the strongest algorithm signalled.
        actual: Fingerprint,
    },
    /// The peer did not complete the handshake in time.
    #[error("the peer did not complete the DTLS handshake within {} s", super::limits::HANDSHAKE_TIMEOUT.as_secs())]
    HandshakeTimeout,
    /// The handshake is complete, but the peer's fingerprint was not signalled in time.
    #[error("the peer's fingerprint was not signalled within {} s", super::limits::HANDSHAKE_TIMEOUT.as_secs())]
    FingerprintTimeout,
    /// The peer sent a fatal alert.
    #[error("the peer ended DTLS with a fatal alert{}", .description.map(|n| format!(" ({n})")).unwrap_or_default())]
    PeerAlert {
        /// Its description (RFC 5246 section 7.2); `None` when it was encrypted, for the crate does not tell.
        description: Option<u8>,
    },
    /// The peer broke the handshake: nothing in common, or a wrong signature, cookie or version.
    #[error("the peer's DTLS handshake is not acceptable: {0}")]
    PeerMisbehaved(String),
    /// Our own fault: the handshake could not be begun, or keys not be exported.
    #[error("DTLS failed on our side: {0}")]
    Internal(String),
}

impl DtlsError {
    /// How many code points [`Self::NoCommonSrtpProfile`] lists at most; a ClientHello may offer thousands.
    pub const OFFERED_SHOWN: usize = 8;
}

/// Why [`Dtls::start`](super::Dtls::start) was refused. The caller's fault, or that of the peer whose signalling
/// contradicts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StartError {
    /// The handshake goes on in the other role already.
    #[error("the DTLS role is settled: the handshake has begun in the other role")]
    RoleSettled,
    /// Failed or closed.
    #[error("the DTLS association is over")]
    Over,
}

/// Why [`Dtls::set_remote_fingerprints`](super::Dtls::set_remote_fingerprints) was refused. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RemoteFingerprintsError {
    /// Without one, no certificate is vouched for.
    #[error("the list of remote fingerprints is empty")]
    Empty,
    /// More than [`limits::MAX_FINGERPRINTS`](super::limits::MAX_FINGERPRINTS).
    #[error("{0} remote fingerprints are too many")]
    TooMany(usize),
    /// They cannot change: keys may be in use on their strength.
    #[error("the remote fingerprints are already set")]
    AlreadySet,
}
