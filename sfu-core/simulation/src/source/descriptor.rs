//! The dependency descriptor (RTP Payload Format For AV1, appendix A), as libwebrtc writes it.

use sfu_core::negotiation::ScalabilityMode;

use super::encoder::LayerFrame;

/// Decode target indications (appendix A.8.3.2).
const NOT_PRESENT: u8 = 0;
const DISCARDABLE: u8 = 1;
const SWITCH: u8 = 2;
const REQUIRED: u8 = 3;

/// What is usual for a frame in one place of the structure.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template {
    spatial: u8,
    temporal: u8,
    /// Indication by decode target.
    indications: Vec<u8>,
    /// How many frames back its references are.
    differences: Vec<u32>,
    /// How many frames back the last one of each chain is; 0 when there is none.
    chains: Vec<u32>,
}

/// Writes one encoding's descriptors.
#[derive(Debug, Clone)]
pub struct DescriptorWriter {
    mode: ScalabilityMode,
    templates: Vec<Template>,
    /// By chain, the number of its last frame.
    last_in_chain: Vec<Option<u32>>,
    /// Width and height by spatial layer.
    sizes: Vec<(u16, u16)>,
    /// The first template's id, which changes with each structure sent.
    offset: u8,
}

impl DescriptorWriter {
    /// For an encoding with these layers, whose sizes are given lowest first.
    pub fn new(mode: ScalabilityMode, sizes: Vec<(u16, u16)>) -> Self {
        let templates = templates(mode);
        Self { mode, templates, last_in_chain: vec![None; usize::from(mode.spatial_layers)], sizes, offset: 0 }
    }

    /// A frame's descriptors: of its first, its middle, its last, and its only packet. Frames must come in order.
    pub fn write(&mut self, layer: &LayerFrame) -> Descriptors {
        let starts_sequence = layer.frame.is_key && layer.frame.layers.spatial == 0;
        if starts_sequence {
            self.last_in_chain.fill(None);
            self.offset = (self.offset + self.templates.len() as u8) % 64;
        }
        let actual = self.actual(layer);
        let fits = |template: &&Template| (template.spatial, template.temporal) == (actual.spatial, actual.temporal);
        let (index, template) = self
            .templates
            .iter()
            .enumerate()
            .filter(|(_, template)| fits(template))
            .max_by_key(|(_, template)| {
                u8::from(template.differences == actual.differences) * 4
                    + u8::from(template.indications == actual.indications) * 2
                    + u8::from(template.chains == actual.chains)
            })
            .expect("a template for each layer");
        let template_id = (self.offset + index as u8) % 64;
        let one = |is_first: bool, is_last: bool| {
            let with_structure = starts_sequence && is_first;
            let mut bits = Bits::default();
            bits.flag(is_first);
            bits.flag(is_last);
            bits.put(u64::from(template_id), 6);
            bits.put(u64::from(layer.frame.number as u16), 16);
            let custom = [
                template.indications != actual.indications,
                template.differences != actual.differences,
                template.chains != actual.chains,
            ];
            if with_structure || custom.contains(&true) {
                bits.flag(with_structure);
                bits.flag(false);
                custom.into_iter().for_each(|is_custom| bits.flag(is_custom));
                if with_structure {
                    self.put_structure(&mut bits);
                }
                if custom[0] {
                    actual.indications.iter().for_each(|indication| bits.put(u64::from(*indication), 2));
                }
                if custom[1] {
                    put_differences(&mut bits, &actual.differences);
                }
                if custom[2] {
                    actual.chains.iter().for_each(|difference| bits.put(u64::from(*difference), 8));
                }
            }
            bits.finish()
        };
        let descriptors = Descriptors {
            first: one(true, false),
            middle: one(false, false),
            last: one(false, true),
            only: one(true, true),
        };
        for chain in 0..self.mode.spatial_layers {
            if is_in_chain(self.mode, layer, chain) {
                self.last_in_chain[usize::from(chain)] = Some(layer.frame.number);
            }
        }
        descriptors
    }

    /// What is true of this frame, in a template's terms.
    fn actual(&self, layer: &LayerFrame) -> Template {
        let number = layer.frame.number;
        Template {
            spatial: layer.frame.layers.spatial,
            temporal: layer.frame.layers.temporal,
            indications: indications(
                self.mode,
                layer.frame.layers.spatial,
                layer.frame.layers.temporal,
                layer.frame.is_key,
            ),
            differences: layer.references().map(|reference| number - reference.number).collect(),
            chains: self.last_in_chain.iter().map(|last| last.map_or(0, |last| number - last)).collect(),
        }
    }

    /// `template_dependency_structure` (appendix A.8.2).
    fn put_structure(&self, bits: &mut Bits) {
        let targets = u64::from(self.mode.spatial_layers) * u64::from(self.mode.temporal_layers);
        let chains = u64::from(self.mode.spatial_layers);
        bits.put(u64::from(self.offset), 6);
        bits.put(targets - 1, 5);
        for pair in self.templates.windows(2) {
            bits.put(
                if pair[1].spatial > pair[0].spatial { 2 } else { u64::from(pair[1].temporal - pair[0].temporal) },
                2,
            );
        }
        bits.put(3, 2);
        for template in &self.templates {
            template.indications.iter().for_each(|indication| bits.put(u64::from(*indication), 2));
        }
        for template in &self.templates {
            for difference in &template.differences {
                bits.flag(true);
                bits.put(u64::from(difference - 1), 4);
            }
            bits.flag(false);
        }
        bits.put_non_symmetric(chains, targets + 1);
        for target in 0..targets {
            bits.put_non_symmetric(target / u64::from(self.mode.temporal_layers), chains);
        }
        for template in &self.templates {
            template.chains.iter().for_each(|difference| bits.put(u64::from(*difference), 4));
        }
        bits.flag(true);
        for (width, height) in &self.sizes {
            bits.put(u64::from(width - 1), 16);
            bits.put(u64::from(height - 1), 16);
        }
    }
}

/// A frame's descriptors, by the place of the packet.
#[derive(Debug, Clone)]
pub struct Descriptors {
    first: Vec<u8>,
    middle: Vec<u8>,
    last: Vec<u8>,
    only: Vec<u8>,
}

impl Descriptors {
    /// That of packet `index` of `count`.
    pub fn of(&self, index: usize, count: usize) -> &[u8] {
        match (index == 0, index + 1 == count) {
            (true, true) => &self.only,
            (true, false) => &self.first,
            (false, true) => &self.last,
            (false, false) => &self.middle,
        }
    }
}

/// Sorted by spatial, then temporal layer.
fn templates(mode: ScalabilityMode) -> Vec<Template> {
    let spatial_layers = u32::from(mode.spatial_layers);
    // Pictures until the next of T0, and for each picture of the round: its temporal layer, and how far back its reference is.
    let round: &[(u8, u32)] = match mode.temporal_layers {
        3.. => &[(0, 4), (2, 1), (1, 2), (2, 1)],
        2 => &[(0, 2), (1, 1)],
        _ => &[(0, 1)],
    };
    let mut templates = Vec::new();
    for spatial in 0..mode.spatial_layers {
        let s = u32::from(spatial);
        let chains = |position: Option<u32>| {
            (0..spatial_layers)
                .map(|chain| match position {
                    // A key picture is the first of its chains.
                    None => {
                        if s == 0 {
                            0
                        } else {
                            s - chain.min(s - 1)
                        }
                    }
                    Some(0) if !mode.key_only && s > 0 => s - chain.min(s - 1),
                    Some(0) if mode.key_only && chain < s => s - chain,
                    Some(0) => round.len() as u32 * spatial_layers + s - chain,
                    Some(position) => position * spatial_layers + s - chain,
                })
                .collect()
        };
        templates.push(Template {
            spatial,
            temporal: 0,
            indications: indications(mode, spatial, 0, true),
            differences: if s == 0 { vec![] } else { vec![1] },
            chains: chains(None),
        });
        for (position, (temporal, pictures)) in round.iter().enumerate() {
            let mut differences = vec![pictures * spatial_layers];
            if s > 0 && !mode.key_only {
                differences.push(1);
            }
            templates.push(Template {
                spatial,
                temporal: *temporal,
                indications: indications(mode, spatial, *temporal, false),
                differences,
                chains: chains(Some(position as u32)),
            });
        }
    }
    templates.sort_by_key(|template| (template.spatial, template.temporal));
    templates
}

fn indications(mode: ScalabilityMode, spatial: u8, temporal: u8, is_key: bool) -> Vec<u8> {
    let targets = (0..mode.spatial_layers).flat_map(|s| (0..mode.temporal_layers).map(move |t| (s, t)));
    targets
        .map(|(s, t)| {
            if s < spatial || t < temporal {
                NOT_PRESENT
            } else if is_key {
                SWITCH
            } else if s > spatial {
                if mode.key_only { NOT_PRESENT } else { REQUIRED }
            } else if t == temporal && t > 0 {
                DISCARDABLE
            } else {
                SWITCH
            }
        })
        .collect()
}

fn is_in_chain(mode: ScalabilityMode, layer: &LayerFrame, chain: u8) -> bool {
    let spatial = layer.frame.layers.spatial;
    layer.frame.layers.temporal == 0
        && if mode.key_only && !layer.frame.is_key { chain == spatial } else { chain >= spatial }
}

/// `frame_fdiffs` (appendix A.8.2): each with the number of nibbles that it needs.
fn put_differences(bits: &mut Bits, differences: &[u32]) {
    for difference in differences {
        let value = u64::from(difference - 1);
        let nibbles = if value < 16 {
            1
        } else if value < 256 {
            2
        } else {
            3
        };
        bits.put(nibbles, 2);
        bits.put(value, 4 * nibbles as u32);
    }
    bits.put(0, 2);
}

/// Bits, most significant first.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    free: u32,
}

impl Bits {
    fn flag(&mut self, value: bool) {
        self.put(u64::from(value), 1);
    }

    fn put(&mut self, value: u64, count: u32) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << self.free;
            }
        }
    }

    /// `ns(n)` (AV1 bitstream specification section 4.10.7).
    fn put_non_symmetric(&mut self, value: u64, n: u64) {
        let width = n.ilog2() + 1;
        let short = (1 << width) - n;
        if value < short { self.put(value, width - 1) } else { self.put(value + short, width) }
    }

    fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::encoder::{Encoder, Pattern};
    use super::*;

    fn descriptors(mode: &str, left_out: impl Fn(u32) -> u8) -> Vec<(LayerFrame, Descriptors)> {
        let mode = ScalabilityMode::parse(Some(mode));
        let sizes = vec![(320, 180); usize::from(mode.spatial_layers)];
        let (mut encoder, mut writer) = (Encoder::new(mode, Pattern::Standard), DescriptorWriter::new(mode, sizes));
        let mut all = Vec::new();
        for picture in 0..12 {
            for layer in encoder.encode(picture == 0, Duration::ZERO, left_out(picture), || 0) {
                let descriptors = writer.write(&layer);
                all.push((layer, descriptors));
            }
        }
        all
    }

    /// Media facts: 90 to 95 bytes on a key frame of L3T3_KEY, three on everything else.
    #[test]
    fn only_the_first_packet_of_a_key_picture_has_the_structure() {
        for mode in ["L1T1", "L1T2", "L1T3", "L2T2", "L3T3", "L3T3_KEY", "L2T3_KEY"] {
            for (layer, descriptors) in descriptors(mode, |_| 0) {
                let starts = layer.frame.is_key && layer.frame.layers.spatial == 0;
                assert_eq!(descriptors.of(0, 2).len() > 3, starts, "{mode}: {:?}", layer.frame);
                assert_eq!(descriptors.of(1, 2).len(), 3, "{mode}");
                assert_eq!(descriptors.of(1, 2)[1..3], (layer.frame.number as u16).to_be_bytes());
            }
        }
        let (_, first) = &descriptors("L3T3_KEY", |_| 0)[0];
        assert!((85..=100).contains(&first.of(0, 2).len()), "{}", first.of(0, 2).len());
    }

    #[test]
    fn the_frame_after_one_left_out_says_itself_what_it_depends_on() {
        let all = descriptors("L3T3", |picture| u8::from(picture == 4));
        let custom: Vec<_> = all.iter().filter(|(_, d)| d.of(1, 2).len() > 3).map(|(l, _)| l.frame.picture).collect();
        assert!(!custom.is_empty() && custom.iter().all(|picture| (4..=8).contains(picture)), "{custom:?}");
    }

    #[test]
    fn numbers_of_few_values_take_fewer_bits() {
        // n = 5: 0, 1 and 2 take two bits, 3 and 4 three.
        let encode = |value| {
            let mut bits = Bits::default();
            bits.put_non_symmetric(value, 5);
            (bits.bytes[0], 8 - bits.free)
        };
        assert_eq!([0, 1, 2, 3, 4].map(encode), [(0, 2), (0x40, 2), (0x80, 2), (0xc0, 3), (0xe0, 3)]);
    }
}
