//! RTP capabilities (what can be received) and parameters (what is sent), after ORTC.

use serde::{Deserialize, Deserializer, Serialize};

use super::{CodecParameters, HeaderExtensionUri, MediaKind, MimeType, ParameterNumber};
use crate::ids::{PayloadType, Ssrc};

/// What one side can receive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCapabilities {
    /// The codecs, retransmission formats among them.
    #[serde(default, deserialize_with = "null_is_default")]
    pub codecs: Vec<RtpCodecCapability>,
    /// The header extensions, one entry for each kind of media.
    #[serde(default, deserialize_with = "null_is_default")]
    pub header_extensions: Vec<RtpHeaderExtension>,
}

/// A codec that one side can receive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecCapability {
    /// Audio or video. Validation sets it to what `mime_type` says.
    pub kind: MediaKind,
    /// The codec.
    pub mime_type: MimeType,
    /// The payload type that this side would like; always there in a router's capabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_payload_type: Option<PayloadType>,
    /// RTP timestamp ticks per second.
    pub clock_rate: u32,
    /// Audio channels; 1 if absent. Nothing for video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// The codec's own parameters.
    #[serde(default, deserialize_with = "null_is_default")]
    pub parameters: CodecParameters,
    /// RTCP feedback that this side understands.
    #[serde(default, deserialize_with = "null_is_default")]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// A header extension that one side can use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpHeaderExtension {
    /// The media it goes with.
    pub kind: MediaKind,
    /// What it means.
    pub uri: HeaderExtensionUri,
    /// Its id, 1 to 255 (RFC 8285; above 14 only with two-byte headers).
    pub preferred_id: u8,
    /// Whether it is to be encrypted (RFC 6904). Never done here.
    #[serde(default, deserialize_with = "null_is_default")]
    pub preferred_encrypt: bool,
    /// Whether this side sends it, receives it, or both.
    #[serde(default, deserialize_with = "null_is_default")]
    pub direction: HeaderExtensionDirection,
}

/// The direction of a header extension, as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderExtensionDirection {
    /// Sent and received.
    #[default]
    SendRecv,
    /// Sent only.
    SendOnly,
    /// Received only.
    RecvOnly,
    /// Known, and not used.
    Inactive,
}

impl HeaderExtensionDirection {
    /// Whether the owner may send the extension.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }
}

/// A kind of RTCP feedback (RFC 4585 section 4.2), such as `nack pli`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtcpFeedback {
    /// The type, such as `nack`.
    #[serde(rename = "type")]
    pub feedback_type: String,
    /// What of it, such as `pli`; often empty.
    #[serde(default, deserialize_with = "null_is_default")]
    pub parameter: String,
}

impl RtcpFeedback {
    /// Feedback of a type and parameter; the latter may be empty.
    pub fn new(feedback_type: &str, parameter: &str) -> Self {
        Self { feedback_type: feedback_type.to_owned(), parameter: parameter.to_owned() }
    }

    /// Whether it is this one.
    pub fn is(&self, feedback_type: &str, parameter: &str) -> bool {
        self.feedback_type == feedback_type && self.parameter == parameter
    }
}

/// What a producer sends, or a consumer is sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpParameters {
    /// The media section (RFC 9143), by which packets find their producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<String>,
    /// The codecs in use; the first one that is no retransmission format is the one of encodings that name none.
    pub codecs: Vec<RtpCodecParameters>,
    /// The header extensions in use.
    #[serde(default, deserialize_with = "null_is_default")]
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// The streams: several with simulcast, in rising quality.
    #[serde(default, deserialize_with = "null_is_default")]
    pub encodings: Vec<RtpEncodingParameters>,
    /// RTCP settings.
    #[serde(default, deserialize_with = "null_is_default")]
    pub rtcp: RtcpParameters,
    /// The MediaStream and its track (RFC 8830), for clients that group tracks by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msid: Option<String>,
}

impl RtpParameters {
    /// The codec of an encoding: the one it names, else the first that is no retransmission format.
    pub fn codec_of(&self, encoding: &RtpEncodingParameters) -> Option<&RtpCodecParameters> {
        match encoding.codec_payload_type {
            Some(payload_type) => self.codecs.iter().find(|codec| codec.payload_type == payload_type),
            None => self.codecs.iter().find(|codec| !codec.mime_type.is_rtx()),
        }
    }
}

/// A codec in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecParameters {
    /// The codec.
    pub mime_type: MimeType,
    /// Its payload type on the wire.
    pub payload_type: PayloadType,
    /// RTP timestamp ticks per second.
    pub clock_rate: u32,
    /// Audio channels; 1 if absent. Nothing for video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// The codec's own parameters.
    #[serde(default, deserialize_with = "null_is_default")]
    pub parameters: CodecParameters,
    /// RTCP feedback in use.
    #[serde(default, deserialize_with = "null_is_default")]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

impl RtpCodecParameters {
    /// The payload type that a retransmission codec repeats: its `apt` (RFC 4588 section 8.1). None for other codecs, and
    /// where it is missing or no payload type.
    pub fn associated_payload_type(&self) -> Option<PayloadType> {
        self.parameters.associated_payload_type().filter(|_| self.mime_type.is_rtx())
    }
}

/// A header extension in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpHeaderExtensionParameters {
    /// What it means.
    pub uri: HeaderExtensionUri,
    /// Its id on the wire, 1 to 255.
    pub id: u8,
    /// Whether it is encrypted (RFC 6904). Never done here.
    #[serde(default, deserialize_with = "null_is_default")]
    pub encrypt: bool,
    /// Its own parameters.
    #[serde(default, deserialize_with = "null_is_default")]
    pub parameters: CodecParameters,
}

/// One stream of a producer or consumer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpEncodingParameters {
    /// The media SSRC. Absent when the sender names its streams by RID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<Ssrc>,
    /// The stream's name (RFC 8851).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// The codec of this stream, if not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec_payload_type: Option<PayloadType>,
    /// The retransmission stream (RFC 4588).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx: Option<RtxParameters>,
    /// Whether the sender stops sending in silence. Validation sets it to false if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtx: Option<bool>,
    /// The layers inside the stream, such as `L3T3_KEY` (W3C WebRTC-SVC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalability_mode: Option<String>,
    /// The most that the sender sends, bit/s; a fraction is cut off in decoding.
    #[serde(default, deserialize_with = "whole_number", skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u64>,
    /// The most frames that the sender sends, frames/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_framerate: Option<ParameterNumber>,
    /// By what the sender divides width and height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_resolution_down_by: Option<ParameterNumber>,
    /// Whether the sender sends this stream at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

/// The retransmission stream of an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtxParameters {
    /// Its SSRC.
    pub ssrc: Ssrc,
}

/// RTCP settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtcpParameters {
    /// The sender's canonical name (RFC 3550 section 6.5.1), by which a receiver synchronises sound and picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cname: Option<String>,
    /// Whether reduced-size RTCP is in use (RFC 5506). Validation sets it to true.
    #[serde(default = "enabled", deserialize_with = "null_is_enabled")]
    pub reduced_size: bool,
}

impl Default for RtcpParameters {
    fn default() -> Self {
        Self { cname: None, reduced_size: true }
    }
}

fn enabled() -> bool {
    true
}

fn null_is_enabled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::deserialize(deserializer).map(|value| value.unwrap_or(true))
}

/// JavaScript clients write `null` where they have nothing; mediasoup takes it for absence.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An application computes bit rates, so fractions do occur. Negative and absurd values end at the type's limits.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(|number| match number {
        ParameterNumber::Integer(value) => u64::try_from(value).unwrap_or(0),
        ParameterNumber::Float(value) => value as u64,
    }))
}
