//! The vocabulary of an association: roles, states, events.

use serde::{Deserialize, Serialize};

use super::error::DtlsError;
use super::srtp_keys::SrtpKeys;

/// Who sends the ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// We send the ClientHello.
    Client,
    /// We wait for it.
    Server,
}

impl Role {
    /// The peer's role.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The state of an association, named as mediasoup names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsState {
    /// Not started.
    New,
    /// Started: the handshake, or the peer's fingerprint, is awaited.
    Connecting,
    /// The peer is verified and keys were given out.
    Connected,
    /// Over, with a [`DtlsError`].
    Failed,
    /// Over, by close_notify of either side.
    Closed,
}

/// What happened.
#[derive(Debug)]
pub enum DtlsEvent {
    /// Started.
    Connecting,
    /// The peer is the one signalled; these are the keys. Given out once.
    Connected(SrtpKeys),
    /// Over; no keys are given out any more.
    Failed(DtlsError),
    /// Over by close_notify.
    Closed {
        /// Whether the peer began.
        by_peer: bool,
    },
}

/// Why [`Dtls::handle_timeout`](super::Dtls::handle_timeout) wants to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The last flight is unanswered and due again.
    Resend,
    /// The handshake, or the signalled fingerprint, is overdue.
    HandshakeTimeout,
}

/// What was dropped and repeated, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DtlsStats {
    /// Datagrams that held nothing to act on: junk, or for an association that is not running.
    pub ignored_datagrams: u64,
    /// Application data records dropped; data channels are not offered.
    pub application_data: u64,
    /// Flights sent again.
    pub resent_flights: u64,
}
