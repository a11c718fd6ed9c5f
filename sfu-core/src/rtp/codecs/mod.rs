//! What a forwarder must know of a payload: where a decoder can start.
//!
//! Each codec's file reads its payload descriptor as far as that needs, and no further. A payload that is malformed or
//! truncated is no key frame and starts none: a decoder could not start there either.

mod av1;
mod h264;
mod vp8;
mod vp9;

/// The codecs that are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus (RFC 7587).
    Opus,
    /// G.711 µ-law (RFC 3551 section 4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 section 4.5.14).
    Pcma,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184).
    H264,
    /// AV1 (RTP Payload Format For AV1, version 1.0).
    Av1,
}

/// What one packet's payload says about the frame it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// Whether a decoder that has seen nothing can start with this packet. True for the packets at the start of a key
    /// frame, not for the rest of it; for audio, which has no dependencies, always.
    pub key_frame: bool,
    /// Whether a frame, or one layer's part of it, starts in this packet, as far as the codec's payload shows.
    pub starts_frame: bool,
}

impl Codec {
    /// The codec of a MIME type such as `video/VP8`, in any case. `None` for one that is not forwarded by itself,
    /// RTX included.
    pub fn from_mime(mime: &str) -> Option<Self> {
        const BY_MIME: [(&str, Codec); 7] = [
            ("audio/opus", Codec::Opus),
            ("audio/PCMU", Codec::Pcmu),
            ("audio/PCMA", Codec::Pcma),
            ("video/VP8", Codec::Vp8),
            ("video/VP9", Codec::Vp9),
            ("video/H264", Codec::H264),
            ("video/AV1", Codec::Av1),
        ];
        BY_MIME.iter().find(|(name, _)| name.eq_ignore_ascii_case(mime)).map(|&(_, codec)| codec)
    }

    /// Reads `payload`, a packet's payload without padding. `dependency_descriptor` is the value of that header
    /// extension, when the packet has it; AV1 alone looks at it.
    pub fn frame_info(self, payload: &[u8], dependency_descriptor: Option<&[u8]>) -> FrameInfo {
        match self {
            Self::Opus | Self::Pcmu | Self::Pcma => FrameInfo { key_frame: true, starts_frame: true },
            Self::Vp8 => vp8::frame_info(payload),
            Self::Vp9 => vp9::frame_info(payload),
            Self::H264 => h264::frame_info(payload),
            Self::Av1 => av1::frame_info(payload, dependency_descriptor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mime_types_are_known_in_any_case() {
        assert_eq!(Codec::from_mime("audio/OPUS"), Some(Codec::Opus));
        assert_eq!(Codec::from_mime("audio/pcmu"), Some(Codec::Pcmu));
        assert_eq!(Codec::from_mime("audio/PCMA"), Some(Codec::Pcma));
        assert_eq!(Codec::from_mime("video/vp8"), Some(Codec::Vp8));
        assert_eq!(Codec::from_mime("video/VP9"), Some(Codec::Vp9));
        assert_eq!(Codec::from_mime("video/h264"), Some(Codec::H264));
        assert_eq!(Codec::from_mime("video/AV1"), Some(Codec::Av1));
        for other in ["video/rtx", "video/opus", "VP8", "", "audio/opus "] {
            assert_eq!(Codec::from_mime(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_listener_can_start_at_any_audio_packet() {
        for codec in [Codec::Opus, Codec::Pcmu, Codec::Pcma] {
            assert_eq!(codec.frame_info(&[], None), FrameInfo { key_frame: true, starts_frame: true });
        }
    }

    #[test]
    fn an_empty_video_payload_starts_nothing() {
        for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
            assert_eq!(codec.frame_info(&[], None), FrameInfo::default());
        }
    }
}
