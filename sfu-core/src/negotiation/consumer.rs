//! From what consumers may get of a producer to what one of them gets.

use rand::RngCore;

use super::codecs::CodecView;
use super::validate::check_capabilities;
use super::{NegotiationError, ScalabilityMode, nth_ssrc, random_rtx_ssrc, random_ssrc, red};
use crate::parameters::{
    HeaderExtensionUri, RtcpFeedback, RtpCapabilities, RtpCodecParameters, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
};

/// Whether a side with these capabilities can receive a producer, given what is consumable of it.
pub fn can_consume(consumable: &RtpParameters, capabilities: &RtpCapabilities) -> Result<bool, NegotiationError> {
    check_capabilities(capabilities)?;
    // Redundant audio is of no use without the codec that it carries.
    let first_match = consumable.codecs.iter().filter(|codec| !red::is_red(&codec.mime_type)).find(|codec| {
        capabilities.codecs.iter().any(|capability| CodecView::from(capability).matches((*codec).into()).is_some())
    });
    Ok(first_match.is_some_and(|codec| !codec.mime_type.is_rtx()))
}

/// What a consumer gets: the codecs, feedback and header extensions that its side can take, under the router's numbers.
///
/// One encoding stands for all of the producer's, with the best of their bit rates and, for simulcast, as many spatial
/// layers as there are streams; over a `pipe` every encoding stays. Bandwidth is estimated by transport-wide feedback
/// if the header extension is there, else by REMB if abs-send-time is, else not at all. Without `enable_rtx` neither
/// RTX nor NACK remains. SSRCs are random; the MID is for the transport to set.
pub fn consumer_rtp_parameters(
    consumable: &RtpParameters,
    remote_capabilities: &RtpCapabilities,
    pipe: bool,
    enable_rtx: bool,
    rng: &mut impl RngCore,
) -> Result<RtpParameters, NegotiationError> {
    check_capabilities(remote_capabilities)?;
    let mut codecs: Vec<RtpCodecParameters> = Vec::with_capacity(consumable.codecs.len());
    for codec in &consumable.codecs {
        if codec.mime_type.is_rtx() && !enable_rtx {
            continue;
        }
        let matched = remote_capabilities
            .codecs
            .iter()
            .find(|capability| CodecView::from(*capability).matches(codec.into()).is_some());
        if let Some(capability) = matched {
            let mut rtcp_feedback = capability.rtcp_feedback.clone();
            rtcp_feedback.retain(|feedback| enable_rtx || !feedback.is("nack", ""));
            codecs.push(RtpCodecParameters { rtcp_feedback, ..codec.clone() });
        }
    }
    // A client's one RTX capability matches every RTX codec here; those whose media codec it lacks are of no use.
    let media_types: Vec<_> =
        codecs.iter().filter(|codec| !codec.mime_type.is_rtx()).map(|codec| codec.payload_type).collect();
    codecs.retain(|codec| {
        !codec.mime_type.is_rtx() || codec.associated_payload_type().is_some_and(|apt| media_types.contains(&apt))
    });
    // Nor is redundant audio without the codec that it carries.
    let carried: Vec<_> = codecs.iter().filter(|codec| red::is_carried(&codec.mime_type)).cloned().collect();
    codecs.retain(|codec| !red::is_red(&codec.mime_type) || red::primary_codec(codec, &carried).is_some());
    if codecs.first().is_none_or(|codec| codec.mime_type.is_rtx()) {
        return Err(NegotiationError::NoCompatibleCodecs);
    }
    let rtx_supported = codecs.iter().any(|codec| codec.mime_type.is_rtx());

    let mut header_extensions = consumable.header_extensions.clone();
    header_extensions.retain(|extension| {
        let mut remote = remote_capabilities.header_extensions.iter();
        remote.any(|capability| capability.preferred_id == extension.id && capability.uri == extension.uri)
    });
    let estimation = BandwidthEstimation::of(&header_extensions);
    for codec in &mut codecs {
        codec.rtcp_feedback.retain(|feedback| estimation.wants(feedback));
    }

    let encodings = if pipe {
        pipe_encodings(&consumable.encodings, rtx_supported, rng)
    } else {
        vec![single_encoding(&consumable.encodings, rtx_supported, rng)]
    };
    Ok(RtpParameters {
        mid: None,
        codecs,
        header_extensions,
        encodings,
        rtcp: consumable.rtcp.clone(),
        msid: consumable.msid.clone(),
    })
}

/// What a consumer gets that carries a producer to another router: everything, but for the MID, bandwidth estimation
/// and, without `enable_rtx`, RTX and NACK.
pub fn pipe_consumer_rtp_parameters(
    consumable: &RtpParameters,
    enable_rtx: bool,
    rng: &mut impl RngCore,
) -> RtpParameters {
    let mut codecs = consumable.codecs.clone();
    codecs.retain(|codec| enable_rtx || !codec.mime_type.is_rtx());
    for codec in &mut codecs {
        codec.rtcp_feedback.retain(|feedback| {
            feedback.is("nack", "pli") || feedback.is("ccm", "fir") || (enable_rtx && feedback.is("nack", ""))
        });
    }
    let mut header_extensions = consumable.header_extensions.clone();
    header_extensions.retain(|extension| {
        use HeaderExtensionUri::{AbsSendTime, Mid, TransportWideCc};
        !matches!(extension.uri, Mid | AbsSendTime | TransportWideCc)
    });
    RtpParameters {
        mid: None,
        codecs,
        header_extensions,
        encodings: pipe_encodings(&consumable.encodings, enable_rtx, rng),
        rtcp: consumable.rtcp.clone(),
        msid: consumable.msid.clone(),
    }
}

/// How the bandwidth towards a consumer is estimated.
#[derive(Debug, Clone, Copy)]
enum BandwidthEstimation {
    TransportWideFeedback,
    Remb,
    None,
}

impl BandwidthEstimation {
    fn of(header_extensions: &[RtpHeaderExtensionParameters]) -> Self {
        let has = |uri| header_extensions.iter().any(|extension| extension.uri == uri);
        if has(HeaderExtensionUri::TransportWideCc) {
            Self::TransportWideFeedback
        } else if has(HeaderExtensionUri::AbsSendTime) {
            Self::Remb
        } else {
            Self::None
        }
    }

    /// Whether feedback is of use: false for that of another way of estimation.
    fn wants(self, feedback: &RtcpFeedback) -> bool {
        match feedback.feedback_type.as_str() {
            "transport-cc" => matches!(self, Self::TransportWideFeedback),
            "goog-remb" => matches!(self, Self::Remb),
            _ => true,
        }
    }
}

fn single_encoding(
    consumable: &[RtpEncodingParameters],
    rtx_supported: bool,
    rng: &mut impl RngCore,
) -> RtpEncodingParameters {
    let ssrc = random_ssrc(rng);
    let mode =
        consumable.iter().filter_map(|encoding| encoding.scalability_mode.as_deref()).find(|mode| !mode.is_empty());
    let scalability_mode = if consumable.len() > 1 {
        Some(format!("L{}T{}", consumable.len(), ScalabilityMode::parse(mode).temporal_layers))
    } else {
        mode.map(str::to_owned)
    };
    RtpEncodingParameters {
        ssrc: Some(nth_ssrc(ssrc, 0)),
        rtx: rtx_supported.then(|| RtxParameters { ssrc: nth_ssrc(ssrc, 1) }),
        scalability_mode,
        max_bitrate: consumable.iter().filter_map(|encoding| encoding.max_bitrate).max().filter(|bps| *bps > 0),
        ..RtpEncodingParameters::default()
    }
}

fn pipe_encodings(
    consumable: &[RtpEncodingParameters],
    rtx: bool,
    rng: &mut impl RngCore,
) -> Vec<RtpEncodingParameters> {
    let ssrc = random_ssrc(rng);
    let rtx_ssrc = random_rtx_ssrc(rng);
    let encodings = consumable.iter().enumerate().map(|(index, encoding)| RtpEncodingParameters {
        ssrc: Some(nth_ssrc(ssrc, index)),
        rtx: rtx.then(|| RtxParameters { ssrc: nth_ssrc(rtx_ssrc, index) }),
        ..encoding.clone()
    });
    encodings.collect()
}
