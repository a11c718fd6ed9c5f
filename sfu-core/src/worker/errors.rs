//! Why an operation on a worker was refused. Nothing has changed when one of these is returned.

use crate::dtls::{FingerprintError, RemoteFingerprintsError};
use crate::ids::{ProducerId, Ssrc};
use crate::negotiation::{InvalidParameters, NegotiationError};

/// The caller's: the object is closed, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("closed")]
pub struct ObjectClosed;

/// Why a transport was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportRefused {
    /// The caller's: the router is closed.
    #[error("the router is closed")]
    RouterClosed,
    /// The caller's: the router holds as many as it may.
    #[error("too many transports in this router (at most {limit})")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

/// Why a transport was not connected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The caller's: `connect` was called before.
    #[error("the transport is already connected")]
    AlreadyConnected,
    /// The peer's: a list or value is malformed; the text names the field.
    #[error("dtlsParameters: {0}")]
    DtlsParameters(#[from] InvalidParameters),
    /// The peer's: a fingerprint is not of the form that its hash function has.
    #[error("dtlsParameters.fingerprints: {0}")]
    Fingerprint(FingerprintError),
    /// The peer's: the fingerprints as a whole cannot be used.
    #[error("dtlsParameters.fingerprints: {0}")]
    Fingerprints(#[from] RemoteFingerprintsError),
    /// The caller's: the transport is closed.
    #[error("the transport is closed")]
    Closed,
}

/// Why a producer was not made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// The caller's: the parameters are malformed, or the router cannot take them; the text names the field.
    #[error("rtpParameters: {0}")]
    RtpParameters(#[from] NegotiationError),
    /// The caller's: packets could not be told apart.
    #[error("rtpParameters.mid: {0:?} is in use by another producer of this transport")]
    MidInUse(String),
    /// The caller's: packets could not be told apart.
    #[error("rtpParameters.encodings: ssrc {0} is in use on this transport")]
    SsrcInUse(Ssrc),
    /// The caller's: packets could not be told apart.
    #[error("rtpParameters.encodings: rid {0:?} without a mid is in use by another producer of this transport")]
    RidInUse(String),
    /// The caller's: the encodings of all the transport's producers are as many as it takes.
    #[error("rtpParameters.encodings: too many on this transport (at most {limit})")]
    TooManyEncodings {
        /// The limit.
        limit: usize,
    },
    /// The caller's: the transport was made for consuming alone.
    #[error("the transport is for consuming")]
    NotForProducing,
    /// The caller's: the transport holds as many as it may.
    #[error("too many producers on this transport (at most {limit})")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The caller's: the transport is closed.
    #[error("the transport is closed")]
    Closed,
}

/// Why a consumer was not made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The caller's: no such producer in the transport's router.
    #[error("producer {0} not found")]
    ProducerNotFound(ProducerId),
    /// The peer's: its capabilities are malformed, or hold no codec of the producer.
    #[error("rtpCapabilities: {0}")]
    RtpCapabilities(#[from] NegotiationError),
    /// The caller's: the transport was made for producing alone.
    #[error("the transport is for producing")]
    NotForConsuming,
    /// The caller's: the transport holds as many as it may.
    #[error("too many consumers on this transport (at most {limit})")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The caller's: the transport is closed.
    #[error("the transport is closed")]
    Closed,
}
