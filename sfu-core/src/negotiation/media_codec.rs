//! The codecs that a router is configured with.

use serde::{Deserialize, Serialize};

use crate::ids::PayloadType;
use crate::parameters::{CodecParameters, MediaKind, MimeType, ParameterValue, RtcpFeedback};

/// A codec that a router shall offer, as it stands in the configuration; retransmission is added by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaCodec {
    /// Audio or video; must be what `mime_type` says.
    pub kind: MediaKind,
    /// The codec.
    pub mime_type: MimeType,
    /// RTP timestamp ticks per second.
    pub clock_rate: u32,
    /// Audio channels; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// The codec's own parameters, added to the ones that it always has.
    #[serde(default)]
    pub parameters: CodecParameters,
    /// A payload type of one's own choice; allocated if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_payload_type: Option<PayloadType>,
    /// The RTCP feedback to offer out of what the codec supports; all of it if empty.
    #[serde(default)]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// What a router offers unless it is configured otherwise: Opus, PCMU, PCMA, VP8, VP9 profiles 0 and 2, H264 constrained
/// baseline and main, AV1, and redundant audio. That comes last, so that Opus stays what clients choose first and no other
/// codec's payload type depends on it.
pub fn default_media_codecs() -> Vec<MediaCodec> {
    let h264 = |profile_level_id: &str| {
        let parameters: [(&str, ParameterValue); 3] = [
            ("packetization-mode", 1.into()),
            ("profile-level-id", profile_level_id.into()),
            ("level-asymmetry-allowed", 1.into()),
        ];
        MediaCodec { parameters: parameters.into_iter().collect(), ..of_format(&H264) }
    };
    let vp9 = |profile_id: i64| MediaCodec {
        parameters: [("profile-id", profile_id)].into_iter().collect(),
        ..of_format(&VP9)
    };
    vec![
        of_format(&OPUS),
        of_format(&PCMU),
        of_format(&PCMA),
        of_format(&VP8),
        vp9(0),
        vp9(2),
        h264("42e01f"),
        h264("4d0032"),
        of_format(&AV1),
        of_format(&RED),
    ]
}

fn of_format(format: &SupportedFormat) -> MediaCodec {
    MediaCodec {
        kind: format.kind,
        mime_type: format.mime_type(),
        clock_rate: format.clock_rate,
        channels: format.channels,
        parameters: CodecParameters::default(),
        preferred_payload_type: None,
        rtcp_feedback: Vec::new(),
    }
}

/// A codec that this server can forward.
#[derive(Debug)]
pub(super) struct SupportedFormat {
    pub(super) kind: MediaKind,
    name: &'static str,
    pub(super) clock_rate: u32,
    pub(super) channels: Option<u8>,
    /// RFC 3551's payload type, if the codec has one.
    pub(super) static_payload_type: Option<PayloadType>,
    /// Parameters that are always offered.
    pub(super) parameters: &'static [(&'static str, i64)],
    feedback: &'static [(&'static str, &'static str)],
}

impl SupportedFormat {
    /// The format of a codec name and kind.
    pub(super) fn find(mime_type: &MimeType) -> Option<&'static Self> {
        SUPPORTED.into_iter().find(|format| format.kind == mime_type.kind() && mime_type.is_codec(format.name))
    }

    pub(super) fn mime_type(&self) -> MimeType {
        MimeType::of(self.kind, self.name)
    }

    /// RTCP feedback that is understood for it.
    pub(super) fn rtcp_feedback(&self) -> Vec<RtcpFeedback> {
        self.feedback.iter().map(|(feedback_type, parameter)| RtcpFeedback::new(feedback_type, parameter)).collect()
    }
}

static SUPPORTED: [&SupportedFormat; 8] = [&OPUS, &RED, &PCMU, &PCMA, &VP8, &VP9, &H264, &AV1];

const OPUS_FORMAT: SupportedFormat = SupportedFormat {
    kind: MediaKind::Audio,
    name: "opus",
    clock_rate: 48_000,
    channels: Some(2),
    static_payload_type: None,
    parameters: &[],
    feedback: &[("nack", ""), ("transport-cc", "")],
};

static OPUS: SupportedFormat = OPUS_FORMAT;

/// Its parameters are the payload type of Opus, which a router allocates.
static RED: SupportedFormat = SupportedFormat { name: "red", ..OPUS_FORMAT };

static PCMU: SupportedFormat = g711("PCMU", PayloadType(0));

static PCMA: SupportedFormat = g711("PCMA", PayloadType(8));

static VP8: SupportedFormat = video("VP8", &[]);

static VP9: SupportedFormat = video("VP9", &[]);

static H264: SupportedFormat = video("H264", &[("level-asymmetry-allowed", 1)]);

static AV1: SupportedFormat = video("AV1", &[]);

const fn g711(name: &'static str, payload_type: PayloadType) -> SupportedFormat {
    SupportedFormat {
        kind: MediaKind::Audio,
        name,
        clock_rate: 8_000,
        channels: Some(1),
        static_payload_type: Some(payload_type),
        parameters: &[],
        feedback: &[("transport-cc", "")],
    }
}

const fn video(name: &'static str, parameters: &'static [(&'static str, i64)]) -> SupportedFormat {
    SupportedFormat {
        kind: MediaKind::Video,
        name,
        clock_rate: 90_000,
        channels: None,
        static_payload_type: None,
        parameters,
        feedback: &[("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", ""), ("transport-cc", "")],
    }
}
