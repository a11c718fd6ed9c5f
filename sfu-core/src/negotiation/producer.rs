//! From what a producer sends to what its consumers may get.

use rand::RngCore;
use serde::{Deserialize, Serialize};

use super::codecs::CodecView;
use super::{NegotiationError, ScalabilityMode, nth_ssrc, random_ssrc, red};
use crate::ids::{PayloadType, Ssrc};
use crate::parameters::{
    CodecParameters, HeaderExtensionUri, MediaKind, MimeType, ProducerType, RtcpParameters, RtpCapabilities,
    RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters,
};

/// How a producer's numbers become the router's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtpMapping {
    /// The codecs: media first, then retransmission.
    pub codecs: Vec<CodecMapping>,
    /// The streams, in the order of the producer's encodings.
    pub encodings: Vec<EncodingMapping>,
}

impl RtpMapping {
    /// The router's payload type for one of the producer's, be it of media or of retransmissions.
    pub fn mapped_payload_type(&self, payload_type: PayloadType) -> Option<PayloadType> {
        let mapping = self.codecs.iter().find(|mapping| mapping.payload_type == payload_type)?;
        Some(mapping.mapped_payload_type)
    }
}

/// One codec's payload types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodecMapping {
    /// The producer's.
    pub payload_type: PayloadType,
    /// The router's.
    pub mapped_payload_type: PayloadType,
}

/// One stream's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EncodingMapping {
    /// The producer's SSRC, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<Ssrc>,
    /// The producer's RID, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// The layers inside the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalability_mode: Option<String>,
    /// The router's SSRC.
    pub mapped_ssrc: Ssrc,
}

/// Maps a producer's codecs and streams onto the router's.
///
/// `parameters` must have passed [`super::validate_rtp_parameters`]. An H264 codec's `profile-level-id` in them becomes
/// the one negotiated (RFC 6184 section 8.2.2), which consumers are then told. The mapped SSRCs are consecutive from a
/// random one.
pub fn producer_rtp_parameters_mapping(
    parameters: &mut RtpParameters,
    capabilities: &RtpCapabilities,
    rng: &mut impl RngCore,
) -> Result<RtpMapping, NegotiationError> {
    let mut codecs = Vec::with_capacity(parameters.codecs.len());
    for codec in parameters.codecs.iter_mut().filter(|codec| !codec.mime_type.is_rtx()) {
        let matched = capabilities.codecs.iter().find_map(|capability| {
            let adjustment = CodecView::from(&*codec).matches(capability.into())?;
            Some((capability.preferred_payload_type?, adjustment))
        });
        let Some((mapped_payload_type, adjustment)) = matched else {
            return Err(NegotiationError::UnsupportedCodec {
                mime_type: codec.mime_type.clone(),
                payload_type: codec.payload_type,
            });
        };
        adjustment.apply(&mut codec.parameters);
        codecs.push(CodecMapping { payload_type: codec.payload_type, mapped_payload_type });
    }
    if let Some(alone) = parameters
        .codecs
        .iter()
        .find(|codec| red::is_red(&codec.mime_type) && red::primary_codec(codec, &parameters.codecs).is_none())
    {
        return Err(NegotiationError::MissingPrimaryCodec { payload_type: alone.payload_type });
    }
    let mut mapping = RtpMapping { codecs, encodings: Vec::new() };
    // Apart from the media codecs, so that no retransmissions of retransmissions are found.
    let mut rtx_codecs = Vec::new();
    for codec in parameters.codecs.iter().filter(|codec| codec.mime_type.is_rtx()) {
        let media_payload_type = codec
            .associated_payload_type()
            .and_then(|payload_type| mapping.mapped_payload_type(payload_type))
            .ok_or(NegotiationError::MissingMediaCodec { payload_type: codec.payload_type })?;
        let mapped_payload_type = rtx_codec_of(capabilities, media_payload_type)
            .and_then(|rtx| rtx.preferred_payload_type)
            .ok_or(NegotiationError::NoRtxCodec { payload_type: media_payload_type })?;
        rtx_codecs.push(CodecMapping { payload_type: codec.payload_type, mapped_payload_type });
    }
    mapping.codecs.extend(rtx_codecs);

    let base_ssrc = random_ssrc(rng);
    let encodings = parameters.encodings.iter().enumerate().map(|(index, encoding)| EncodingMapping {
        ssrc: encoding.ssrc,
        rid: encoding.rid.clone(),
        scalability_mode: encoding.scalability_mode.clone(),
        mapped_ssrc: nth_ssrc(base_ssrc, index),
    });
    mapping.encodings.extend(encodings);
    Ok(mapping)
}

/// What consumers may get of a producer of `kind`, in the router's numbers.
///
/// `parameters` and `mapping` are those of [`producer_rtp_parameters_mapping`], made with the same `capabilities`. The
/// capture time is offered only if the producer gives it; other header extensions are the router's own to fill.
pub fn consumable_rtp_parameters(
    kind: MediaKind,
    parameters: &RtpParameters,
    capabilities: &RtpCapabilities,
    mapping: &RtpMapping,
) -> Result<RtpParameters, NegotiationError> {
    let mut codecs = Vec::with_capacity(parameters.codecs.len());
    for codec in &parameters.codecs {
        if codec.mime_type.kind() != kind {
            return Err(NegotiationError::WrongKind { kind, mime_type: codec.mime_type.clone() });
        }
        if codec.mime_type.is_rtx() {
            continue;
        }
        let payload_type = mapping.mapped_payload_type(codec.payload_type).ok_or(NegotiationError::ForeignMapping)?;
        // Several of a producer's codecs may be one of the router's; a payload type must stand once.
        if codecs.iter().any(|known: &RtpCodecParameters| known.payload_type == payload_type) {
            continue;
        }
        let capability = capabilities
            .codecs
            .iter()
            .find(|capability| capability.preferred_payload_type == Some(payload_type))
            .ok_or(NegotiationError::ForeignMapping)?;
        // The parameters stay the producer's: they describe what it really sends. But payload types are ours.
        let codec_parameters = if red::is_red(&codec.mime_type) {
            let primary = red::primary_codec(codec, &parameters.codecs);
            let carried = primary.and_then(|primary| mapping.mapped_payload_type(primary.payload_type));
            red::parameters(carried.ok_or(NegotiationError::ForeignMapping)?)
        } else {
            codec.parameters.clone()
        };
        codecs.push(in_use(capability, payload_type, codec_parameters));
        if let Some(rtx) = rtx_codec_of(capabilities, payload_type)
            && let Some(rtx_payload_type) = rtx.preferred_payload_type
        {
            codecs.push(in_use(rtx, rtx_payload_type, rtx.parameters.clone()));
        }
    }

    let producer_gives = |uri: &HeaderExtensionUri| parameters.header_extensions.iter().any(|known| known.uri == *uri);
    let header_extensions = capabilities
        .header_extensions
        .iter()
        .filter(|extension| extension.kind == kind && extension.direction.sends())
        .filter(|extension| extension.uri != HeaderExtensionUri::AbsCaptureTime || producer_gives(&extension.uri))
        .map(|extension| RtpHeaderExtensionParameters {
            uri: extension.uri.clone(),
            id: extension.preferred_id,
            encrypt: extension.preferred_encrypt,
            parameters: CodecParameters::default(),
        })
        .collect();

    if mapping.encodings.len() != parameters.encodings.len() {
        return Err(NegotiationError::ForeignMapping);
    }
    let encodings = parameters.encodings.iter().zip(&mapping.encodings).map(|(encoding, mapped)| {
        let ssrc = Some(mapped.mapped_ssrc);
        RtpEncodingParameters { ssrc, rid: None, rtx: None, codec_payload_type: None, ..encoding.clone() }
    });

    Ok(RtpParameters {
        mid: None,
        codecs,
        header_extensions,
        encodings: encodings.collect(),
        rtcp: RtcpParameters { cname: parameters.rtcp.cname.clone(), reduced_size: true },
        msid: parameters.msid.clone(),
    })
}

/// What kind of producer these parameters make: several encodings are simulcast, one with layers is SVC if the codec
/// has it, and simulcast (of one stream with temporal layers) if not.
pub fn producer_type(parameters: &RtpParameters) -> Result<ProducerType, NegotiationError> {
    let mime_type = |encoding| parameters.codec_of(encoding).map(|codec| &codec.mime_type);
    let (mime_type, producer_type) = match parameters.encodings.as_slice() {
        [] => return Ok(ProducerType::Simple),
        [encoding] => {
            let mode = ScalabilityMode::parse(encoding.scalability_mode.as_deref());
            if mode.spatial_layers == 1 && mode.temporal_layers == 1 {
                return Ok(ProducerType::Simple);
            }
            let mime_type = mime_type(encoding);
            let svc = mime_type.is_some_and(|mime_type| supports(ProducerType::Svc, mime_type));
            (mime_type, if svc { ProducerType::Svc } else { ProducerType::Simulcast })
        }
        [encoding, ..] => (mime_type(encoding), ProducerType::Simulcast),
    };
    match mime_type {
        Some(mime_type) if supports(producer_type, mime_type) => Ok(producer_type),
        Some(mime_type) => Err(NegotiationError::UnsupportedType { mime_type: mime_type.clone(), producer_type }),
        None => Err(super::InvalidParameters::NoMediaCodec.into()),
    }
}

fn supports(producer_type: ProducerType, mime_type: &MimeType) -> bool {
    let any_of =
        |names: &[&str]| mime_type.kind() == MediaKind::Video && names.iter().any(|name| mime_type.is_codec(name));
    match producer_type {
        ProducerType::Simple => true,
        ProducerType::Simulcast => any_of(&["VP8", "VP9", "H264", "AV1"]),
        ProducerType::Svc => any_of(&["VP9", "AV1"]),
    }
}

/// The retransmission codec for the media codec of a payload type.
fn rtx_codec_of(capabilities: &RtpCapabilities, payload_type: PayloadType) -> Option<&RtpCodecCapability> {
    let mut rtx_codecs = capabilities.codecs.iter().filter(|codec| codec.mime_type.is_rtx());
    rtx_codecs.find(|codec| codec.parameters.associated_payload_type() == Some(payload_type))
}

fn in_use(codec: &RtpCodecCapability, payload_type: PayloadType, parameters: CodecParameters) -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: codec.mime_type.clone(),
        payload_type,
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        parameters,
        rtcp_feedback: codec.rtcp_feedback.clone(),
    }
}
