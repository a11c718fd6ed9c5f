//! ORTC negotiation: from capabilities to parameters, pure functions, with the answers that mediasoup gives.
//!
//! The order of use: [`router_rtp_capabilities`] at start-up. For a producer [`validate_rtp_parameters`], then
//! [`producer_rtp_parameters_mapping`] (its payload types and SSRCs → the router's), [`consumable_rtp_parameters`]
//! (what consumers may get of it) and [`producer_type`]. For a consumer [`validate_rtp_capabilities`], then
//! [`can_consume`] and [`consumer_rtp_parameters`]; over a pipe [`pipe_consumer_rtp_parameters`].
//!
//! Everything here takes what strangers sent: nothing panics, and lists and texts beyond the limits of
//! [`limits`] are refused by validation before anything is searched or copied.

mod capabilities;
mod codecs;
mod consumer;
mod h264;
mod media_codec;
mod producer;
pub(crate) mod red;
mod scalability;
mod validate;

use rand::{Rng, RngCore};

pub use capabilities::{CodecListError, router_rtp_capabilities, supported_header_extensions};
pub use consumer::{can_consume, consumer_rtp_parameters, pipe_consumer_rtp_parameters};
pub use media_codec::{MediaCodec, default_media_codecs};
pub use producer::{
    CodecMapping, EncodingMapping, RtpMapping, consumable_rtp_parameters, producer_rtp_parameters_mapping,
    producer_type,
};
pub use scalability::ScalabilityMode;
pub use validate::{
    InvalidParameters, limits, validate_dtls_parameters, validate_rtp_capabilities, validate_rtp_parameters,
};

use crate::ids::{PayloadType, Ssrc};
use crate::parameters::{MediaKind, MimeType, ProducerType};

/// Why there is no answer. The guilty side is the peer that sent the parameters or capabilities, but for
/// [`Self::ForeignMapping`], where it is the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    /// The capabilities are not valid.
    #[error(transparent)]
    Invalid(#[from] InvalidParameters),
    /// The router has no such codec.
    #[error("unsupported codec [mimeType:{mime_type}, payloadType:{payload_type}]")]
    UnsupportedCodec {
        /// The codec.
        mime_type: MimeType,
        /// Its payload type with the producer.
        payload_type: PayloadType,
    },
    /// A retransmission codec whose `apt` is missing or names no media codec.
    #[error("missing media codec found for RTX PT {payload_type}")]
    MissingMediaCodec {
        /// The retransmission codec's payload type with the producer.
        payload_type: PayloadType,
    },
    /// The router has the codec, but no retransmission for it.
    #[error("no RTX codec for capability codec PT {payload_type}")]
    NoRtxCodec {
        /// The media codec's payload type with the router.
        payload_type: PayloadType,
    },
    /// Redundant audio whose parameters name no Opus codec beside it.
    #[error("missing opus codec found for RED PT {payload_type}")]
    MissingPrimaryCodec {
        /// The payload type of the redundant audio with the producer.
        payload_type: PayloadType,
    },
    /// A codec of the other kind of media.
    #[error("codec {mime_type} in a producer of kind {}", kind.as_str())]
    WrongKind {
        /// The producer's kind.
        kind: MediaKind,
        /// The codec.
        mime_type: MimeType,
    },
    /// Layers that the codec has not.
    #[error("{mime_type} codec not supported for {producer_type:?}")]
    UnsupportedType {
        /// The codec.
        mime_type: MimeType,
        /// What the encodings ask for.
        producer_type: ProducerType,
    },
    /// The consumer's side can receive none of the producer's codecs.
    #[error("no compatible media codecs")]
    NoCompatibleCodecs,
    /// The mapping was made for other parameters or capabilities. A bug of the caller.
    #[error("the RTP mapping does not belong to the RTP parameters or capabilities given")]
    ForeignMapping,
}

/// The first of up to [`limits::MAX_ENCODINGS`] consecutive SSRCs, drawn from the lower half of 100 000 000 to
/// 999 999 999 as mediasoup does: never 0, and adding to it never wraps.
fn random_ssrc(rng: &mut impl RngCore) -> u32 {
    rng.random_range(100_000_000..500_000_000)
}

/// The same from the upper half, so that retransmission SSRCs never meet the media SSRCs drawn beside them.
fn random_rtx_ssrc(rng: &mut impl RngCore) -> u32 {
    rng.random_range(500_000_000..1_000_000_000)
}

/// The SSRC `index` places after `base`.
fn nth_ssrc(base: u32, index: usize) -> Ssrc {
    Ssrc(base.wrapping_add(index as u32))
}

#[cfg(test)]
mod capabilities_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors_tests;
