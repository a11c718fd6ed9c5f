//! What a peer shows: codec, sizes, layers, rates.

use std::time::Duration;

/// Video codecs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// VP8.
    Vp8,
    /// VP9, profile 0.
    Vp9,
    /// H.264, constrained baseline.
    H264,
    /// AV1.
    Av1,
}

impl VideoCodec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Vp8, Self::Vp9, Self::H264, Self::Av1];
}

/// One encoding of a video: alone, or one of a simulcast.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    /// Its layers, such as `L3T3_KEY` (W3C WebRTC-SVC).
    pub mode: String,
    /// Bit/s of each spatial layer by itself, lowest first.
    pub bitrates: Vec<u64>,
    /// Width and height of each spatial layer in pixels, lowest first.
    pub sizes: Vec<(u16, u16)>,
}

/// A camera's or a screen's picture, as it is published.
#[derive(Debug, Clone, PartialEq)]
pub struct Video {
    /// The codec.
    pub codec: VideoCodec,
    /// One, or those of a simulcast, lowest first.
    pub encodings: Vec<Encoding>,
    /// From one picture to the next.
    pub interval: Duration,
    /// How many times the mean a key frame has.
    pub key_factor: f64,
    /// How much frames differ in size: 0.1 is by 10 % at most.
    pub variation: f64,
    /// VP9 in flexible mode.
    pub is_flexible: bool,
    /// The probability that a picture comes without its uppermost spatial layer, as AV1's sometimes do.
    pub left_out: f64,
}

/// Sizes and rates of three layers, about what Chromium sends of a 720p camera.
const LAYERS: [((u16, u16), u64); 3] = [((320, 180), 150_000), ((640, 360), 500_000), ((1280, 720), 1_200_000)];

impl Video {
    /// One stream of 720p at 30 pictures/s and 1.2 Mbit/s, without layers.
    pub fn single(codec: VideoCodec) -> Self {
        Self::with(
            codec,
            vec![Encoding { mode: "L1T1".to_owned(), bitrates: vec![LAYERS[2].1], sizes: vec![LAYERS[2].0] }],
        )
    }

    /// Two or three encodings of 150, 500 and 1200 kbit/s. All but H.264 have three temporal layers.
    ///
    /// # Panics
    /// `count` is above three.
    pub fn simulcast(codec: VideoCodec, count: usize) -> Self {
        let mode = if codec == VideoCodec::H264 { "L1T1" } else { "L1T3" };
        let encoding = |(size, bitrate)| Encoding { mode: mode.to_owned(), bitrates: vec![bitrate], sizes: vec![size] };
        Self::with(codec, LAYERS[..count].iter().copied().map(encoding).collect())
    }

    /// One stream of up to three spatial layers, such as `L3T3_KEY`.
    ///
    /// # Panics
    /// `mode` has more than three spatial layers.
    pub fn svc(codec: VideoCodec, mode: &str) -> Self {
        let count = usize::from(sfu_core::negotiation::ScalabilityMode::parse(Some(mode)).spatial_layers);
        // Fewer layers are the upper ones, the largest being the camera's size.
        let layers = &LAYERS[LAYERS.len() - count..];
        let (sizes, bitrates) = layers.iter().copied().unzip();
        let left_out = if codec == VideoCodec::Av1 && count > 1 { 0.01 } else { 0.0 };
        Self { left_out, ..Self::with(codec, vec![Encoding { mode: mode.to_owned(), bitrates, sizes }]) }
    }

    /// A shared screen: 1080p at 5 pictures/s and 800 kbit/s, with key frames of about 200 kB.
    pub fn screen(codec: VideoCodec) -> Self {
        let encoding = Encoding { mode: "L1T1".to_owned(), bitrates: vec![800_000], sizes: vec![(1920, 1080)] };
        Self {
            interval: Duration::from_millis(200),
            key_factor: 10.0,
            variation: 0.6,
            ..Self::with(codec, vec![encoding])
        }
    }

    fn with(codec: VideoCodec, encodings: Vec<Encoding>) -> Self {
        Self {
            codec,
            encodings,
            interval: Duration::from_nanos(33_333_333),
            key_factor: 5.0,
            variation: 0.15,
            is_flexible: false,
            left_out: 0.0,
        }
    }
}

/// What a peer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audio {
    /// dBov below full scale, 0 to 127 (RFC 6464).
    pub level: u8,
    /// Whether it is speech (RFC 6464, V).
    pub is_voice: bool,
    /// Sends one packet in 400 ms while the level is 127, as Opus with discontinuous transmission.
    pub uses_dtx: bool,
    /// Bytes of a packet.
    pub bytes: usize,
    /// Sends RED (RFC 2198), each packet repeating the one before.
    pub is_red: bool,
}

impl Default for Audio {
    /// A voice of -30 dBov at 36 kbit/s.
    fn default() -> Self {
        Self { level: 30, is_voice: true, uses_dtx: false, bytes: 90, is_red: false }
    }
}
