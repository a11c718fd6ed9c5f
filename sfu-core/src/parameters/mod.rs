//! The wire types: field for field those of mediasoup 3 and mediasoup-client 3, as JSON in camelCase.
//!
//! Decoding ignores fields that it does not know (clients send more than we read), takes `null` for absence, and
//! refuses a missing field or a wrong type. serde's message names a missing field; for a wrong type the path is for
//! the signalling boundary to add. Lengths and ranges are not judged here but by [`crate::negotiation`]'s validation,
//! which everything that came from a stranger must pass before use.

mod codec_parameters;
mod dtls;
mod header_extension;
mod ice;
mod layers;
mod mime;
mod rtp;

use serde::{Deserialize, Serialize};

pub use codec_parameters::{CodecParameters, ParameterNumber, ParameterValue};
pub use dtls::{DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm};
pub use header_extension::HeaderExtensionUri;
pub use ice::{IceCandidate, IceCandidateType, IceParameters, IceProtocol, IceTcpCandidateType};
pub use layers::ConsumerLayers;
pub use mime::{MimeType, MimeTypeError};
pub use rtp::{
    HeaderExtensionDirection, RtcpFeedback, RtcpParameters, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtension, RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
};

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures: a camera or a screen.
    Video,
}

impl MediaKind {
    /// The kind as it is written on the wire: `audio` or `video`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

/// How many streams a producer has and how they relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProducerType {
    /// One stream without layers.
    Simple,
    /// Several streams of the same source, or one with temporal layers of a codec that has no SVC.
    Simulcast,
    /// One stream with spatial or temporal layers inside.
    Svc,
}

/// How a consumer's stream is made out of its producer's. A consumer over a pipe keeps its producer's type.
pub type ConsumerType = ProducerType;

#[cfg(test)]
mod tests;
