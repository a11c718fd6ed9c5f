//! Payloads with real descriptors and made-up contents, no two alike.

use super::encoder::LayerFrame;
use crate::truth::Stamp;

/// What a source sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// RFC 7587.
    Opus,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// RTP Payload Format For AV1.
    Av1,
}

impl Media {
    /// By MIME type; RED is Opus inside.
    ///
    /// # Panics
    /// There are no payloads for it.
    pub fn of(mime_type: &str) -> Self {
        match mime_type {
            "audio/opus" | "audio/red" => Self::Opus,
            "video/VP8" => Self::Vp8,
            "video/VP9" => Self::Vp9,
            "video/H264" => Self::H264,
            "video/AV1" => Self::Av1,
            other => panic!("no payloads for {other}"),
        }
    }

    /// Whether it has pictures.
    pub fn is_video(self) -> bool {
        self != Self::Opus
    }
}

/// What the descriptors of an encoding have in common.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether frames have spatial or temporal layers.
    pub has_layers: bool,
    /// Temporal layers.
    pub temporal_layers: u8,
    /// Spatial layers.
    pub spatial_layers: u8,
    /// VP9 names each picture's references instead of a repeating group's (RFC 9628 section 4.2, F).
    pub is_flexible: bool,
    /// The first picture's id.
    pub picture_id_base: u16,
}

impl Style {
    /// A picture's id of 15 bits.
    fn picture_id(self, picture: u32) -> u16 {
        self.picture_id_base.wrapping_add(picture as u16) & 0x7fff
    }
}

/// A packet's descriptor and what a decoder reads first.
pub fn head(
    media: Media,
    style: Style,
    layer: &LayerFrame,
    sizes: &[(u16, u16)],
    index: usize,
    count: usize,
) -> Vec<u8> {
    match media {
        Media::Opus => vec![0x78],
        Media::Vp8 => vp8(style, layer, index),
        Media::Vp9 => vp9(style, layer, sizes, index, count),
        Media::H264 => h264(layer, index, count),
        Media::Av1 => av1(style, layer, index, count),
    }
}

/// `head`, filler, and the stamp: `len` bytes, or what is needed at least.
pub fn payload(mut head: Vec<u8>, stamp: &Stamp, len: usize) -> Vec<u8> {
    let end = len.saturating_sub(Stamp::LEN).max(head.len());
    head.reserve_exact(end + Stamp::LEN - head.len());
    head.resize(end, stamp.extended as u8);
    stamp.append_to(&mut head);
    head
}

/// Whether a decoder that has seen nothing can start with this payload, by the formats as a receiver reads them.
pub fn starts_key_frame(media: Media, payload: &[u8]) -> bool {
    match media {
        Media::Opus => true,
        // RFC 7741 section 4: S set, partition 0, and P clear in the header behind the descriptor.
        Media::Vp8 => {
            let extended = if payload[1] & 0x40 != 0 { 2 } else { 0 };
            payload[0] & 0x17 == 0x10 && payload[4 + extended] & 1 == 0
        }
        // RFC 9628 section 4.2: the beginning of a frame of the lowest layer that is predicted from no earlier picture.
        Media::Vp9 => payload[0] & 0x48 == 0x08 && (payload[0] & 0x20 == 0 || payload[3] & 0x0e == 0),
        // RFC 6184 section 5.7.1: an aggregation packet that begins with a sequence parameter set.
        Media::H264 => payload[0] & 0x1f == 24 && payload[3] & 0x1f == 7,
        // Section 4.4: the first packet of a coded video sequence.
        Media::Av1 => payload[0] & 0x88 == 0x08,
    }
}

/// RFC 7741 section 4.2, with a picture id of 15 bits, as libwebrtc sends it.
fn vp8(style: Style, layer: &LayerFrame, index: usize) -> Vec<u8> {
    let temporal = layer.frame.layers.temporal;
    let start = if index == 0 { 0x10 } else { 0 };
    let non_reference = if temporal > 0 && temporal + 1 == style.temporal_layers { 0x20 } else { 0 };
    let picture_id = (style.picture_id(layer.frame.picture) | 0x8000).to_be_bytes();
    let mut bytes = vec![0x80 | start | non_reference, 0x80, picture_id[0], picture_id[1]];
    if style.has_layers {
        bytes[1] |= 0x60;
        bytes.extend([layer.base_index, temporal << 6 | u8::from(layer.is_sync) << 5]);
    }
    if index == 0 {
        let (width, height) = (layer.frame.width.to_le_bytes(), layer.frame.height.to_le_bytes());
        if layer.frame.is_key {
            bytes.extend([0x10, 2, 0, 0x9d, 1, 0x2a, width[0], width[1], height[0], height[1]]);
        } else {
            bytes.extend([0x11, 2, 0, 1, 1, 1]);
        }
    }
    bytes
}

/// RFC 9628 section 4.2.
fn vp9(style: Style, layer: &LayerFrame, sizes: &[(u16, u16)], index: usize, count: usize) -> Vec<u8> {
    let frame = &layer.frame;
    let (spatial, temporal) = (frame.layers.spatial, frame.layers.temporal);
    let has_structure = frame.is_key && spatial == 0 && index == 0 && style.has_layers;
    let has_differences = style.is_flexible && !layer.temporal_references.is_empty();
    let flags = [
        true,
        !layer.temporal_references.is_empty(),
        style.has_layers,
        style.is_flexible,
        index == 0,
        index + 1 == count,
        has_structure,
        !layer.is_used_above && style.spatial_layers > 1,
    ];
    let mut bytes = vec![flags.iter().fold(0, |byte, flag| byte << 1 | u8::from(*flag))];
    bytes.extend((style.picture_id(frame.picture) | 0x8000).to_be_bytes());
    if style.has_layers {
        let up_switch = u8::from(style.temporal_layers > 1);
        bytes.push(temporal << 5 | up_switch << 4 | spatial << 1 | u8::from(layer.spatial_reference.is_some()));
        if !style.is_flexible {
            bytes.push(layer.base_index);
        }
    }
    if has_differences {
        let count = layer.temporal_references.len();
        for (index, reference) in layer.temporal_references.iter().enumerate() {
            bytes.push(((frame.picture - reference.picture) as u8) << 1 | u8::from(index + 1 < count));
        }
    }
    if has_structure {
        bytes.extend(vp9_structure(style, sizes));
    }
    if index == 0 {
        bytes.extend(if frame.is_key && spatial == 0 { [0x82, 0x49, 0x83, 0x42] } else { [0x86, 0, 0x40, 0x92] });
    }
    bytes
}

/// The scalability structure: sizes, and without flexible mode the group of pictures that repeats.
fn vp9_structure(style: Style, sizes: &[(u16, u16)]) -> Vec<u8> {
    // By picture of the group: temporal layer, and how many pictures back its reference is.
    let group: &[(u8, u8)] = match style.temporal_layers {
        3.. => &[(0, 4), (2, 1), (1, 2), (2, 1)],
        2 => &[(0, 2), (1, 1)],
        _ => &[(0, 1)],
    };
    let has_group = !style.is_flexible;
    let mut bytes = vec![(style.spatial_layers - 1) << 5 | 0x10 | u8::from(has_group) << 3];
    for (width, height) in sizes {
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
    }
    if has_group {
        bytes.push(group.len() as u8);
        for (temporal, back) in group {
            bytes.extend([temporal << 5 | u8::from(style.temporal_layers > 1) << 4 | 1 << 2, *back]);
        }
    }
    bytes
}

/// RFC 6184: parameter sets in a STAP-A, then fragments of an IDR slice; other frames are fragments of a slice.
fn h264(layer: &LayerFrame, index: usize, count: usize) -> Vec<u8> {
    let is_key = layer.frame.is_key;
    if is_key && index == 0 {
        return vec![24, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 2, 0x68, 0xce, 0, 16, 0x06];
    }
    let nal_type = if is_key { 5 } else { 1 };
    let first = if is_key { 1 } else { 0 };
    let start = if index == first { 0x80 } else { 0 };
    let end = if index + 1 == count && start == 0 { 0x40 } else { 0 };
    vec![0x7c, start | end | nal_type, 0x88]
}

/// Section 4.4: one OBU element a packet, behind a sequence header where a sequence starts.
fn av1(style: Style, layer: &LayerFrame, index: usize, count: usize) -> Vec<u8> {
    let continues = if index > 0 { 0x80 } else { 0 };
    let continued = if index + 1 < count { 0x40 } else { 0 };
    let (spatial, temporal) = (layer.frame.layers.spatial, layer.frame.layers.temporal);
    let mut bytes = if layer.frame.is_key && spatial == 0 && index == 0 {
        // Two elements, N set: a sequence header of two bytes, then the frame.
        vec![continued | 0x28, 2, 0x08, 0]
    } else {
        vec![continues | continued | 0x10]
    };
    if index == 0 {
        if style.has_layers {
            bytes.extend([0x34, temporal << 5 | spatial << 3]);
        } else {
            bytes.push(0x30);
        }
    }
    bytes
}

/// Opus in RED (RFC 2198): the frame before, if there was one, and this one. Where this one begins in the result.
pub fn red(payload_type: u8, before: Option<(&[u8], u32)>, payload: &[u8]) -> (Vec<u8>, usize) {
    let mut bytes = Vec::with_capacity(payload.len() + 400);
    if let Some((before, ticks)) = before {
        bytes.push(0x80 | payload_type);
        bytes.extend(&(ticks << 10 | before.len() as u32).to_be_bytes()[1..]);
    }
    bytes.push(payload_type);
    bytes.extend(before.map_or(&[][..], |(before, _)| before));
    let start = bytes.len();
    bytes.extend(payload);
    (bytes, start)
}

/// The last block of a RED payload: its payload type and where it begins. Nothing if it is malformed.
pub fn unwrap_red(payload: &[u8]) -> Option<(u8, usize)> {
    let (mut at, mut blocks) = (0, 0);
    while payload.get(at)? & 0x80 != 0 {
        blocks += usize::from(u16::from_be_bytes([*payload.get(at + 2)?, *payload.get(at + 3)?]) & 0x3ff);
        at += 4;
    }
    let start = at + 1 + blocks;
    (start <= payload.len()).then_some((payload[at], start))
}

/// `payload` with the numbers blanked that a forwarder may write anew: picture id and TL0PICIDX.
pub fn without_numbers(media: Media, payload: &[u8]) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    let numbers = numbers(media, payload);
    if let Some((at, _)) = numbers.picture_id {
        bytes[at..at + 2].fill(0);
    }
    if let Some((at, _)) = numbers.base_index {
        bytes[at] = 0;
    }
    bytes
}

/// Numbers in a descriptor that a receiver goes by, each behind its offset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Of 15 bits.
    pub picture_id: Option<(usize, u16)>,
    /// TL0PICIDX.
    pub base_index: Option<(usize, u8)>,
    /// The temporal layer, where it is told.
    pub temporal: Option<u8>,
}

/// Reads them, from a descriptor as this crate's sources write it.
pub fn numbers(media: Media, payload: &[u8]) -> Numbers {
    let read = || -> Option<Numbers> {
        let id_at = match media {
            Media::Vp8 => 2,
            Media::Vp9 => 1,
            _ => return None,
        };
        let has_id = match media {
            Media::Vp8 => payload.first()? & 0x80 != 0 && payload.get(1)? & 0x80 != 0,
            _ => payload.first()? & 0x80 != 0,
        };
        let picture_id = u16::from_be_bytes([*payload.get(id_at)?, *payload.get(id_at + 1)?]);
        if !has_id || picture_id & 0x8000 == 0 {
            return None;
        }
        let mut numbers = Numbers { picture_id: Some((id_at, picture_id & 0x7fff)), ..Numbers::default() };
        let after = id_at + 2;
        if media == Media::Vp8 && payload[1] & 0x60 == 0x60 {
            numbers.base_index = Some((after, *payload.get(after)?));
            numbers.temporal = Some(payload.get(after + 1)? >> 6);
        }
        if media == Media::Vp9 && payload[0] & 0x20 != 0 {
            numbers.temporal = Some(payload.get(after)? >> 5);
            if payload[0] & 0x10 == 0 {
                numbers.base_index = Some((after + 1, *payload.get(after + 1)?));
            }
        }
        Some(numbers)
    };
    read().unwrap_or_default()
}

/// Whether a packet begins its frame, by its descriptor.
pub fn starts_frame(media: Media, payload: &[u8], dependency_descriptor: Option<&[u8]>) -> bool {
    let first = payload.first().copied().unwrap_or_default();
    match media {
        Media::Opus => true,
        Media::Vp8 => first & 0x17 == 0x10,
        Media::Vp9 => first & 0x08 != 0,
        // Our IDR slices are never first: the parameter sets are.
        Media::H264 => {
            first & 0x1f != 28 || payload.get(1).is_some_and(|second| second & 0x80 != 0 && second & 0x1f != 5)
        }
        Media::Av1 => match dependency_descriptor {
            Some(descriptor) => descriptor.first().is_some_and(|first| first & 0x80 != 0),
            None => first & 0x80 == 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn red_is_unwrapped_to_its_last_block() {
        let (alone, at) = red(111, None, b"first");
        assert_eq!((unwrap_red(&alone), &alone[at..]), (Some((111, at)), &b"first"[..]));
        let (both, at) = red(111, Some((b"first", 960)), b"second");
        assert_eq!((unwrap_red(&both), &both[at..]), (Some((111, at)), &b"second"[..]));
        assert_eq!(both[..5], [0x80 | 111, 0x0f, 0, 5, 111], "960 in 14 bits, 5 in 10");
        assert_eq!(unwrap_red(&both[..6]), None);
    }
}
