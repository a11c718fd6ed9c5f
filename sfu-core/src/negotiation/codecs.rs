//! When two descriptions of a codec mean the same one.

use super::h264;
use crate::parameters::{
    CodecParameters, MediaKind, MimeType, ParameterNumber, ParameterValue, RtpCodecCapability, RtpCodecParameters,
};

/// What matching looks at in a capability or in parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodecView<'a> {
    pub(super) mime_type: &'a MimeType,
    pub(super) clock_rate: u32,
    pub(super) channels: Option<u8>,
    pub(super) parameters: &'a CodecParameters,
}

/// What a match changes in the parameters of the side that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Adjustment {
    /// Nothing.
    None,
    /// H264's `profile-level-id` becomes this; it is taken away when there is none.
    ProfileLevelId(Option<String>),
}

impl Adjustment {
    /// Carries the change out.
    pub(super) fn apply(self, parameters: &mut CodecParameters) {
        match self {
            Self::None => {}
            Self::ProfileLevelId(Some(id)) => parameters.insert(h264::PROFILE_LEVEL_ID, id.as_str()),
            Self::ProfileLevelId(None) => parameters.remove(h264::PROFILE_LEVEL_ID),
        }
    }
}

impl<'a> CodecView<'a> {
    /// Whether the names, clock rates and channels are equal.
    pub(super) fn is_same_format(self, other: CodecView<'_>) -> bool {
        self.mime_type == other.mime_type
            && self.clock_rate == other.clock_rate
            && channels_of(self.mime_type, self.channels) == channels_of(other.mime_type, other.channels)
    }

    /// Whether both are the same codec, their decisive parameters included; if so, what it changes in ours.
    pub(super) fn matches(self, other: CodecView<'_>) -> Option<Adjustment> {
        if !self.is_same_format(other) {
            return None;
        }
        let same = |name| or_zero(self.parameters.get(name)) == or_zero(other.parameters.get(name));
        if self.mime_type.is_codec("H264") {
            if !same("packetization-mode") {
                return None;
            }
            return h264::answer(self.parameters, other.parameters).map(Adjustment::ProfileLevelId);
        }
        if self.mime_type.is_codec("VP9") && !same("profile-id") {
            return None;
        }
        Some(Adjustment::None)
    }
}

/// Audio has one channel unless it says otherwise; video has none to speak of.
pub(super) fn channels_of(mime_type: &MimeType, channels: Option<u8>) -> Option<u8> {
    match mime_type.kind() {
        MediaKind::Audio => Some(channels.unwrap_or(1)),
        MediaKind::Video => None,
    }
}

/// A value that stands for nothing means 0, the default of the parameters that are compared.
fn or_zero(value: Option<&ParameterValue>) -> &ParameterValue {
    const ZERO: &ParameterValue = &ParameterValue::Number(ParameterNumber::Integer(0));
    value.filter(|value| !value.is_falsy()).unwrap_or(ZERO)
}

impl<'a> From<&'a RtpCodecCapability> for CodecView<'a> {
    fn from(codec: &'a RtpCodecCapability) -> Self {
        Self {
            mime_type: &codec.mime_type,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: &codec.parameters,
        }
    }
}

impl<'a> From<&'a RtpCodecParameters> for CodecView<'a> {
    fn from(codec: &'a RtpCodecParameters) -> Self {
        Self {
            mime_type: &codec.mime_type,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: &codec.parameters,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn codec(mime_type: &str, clock_rate: u32, channels: Option<u8>, parameters: Value) -> RtpCodecParameters {
        let value = json!({
            "mimeType": mime_type, "payloadType": 96, "clockRate": clock_rate, "channels": channels,
            "parameters": parameters,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn codecs_match_by_name_rate_channels_and_decisive_parameters() {
        let video = |mime: &str, parameters| codec(mime, 90000, None, parameters);
        let table = [
            (
                codec("audio/opus", 48000, Some(2), json!({})),
                codec("audio/OPUS", 48000, Some(2), json!({"x": 1})),
                true,
            ),
            (codec("audio/opus", 48000, Some(2), json!({})), codec("audio/opus", 48000, None, json!({})), false),
            (codec("audio/PCMU", 8000, Some(1), json!({})), codec("audio/PCMU", 8000, None, json!({})), true),
            (codec("audio/PCMU", 8000, None, json!({})), codec("audio/PCMU", 16000, None, json!({})), false),
            (video("video/VP8", json!({})), video("video/VP9", json!({})), false),
            // A client that gives a video codec channels is forgiven, as mediasoup does.
            (codec("video/VP8", 90000, Some(2), json!({})), video("video/VP8", json!({})), true),
            (video("video/VP9", json!({"profile-id": 0})), video("video/VP9", json!({})), true),
            (video("video/VP9", json!({"profile-id": 2})), video("video/VP9", json!({})), false),
            (video("video/VP9", json!({"profile-id": 2})), video("video/VP9", json!({"profile-id": 2})), true),
            (video("video/VP9", json!({"profile-id": "2"})), video("video/VP9", json!({"profile-id": 2})), false),
            (video("video/AV1", json!({"profile": 0})), video("video/AV1", json!({"profile": 1})), true),
            (video("video/H264", json!({"packetization-mode": 1})), video("video/H264", json!({})), false),
            (video("video/H264", json!({"packetization-mode": 0})), video("video/H264", json!({})), true),
            (
                video("video/H264", json!({"profile-level-id": "42e01f"})),
                video("video/H264", json!({"profile-level-id": "4d001f"})),
                false,
            ),
            (video("video/H264", json!({"profile-level-id": 7})), video("video/H264", json!({})), false),
        ];
        for (left, right, expected) in table {
            let matched = CodecView::from(&left).matches(CodecView::from(&right)).is_some();
            assert_eq!(matched, expected, "{left:?} {right:?}");
        }
    }
}
