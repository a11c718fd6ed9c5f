//! What a forwarder must know of a payload: where a decoder can start.
//!
//! Each codec's file reads its payload descriptor as far as that needs, and no further. A payload that is malformed or
//! truncated is no key frame and starts none: a decoder could not start there either.

mod av1;
mod h264;
mod vp8;
mod vp9;

use super::layers::Layers;

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

/// What one packet says about the frame that it belongs to. In a stream with spatial layers a frame is one layer's part of a
/// picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// Whether a decoder that has seen nothing can start with this packet. True for the packets at the start of a key
    /// frame (with spatial layers: of the lowest one), not for the rest of it; for audio, which has no dependencies, always.
    pub key_frame: bool,
    /// Whether a frame starts in this packet.
    pub starts_frame: bool,
    /// Whether a frame ends with this packet.
    pub ends_frame: bool,
    /// The layers that the frame belongs to. The spatial one is that inside the stream: 0 for each encoding of a simulcast.
    pub layers: Layers,
    /// Whether a receiver of all lower temporal layers can take this frame's temporal layer from here on.
    pub temporal_switch: bool,
    /// Whether a receiver of all lower spatial layers can take this frame's spatial layer from here on: it is predicted from
    /// nothing but the lower layers of the same picture.
    pub spatial_switch: bool,
    /// Numbers in the payload that must be continuous for a receiver.
    pub numbers: Option<PictureNumbers>,
}

impl FrameInfo {
    /// Nothing starts or ends, in the lowest layers.
    pub const NONE: Self = Self {
        key_frame: false,
        starts_frame: false,
        ends_frame: false,
        layers: Layers { spatial: 0, temporal: 0 },
        temporal_switch: false,
        spatial_switch: false,
        numbers: None,
    };
}

/// The numbers of a VP8 or VP9 payload descriptor, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureNumbers {
    /// The picture's number, of 7 or 15 bits.
    pub picture_id: u16,
    /// Whether the number has 15 bits.
    pub is_long: bool,
    /// Offset of the picture id in the payload.
    pub picture_id_at: u8,
    /// The running index of temporal base layer pictures and its offset, where present.
    pub tl0_picture_index: Option<(u8, u8)>,
}

impl PictureNumbers {
    /// Replaces the numbers in `payload`, which is the payload that they were read from or a copy. A long id keeps 15 bits of
    /// `picture_id`, a short one 7.
    pub fn write(&self, payload: &mut [u8], picture_id: u16, tl0_picture_index: u8) {
        let at = usize::from(self.picture_id_at);
        if self.is_long {
            if let Some(place) = payload.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
                *place = (picture_id | 0x8000).to_be_bytes();
            }
        } else if let Some(place) = payload.get_mut(at) {
            *place = (picture_id & 0x7f) as u8;
        }
        if let Some((_, at)) = self.tl0_picture_index
            && let Some(place) = payload.get_mut(usize::from(at))
        {
            *place = tl0_picture_index;
        }
    }
}

/// Reads the packets of one received stream.
#[derive(Debug, Default)]
pub struct FrameReader {}

impl FrameReader {
    /// Reads `payload`, a packet's payload without padding. `dependency_descriptor` is the value of that header extension, when
    /// the packet has it, `marker` the RTP header's bit.
    pub fn read(
        &mut self,
        codec: Codec,
        payload: &[u8],
        dependency_descriptor: Option<&[u8]>,
        marker: bool,
    ) -> FrameInfo {
        FrameInfo { ends_frame: marker, ..codec.frame_info(payload, dependency_descriptor) }
    }
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
            Self::Opus | Self::Pcmu | Self::Pcma => {
                FrameInfo { key_frame: true, starts_frame: true, ..FrameInfo::NONE }
            }
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
            assert_eq!(
                codec.frame_info(&[], None),
                FrameInfo { key_frame: true, starts_frame: true, ..FrameInfo::NONE }
            );
        }
    }

    #[test]
    fn an_empty_video_payload_starts_nothing() {
        for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
            assert_eq!(codec.frame_info(&[], None), FrameInfo::default());
        }
    }
}
