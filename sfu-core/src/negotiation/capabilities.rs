//! From a router's configured codecs to its RTP capabilities.

use std::collections::VecDeque;

use super::codecs::CodecView;
use super::h264::ProfileLevelId;
use super::media_codec::{MediaCodec, SupportedFormat};
use super::red;
use crate::ids::PayloadType;
use crate::parameters::{
    CodecParameters, HeaderExtensionDirection, HeaderExtensionUri, MediaKind, MimeType, ParameterValue, RtcpFeedback,
    RtpCapabilities, RtpCodecCapability, RtpHeaderExtension,
};

/// Payload types in the order they are given out: 100 to 127 first and 96 to 99 last, as mediasoup does.
const DYNAMIC_PAYLOAD_TYPES: [std::ops::RangeInclusive<u8>; 2] = [100..=127, 96..=99];

/// Payload types that an RTP packet must not have, for with its marker bit it would look like an RTCP packet
/// (RFC 5761 section 4).
const RTCP_LOOKALIKES: std::ops::RangeInclusive<u8> = 64..=95;

/// What is wrong with a list of codecs. The guilty side is whoever configured it; `index` counts from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecListError {
    /// There is nothing to offer.
    #[error("the codec list is empty")]
    Empty,
    /// No such codec here.
    #[error("codec {index} ({mime_type}): media codec not supported")]
    Unsupported {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
    },
    /// The kind contradicts the MIME type.
    #[error("codec {index} ({mime_type}): kind is {}", kind.as_str())]
    WrongKind {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
        /// The kind given.
        kind: MediaKind,
    },
    /// The codec has another clock rate.
    #[error("codec {index} ({mime_type}): clockRate is {given}, must be {expected}")]
    WrongClockRate {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
        /// The rate given.
        given: u32,
        /// The codec's.
        expected: u32,
    },
    /// The codec has another number of channels, or is video and has none.
    #[error("codec {index} ({mime_type}): channels is {}, must be {}", shown(*given), shown(*expected))]
    WrongChannels {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
        /// The number given.
        given: Option<u8>,
        /// The codec's.
        expected: Option<u8>,
    },
    /// A parameter with a value that makes no sense for the codec.
    #[error("codec {index} ({mime_type}): parameter {parameter} is not valid")]
    InvalidParameter {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
        /// The parameter's name.
        parameter: String,
    },
    /// RTCP feedback that this server does not understand for the codec.
    #[error("codec {index} ({mime_type}): RTCP feedback `{feedback}` not supported")]
    UnsupportedFeedback {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
        /// The type and parameter.
        feedback: String,
    },
    /// Redundant audio before the codec that it carries, or without it. Clients send the first audio codec of the list.
    #[error("codec {index} ({mime_type}): audio/opus must stand before it")]
    MissingPrimaryCodec {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
    },
    /// Matches an earlier entry, so it would never be chosen.
    #[error("codec {index} ({mime_type}): the same codec as entry {earlier}")]
    Duplicate {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
        /// The entry that it repeats.
        earlier: usize,
    },
    /// Not a payload type that can be had: above 127, or 64 to 95.
    #[error("codec {index} ({mime_type}): preferredPayloadType {payload_type} is not 0 to 63 or 96 to 127")]
    InvalidPayloadType {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
        /// The value.
        payload_type: PayloadType,
    },
    /// The payload type belongs to an earlier codec already, or to its retransmission.
    #[error("codec {index} ({mime_type}): payload type {payload_type} is taken by {taken_by}")]
    PayloadTypeClash {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
        /// The value.
        payload_type: PayloadType,
        /// The codec that has it.
        taken_by: MimeType,
    },
    /// No payload type is left.
    #[error("codec {index} ({mime_type}): too many codecs, no dynamic payload type is left")]
    TooMany {
        /// Which entry.
        index: usize,
        /// Its codec.
        mime_type: MimeType,
    },
}

fn shown(channels: Option<u8>) -> String {
    channels.map_or_else(|| "absent".to_owned(), |channels| channels.to_string())
}

/// What a router with these codecs offers, and what it takes from producers.
///
/// Payload types are given out in the order of the list; each video codec is followed by its retransmission format.
/// The header extensions are [`supported_header_extensions`].
pub fn router_rtp_capabilities(media_codecs: &[MediaCodec]) -> Result<RtpCapabilities, CodecListError> {
    if media_codecs.is_empty() {
        return Err(CodecListError::Empty);
    }
    let mut free: VecDeque<u8> = DYNAMIC_PAYLOAD_TYPES.into_iter().flatten().collect();
    let mut codecs: Vec<RtpCodecCapability> = Vec::with_capacity(2 * media_codecs.len());
    // The entries' parameters with those that the codec always has, for comparison with later entries.
    let mut accepted: Vec<MediaCodec> = Vec::with_capacity(media_codecs.len());

    for (index, entry) in media_codecs.iter().enumerate() {
        let format = supported_format(index, entry)?;
        let mime_type = format.mime_type();
        let entry = MediaCodec { parameters: merged_parameters(format, entry), ..entry.clone() };
        check_parameters(index, &entry)?;
        if let Some(earlier) = accepted.iter().position(|other| view(&entry).matches(view(other)).is_some()) {
            return Err(CodecListError::Duplicate { index, mime_type, earlier });
        }
        let parameters = if red::is_red(&mime_type) {
            let opus = codecs.iter().find(|codec| red::is_carried(&codec.mime_type));
            let carried = opus.and_then(|opus| opus.preferred_payload_type);
            let missing = || CodecListError::MissingPrimaryCodec { index, mime_type: mime_type.clone() };
            red::parameters(carried.ok_or_else(missing)?)
        } else {
            entry.parameters.clone()
        };
        let mut next_free = || {
            let payload_type = free.pop_front().map(PayloadType);
            payload_type.ok_or_else(|| CodecListError::TooMany { index, mime_type: mime_type.clone() })
        };
        let payload_type = match entry.preferred_payload_type.or(format.static_payload_type) {
            Some(payload_type) => payload_type,
            None => next_free()?,
        };
        if payload_type.0 > 127 || RTCP_LOOKALIKES.contains(&payload_type.0) {
            return Err(CodecListError::InvalidPayloadType { index, mime_type, payload_type });
        }
        if let Some(taken) = codecs.iter().find(|codec| codec.preferred_payload_type == Some(payload_type)) {
            let taken_by = taken.mime_type.clone();
            return Err(CodecListError::PayloadTypeClash { index, mime_type, payload_type, taken_by });
        }
        free.retain(|free| *free != payload_type.0);

        let rtcp_feedback = chosen_feedback(index, format, &entry)?;
        codecs.push(RtpCodecCapability {
            kind: format.kind,
            mime_type: mime_type.clone(),
            preferred_payload_type: Some(payload_type),
            clock_rate: format.clock_rate,
            channels: format.channels,
            parameters,
            rtcp_feedback,
        });
        accepted.push(entry);
        if format.kind == MediaKind::Video {
            let rtx = free.pop_front().ok_or(CodecListError::TooMany { index, mime_type })?;
            codecs.push(RtpCodecCapability {
                kind: format.kind,
                mime_type: MimeType::rtx(format.kind),
                preferred_payload_type: Some(PayloadType(rtx)),
                clock_rate: format.clock_rate,
                channels: None,
                parameters: [("apt", i64::from(payload_type.0))].into_iter().collect(),
                rtcp_feedback: Vec::new(),
            });
        }
    }
    Ok(RtpCapabilities { codecs, header_extensions: supported_header_extensions() })
}

fn supported_format(index: usize, entry: &MediaCodec) -> Result<&'static SupportedFormat, CodecListError> {
    let mime_type = || entry.mime_type.clone();
    let format = SupportedFormat::find(&entry.mime_type)
        .ok_or_else(|| CodecListError::Unsupported { index, mime_type: mime_type() })?;
    if entry.kind != format.kind {
        return Err(CodecListError::WrongKind { index, mime_type: mime_type(), kind: entry.kind });
    }
    if entry.clock_rate != format.clock_rate {
        let (given, expected) = (entry.clock_rate, format.clock_rate);
        return Err(CodecListError::WrongClockRate { index, mime_type: mime_type(), given, expected });
    }
    let given = match format.kind {
        MediaKind::Audio => Some(entry.channels.unwrap_or(1)),
        MediaKind::Video => entry.channels,
    };
    if given != format.channels {
        let expected = format.channels;
        return Err(CodecListError::WrongChannels { index, mime_type: mime_type(), given, expected });
    }
    Ok(format)
}

fn merged_parameters(format: &SupportedFormat, entry: &MediaCodec) -> CodecParameters {
    let mut parameters: CodecParameters = format.parameters.iter().copied().collect();
    for (name, value) in entry.parameters.iter() {
        parameters.insert(name, value.clone());
    }
    parameters
}

/// Parameters that decide about a match must be right, or the entry would never match and nobody would know why.
fn check_parameters(index: usize, entry: &MediaCodec) -> Result<(), CodecListError> {
    let invalid = |parameter: &str| CodecListError::InvalidParameter {
        index,
        mime_type: entry.mime_type.clone(),
        parameter: parameter.to_owned(),
    };
    for (name, value) in entry.parameters.iter() {
        if matches!(value, ParameterValue::Bool(_) | ParameterValue::Null) {
            return Err(invalid(name));
        }
    }
    let out_of_range = |name: &str, allowed: std::ops::RangeInclusive<i64>| {
        entry.parameters.get(name).is_some()
            && !entry.parameters.integer(name).is_some_and(|value| allowed.contains(&value))
    };
    if entry.mime_type.is_codec("H264") {
        if out_of_range("packetization-mode", 0..=1) {
            return Err(invalid("packetization-mode"));
        }
        if ProfileLevelId::of(&entry.parameters).is_none() {
            return Err(invalid("profile-level-id"));
        }
    }
    if entry.mime_type.is_codec("VP9") && out_of_range("profile-id", 0..=3) {
        return Err(invalid("profile-id"));
    }
    Ok(())
}

fn chosen_feedback(
    index: usize,
    format: &SupportedFormat,
    entry: &MediaCodec,
) -> Result<Vec<RtcpFeedback>, CodecListError> {
    let supported = format.rtcp_feedback();
    if entry.rtcp_feedback.is_empty() {
        return Ok(supported);
    }
    if let Some(unknown) = entry.rtcp_feedback.iter().find(|feedback| !supported.contains(feedback)) {
        return Err(CodecListError::UnsupportedFeedback {
            index,
            mime_type: entry.mime_type.clone(),
            feedback: format!("{} {}", unknown.feedback_type, unknown.parameter).trim_end().to_owned(),
        });
    }
    Ok(entry.rtcp_feedback.clone())
}

fn view(codec: &MediaCodec) -> CodecView<'_> {
    CodecView {
        mime_type: &codec.mime_type,
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        parameters: &codec.parameters,
    }
}

/// The header extensions of every router, with the ids that mediasoup gives them, but for two things.
///
/// The dependency descriptor goes to consumers too: without it Chromium decodes no frame of AV1 with spatial layers,
/// and asks for key frames for ever. And mediasoup's own `packet-id` is left out: it numbers packets within one of
/// mediasoup's workers, for its own traces; no client reads it and nothing here writes it. Its id 12 stays free.
pub fn supported_header_extensions() -> Vec<RtpHeaderExtension> {
    use HeaderExtensionDirection::{RecvOnly, SendRecv};
    use HeaderExtensionUri as Uri;
    use MediaKind::{Audio, Video};

    [
        (Audio, Uri::Mid, 1, SendRecv),
        (Video, Uri::Mid, 1, SendRecv),
        (Video, Uri::RtpStreamId, 2, RecvOnly),
        (Video, Uri::RepairedRtpStreamId, 3, RecvOnly),
        (Audio, Uri::AbsSendTime, 4, SendRecv),
        (Video, Uri::AbsSendTime, 4, SendRecv),
        // Bandwidth towards consumers is estimated on video alone.
        (Audio, Uri::TransportWideCc, 5, RecvOnly),
        (Video, Uri::TransportWideCc, 5, SendRecv),
        (Audio, Uri::SsrcAudioLevel, 6, SendRecv),
        (Video, Uri::DependencyDescriptor, 7, SendRecv),
        (Video, Uri::VideoOrientation, 8, SendRecv),
        (Video, Uri::TransmissionTimeOffset, 9, SendRecv),
        (Audio, Uri::AbsCaptureTime, 10, SendRecv),
        (Video, Uri::AbsCaptureTime, 10, SendRecv),
        (Audio, Uri::PlayoutDelay, 11, SendRecv),
        (Video, Uri::PlayoutDelay, 11, SendRecv),
    ]
    .into_iter()
    .map(|(kind, uri, preferred_id, direction)| RtpHeaderExtension {
        kind,
        uri,
        preferred_id,
        preferred_encrypt: false,
        direction,
    })
    .collect()
}
