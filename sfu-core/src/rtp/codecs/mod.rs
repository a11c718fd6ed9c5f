//! What a forwarder must know of a packet: which frame and layers it is of, and where a decoder can start or switch.
//!
//! Each codec's file reads its payload descriptor as far as that needs, and no further. A payload that is malformed or
//! truncated is no key frame: a decoder could not start there either.

mod av1;
mod dependency_descriptor;
mod frame;
mod h264;
mod reader;
mod vp8;
mod vp9;

pub use self::frame::{FrameInfo, PictureNumbers};
pub use self::reader::FrameReader;

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
            let info = FrameReader::default().read(codec, &[1], None, false);
            assert!(info.key_frame && info.starts_frame && info.ends_frame);
        }
    }

    #[test]
    fn an_empty_video_payload_starts_nothing() {
        for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
            let info = FrameReader::default().read(codec, &[], None, false);
            assert!(
                !info.key_frame && !info.starts_frame && !info.temporal_switch && !info.spatial_switch,
                "{codec:?}"
            );
        }
    }
}
