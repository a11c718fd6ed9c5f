//! Which frames an encoder makes, and what each is predicted from.

use std::time::Duration;

use sfu_core::negotiation::ScalabilityMode;
use sfu_core::rtp::layers::Layers;

use crate::truth::Frame;

/// Over how many pictures at most an encoder pays back what a key frame took: this part of each.
const REPAYMENT: f64 = 0.25;
/// Bytes of the smallest frame.
const MIN_FRAME_BYTES: f64 = 80.0;

/// Something that a later frame can be predicted from.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// The frame's id.
    pub id: u32,
    /// Its number among the encoding's frames.
    pub number: u32,
    /// Its picture's number.
    pub picture: u32,
}

/// One layer's part of a picture.
#[derive(Debug, Clone)]
pub struct LayerFrame {
    /// What is true of it.
    pub frame: Frame,
    /// Its picture's place behind the last key picture.
    pub position: u32,
    /// What it is predicted from in earlier pictures.
    pub temporal_references: Vec<Reference>,
    /// What it is predicted from in its own picture.
    pub spatial_reference: Option<Reference>,
    /// Whether the next spatial layer is predicted from it.
    pub is_used_above: bool,
    /// Whether it is predicted from base layer pictures alone: VP8's Y.
    pub is_sync: bool,
    /// The running number of base layer pictures.
    pub base_index: u8,
}

impl LayerFrame {
    /// What it is predicted from.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.temporal_references.iter().chain(&self.spatial_reference)
    }
}

/// How the temporal layers depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// libwebrtc's for VP8: over eight pictures, the second half depending on the first half's T1.
    Vp8,
    /// The scalability modes of W3C WebRTC-SVC: over four pictures.
    Standard,
}

/// The structure of one encoding.
#[derive(Debug, Clone)]
pub struct Encoder {
    /// Its layers.
    pub mode: ScalabilityMode,
    pattern: Pattern,
    /// Spatial layers that are sent now.
    spatial_layers: u8,
    /// Pictures since the last key picture.
    position: u32,
    pictures: u32,
    frames: u32,
    base_pictures: u8,
    /// By spatial layer, the latest T0 and T1 frames.
    latest: Vec<[Option<Reference>; 2]>,
    /// By spatial layer, bytes too many so far.
    debt: Vec<f64>,
}

impl Encoder {
    /// An encoder that has made nothing yet. Its first picture must be a key picture.
    pub fn new(mode: ScalabilityMode, pattern: Pattern) -> Self {
        let spatial = usize::from(mode.spatial_layers);
        Self {
            mode,
            pattern,
            spatial_layers: mode.spatial_layers,
            position: 0,
            pictures: 0,
            frames: 0,
            base_pictures: 0,
            latest: vec![[None; 2]; spatial],
            debt: vec![0.0; spatial],
        }
    }

    /// Whether nothing was made yet.
    pub fn is_new(&self) -> bool {
        self.pictures == 0
    }

    /// Spatial layers that are sent now.
    pub fn spatial_layers(&self) -> u8 {
        self.spatial_layers
    }

    /// Sends so many spatial layers from now on. Whether a key picture is due for it.
    pub fn set_spatial_layers(&mut self, count: u8) -> bool {
        let more = count > self.spatial_layers;
        self.spatial_layers = count.clamp(1, self.mode.spatial_layers);
        more
    }

    /// The next picture's frames, lowest layer first. `left_out` upper layers are not encoded this time, if it is no key
    /// picture. `new_id` gives each frame its id.
    pub fn encode(
        &mut self,
        is_key: bool,
        captured: Duration,
        left_out: u8,
        mut new_id: impl FnMut() -> u32,
    ) -> Vec<LayerFrame> {
        if is_key {
            self.position = 0;
            self.latest.fill([None; 2]);
        }
        let temporal = self.temporal_layer();
        let count = if is_key { self.spatial_layers } else { self.spatial_layers.saturating_sub(left_out).max(1) };
        if temporal == 0 {
            self.base_pictures = self.base_pictures.wrapping_add(1);
        }
        let inter_layer = is_key || !self.mode.key_only;
        let mut frames: Vec<LayerFrame> = Vec::with_capacity(usize::from(count));
        for spatial in 0..count {
            let mut frame = Frame::new(new_id(), captured);
            frame.picture = self.pictures;
            frame.number = self.frames;
            self.frames += 1;
            frame.layers = Layers { spatial, temporal };
            frame.is_key = is_key;
            let below = frames.last().map(|below: &LayerFrame| reference_to(&below.frame));
            let mut layer = LayerFrame {
                frame,
                position: self.position,
                temporal_references: if is_key { Vec::new() } else { self.references(spatial, temporal) },
                spatial_reference: below.filter(|_| inter_layer),
                is_used_above: inter_layer && spatial + 1 < count,
                is_sync: self.is_sync(temporal),
                base_index: self.base_pictures,
            };
            let ids: Vec<u32> = layer.references().map(|reference| reference.id).collect();
            ids.into_iter().for_each(|id| layer.frame.add_reference(id));
            frames.push(layer);
        }
        for layer in &frames {
            self.remember(&layer.frame);
        }
        self.pictures += 1;
        self.position += 1;
        frames
    }

    /// The size in bytes of a frame at this rate. `noise` is a factor about 1.
    pub fn frame_bytes(&mut self, frame: &Frame, bps: u64, interval: Duration, key_factor: f64, noise: f64) -> usize {
        let mean = bps as f64 * interval.as_secs_f64() / 8.0;
        let debt = &mut self.debt[usize::from(frame.layers.spatial)];
        let bytes = if frame.is_key {
            let bytes = mean * key_factor * noise;
            *debt += bytes - mean;
            bytes
        } else {
            let bytes = mean * share(self.mode.temporal_layers, frame.layers.temporal) * noise;
            let repaid = debt.min(bytes * REPAYMENT).max(0.0);
            *debt -= repaid;
            bytes - repaid
        };
        bytes.max(MIN_FRAME_BYTES) as usize
    }

    fn temporal_layer(&self) -> u8 {
        match self.mode.temporal_layers {
            3.. => [0, 2, 1, 2][self.position as usize % 4],
            2 => [0, 1][self.position as usize % 2],
            _ => 0,
        }
    }

    fn is_sync(&self, temporal: u8) -> bool {
        temporal > 0
            && match self.pattern {
                Pattern::Vp8 if self.mode.temporal_layers > 2 => matches!(self.position % 8, 1 | 2),
                _ => self.mode.temporal_layers == 2 || self.position % 4 != 3,
            }
    }

    fn references(&self, spatial: u8, temporal: u8) -> Vec<Reference> {
        let [t0, t1] = self.latest[usize::from(spatial)];
        let t0 = t0.expect("a layer begins with a key picture");
        match (temporal, t1) {
            (0, _) | (_, None) => vec![t0],
            (_, Some(t1)) if self.pattern == Pattern::Vp8 => {
                if self.is_sync(temporal) {
                    vec![t0]
                } else {
                    vec![t0, t1]
                }
            }
            (1, _) => vec![t0],
            (_, Some(t1)) if t1.picture > t0.picture => vec![t1],
            _ => vec![t0],
        }
    }

    fn remember(&mut self, frame: &Frame) {
        let latest = &mut self.latest[usize::from(frame.layers.spatial)];
        // The highest temporal layer is no reference, unless it is the only one.
        if frame.layers.temporal == 0 || frame.layers.temporal + 1 < self.mode.temporal_layers {
            latest[usize::from(frame.layers.temporal)] = Some(reference_to(frame));
        }
    }
}

fn reference_to(frame: &Frame) -> Reference {
    Reference { id: frame.id, number: frame.number, picture: frame.picture }
}

/// What a frame of this temporal layer has of the mean (libwebrtc's allocation: 60 and 40 %, or 40, 20 and 40 %).
fn share(layers: u8, temporal: u8) -> f64 {
    match (layers, temporal) {
        (3.., 0) => 1.6,
        (2, 0) => 1.2,
        (2.., _) => 0.8,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(mode: &str, pattern: Pattern, pictures: usize, left_out: impl Fn(usize) -> u8) -> Vec<Vec<LayerFrame>> {
        let mut encoder = Encoder::new(ScalabilityMode::parse(Some(mode)), pattern);
        let mut id = 0;
        let mut new_id = || {
            id += 1;
            id
        };
        (0..pictures).map(|n| encoder.encode(n == 0, Duration::ZERO, left_out(n), &mut new_id)).collect()
    }

    /// Frames by picture and spatial layer, with the pictures that they are predicted from.
    fn table(pictures: &[Vec<LayerFrame>]) -> Vec<(u32, u8, u8, Vec<u32>)> {
        let flat = pictures.iter().flatten();
        flat.map(|layer| {
            let references = layer.temporal_references.iter().map(|reference| reference.picture).collect();
            (layer.frame.picture, layer.frame.layers.spatial, layer.frame.layers.temporal, references)
        })
        .collect()
    }

    #[test]
    fn vp8s_second_half_depends_on_the_first() {
        let pictures = encode("L1T3", Pattern::Vp8, 9, |_| 0);
        let expected = [
            (0, 0, 0, vec![]),
            (1, 0, 2, vec![0]),
            (2, 0, 1, vec![0]),
            (3, 0, 2, vec![0, 2]),
            (4, 0, 0, vec![0]),
            (5, 0, 2, vec![4, 2]),
            (6, 0, 1, vec![4, 2]),
            (7, 0, 2, vec![4, 6]),
            (8, 0, 0, vec![4]),
        ];
        assert_eq!(table(&pictures), expected);
        let sync: Vec<_> = pictures.iter().map(|layers| layers[0].is_sync).collect();
        assert_eq!(sync, [false, true, true, false, false, false, false, false, false]);
    }

    #[test]
    fn full_and_key_modes_differ_in_what_upper_layers_use() {
        for (mode, inter_layer) in [("L2T2", true), ("L2T2_KEY", false)] {
            let pictures = encode(mode, Pattern::Standard, 4, |_| 0);
            let upper: Vec<_> = pictures.iter().map(|layers| layers[1].spatial_reference.is_some()).collect();
            assert_eq!(upper, [true, inter_layer, inter_layer, inter_layer], "{mode}");
            assert_eq!(pictures[0][1].frame.references(), [pictures[0][0].frame.id]);
        }
    }

    #[test]
    fn a_layer_left_out_is_missed_by_nobody() {
        let pictures = encode("L3T3", Pattern::Standard, 12, |n| u8::from(n == 4));
        let known: Vec<u32> = pictures.iter().flatten().map(|layer| layer.frame.id).collect();
        assert_eq!(pictures[4].len(), 2);
        for layer in pictures.iter().flatten() {
            assert!(layer.frame.references().iter().all(|id| known.contains(id)));
        }
        assert_eq!(pictures[8][2].temporal_references[0].picture, 0, "the T0 before");
    }
}
