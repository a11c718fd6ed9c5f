//! Payloads with real descriptors and made-up contents, no two alike.

/// What a source sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    Opus,
    /// Opus with the packet before repeated in each (RFC 2198).
    Red,
    Vp8,
    H264,
}

impl Media {
    pub fn of(mime_type: &str) -> Self {
        match mime_type {
            "audio/opus" => Self::Opus,
            "audio/red" => Self::Red,
            "video/VP8" => Self::Vp8,
            "video/H264" => Self::H264,
            other => panic!("no payloads for {other}"),
        }
    }

    pub fn is_video(self) -> bool {
        !matches!(self, Self::Opus | Self::Red)
    }
}

/// Where in its stream a packet is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub ssrc: u32,
    pub extended: u64,
    pub frame: u64,
    pub index: usize,
    pub count: usize,
    pub is_key: bool,
}

/// The payload of the packet at `place`: its descriptor, then bytes that occur nowhere else, `len` or so in all.
pub fn payload(media: Media, place: Place, len: usize) -> Vec<u8> {
    let mut payload = match media {
        Media::Red => return red(place, len),
        Media::Opus => vec![0x78],
        Media::Vp8 => vp8(place),
        Media::H264 => h264(place),
    };
    payload.extend(place.ssrc.to_be_bytes());
    payload.extend(place.extended.to_be_bytes());
    let filler = place.extended as u8;
    payload.extend((payload.len()..len).map(|at| filler.wrapping_add(at as u8)));
    payload
}

/// Whether a decoder that has seen nothing can start with this payload, by the formats as a receiver reads them.
pub fn starts_key_frame(media: Media, payload: &[u8]) -> bool {
    match media {
        Media::Opus | Media::Red => true,
        // RFC 7741 section 4: S set, partition 0, and P clear in the header behind the 15-bit picture id.
        Media::Vp8 => payload[0] & 0x17 == 0x10 && payload[4] & 1 == 0,
        // RFC 6184 section 5.7.1: an aggregation packet that begins with a sequence parameter set.
        Media::H264 => payload[0] & 0x1f == 24 && payload[3] & 0x1f == 7,
    }
}

/// The payload type that Chromium has for Opus.
pub const OPUS: u8 = 111;

/// RFC 2198: the packet 20 ms before, then this one.
fn red(place: Place, len: usize) -> Vec<u8> {
    let primary = payload(Media::Opus, place, len);
    let repeated = payload(Media::Opus, Place { extended: place.extended - 1, ..place }, len);
    let offset_and_length = (960_u32 << 10 | repeated.len() as u32).to_be_bytes();
    [&[0x80 | OPUS], &offset_and_length[1..], &[OPUS], &repeated, &primary].concat()
}

/// RFC 7741 section 4.2, with a picture id of 15 bits, as libwebrtc sends it.
fn vp8(place: Place) -> Vec<u8> {
    let start = if place.index == 0 { 0x10 } else { 0 };
    let picture_id = (place.frame as u16 | 0x8000).to_be_bytes();
    let mut bytes = vec![0x80 | start, 0x80, picture_id[0], picture_id[1]];
    if place.index == 0 {
        bytes.extend(if place.is_key { [0x10, 2, 0, 0x9d, 1, 0x2a] } else { [0x11, 2, 0, 1, 1, 1] });
    }
    bytes
}

/// RFC 6184: parameter sets in a STAP-A, then fragments of an IDR slice; other frames are fragments of a slice.
fn h264(place: Place) -> Vec<u8> {
    if place.is_key && place.index == 0 {
        return vec![24, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 2, 0x68, 0xce, 0, 16, 0x06];
    }
    let nal_type = if place.is_key { 5 } else { 1 };
    let first = if place.is_key { 1 } else { 0 };
    let start = if place.index == first { 0x80 } else { 0 };
    let end = if place.index + 1 == place.count { 0x40 } else { 0 };
    vec![0x7c, start | end | nal_type, 0x88]
}
