//! An encoder's frames and their dependency descriptors, for tests: the scalability modes as Chromium sends them. It uses nothing
//! but the standard library, so that other test crates can include this file.
#![allow(dead_code, reason = "no one test crate uses all of it")]

/// A scalability mode: `L<spatial>T<temporal>`, or that with `_KEY`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    /// At most 3.
    pub(crate) spatial: u8,
    /// At most 3.
    pub(crate) temporal: u8,
    /// Spatial layers refer to lower ones in key pictures only.
    pub(crate) key: bool,
}

/// One layer's part of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) number: u64,
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
    pub(crate) key_picture: bool,
    /// One of `-DSR` for each decode target.
    pub(crate) indications: String,
    /// How many frames back the frames are that it refers to.
    pub(crate) references: Vec<u64>,
    /// How many frames back each chain's last frame is; 0 where the chain starts.
    pub(crate) chains: Vec<u64>,
}

/// Makes the frames of one stream.
#[derive(Debug)]
pub(crate) struct Encoder {
    pub(crate) mode: Mode,
    next_number: u64,
    /// In the pattern of temporal layers.
    position: usize,
    /// By spatial layer, the last frame of temporal layers 0 and 1, and the last of the chain.
    last: [[u64; 2]; 3],
    chain: [u64; 3],
}

impl Encoder {
    pub(crate) fn new(mode: Mode, first_number: u16) -> Self {
        Self { mode, next_number: u64::from(first_number), position: 0, last: [[0; 2]; 3], chain: [0; 3] }
    }

    /// The next picture's frames, lowest layer first.
    pub(crate) fn picture(&mut self, key_picture: bool) -> Vec<Frame> {
        let pattern: &[u8] = match self.mode.temporal {
            1 => &[0],
            2 => &[0, 1],
            _ => &[0, 2, 1, 2],
        };
        self.position = if key_picture { 0 } else { (self.position + 1) % pattern.len() };
        (0..self.mode.spatial).map(|spatial| self.frame(spatial, pattern[self.position], key_picture)).collect()
    }

    fn frame(&mut self, spatial: u8, temporal: u8, key_picture: bool) -> Frame {
        let number = self.next_number;
        self.next_number += 1;
        let layer = usize::from(spatial);
        let mut references = Vec::new();
        if !key_picture {
            // The second picture of temporal layer 2 follows one of layer 1.
            let of_layer_1 = temporal == 2 && self.position == 3;
            references.push(number - self.last[layer][usize::from(of_layer_1)]);
        }
        if spatial > 0 && (key_picture || !self.mode.key) {
            references.push(1);
        }
        let chains = (0..usize::from(self.mode.spatial))
            .map(|chain| if key_picture && layer == 0 { 0 } else { number - self.chain[chain] })
            .collect();
        for chain in layer..3 {
            let of_chain = chain == layer || key_picture || !self.mode.key;
            if temporal == 0 && of_chain {
                self.chain[chain] = number;
            }
        }
        if temporal < 2 {
            self.last[layer][usize::from(temporal)] = number;
        }
        let indications = self.indications(spatial, temporal, key_picture);
        Frame { number, spatial, temporal, key_picture, indications, references, chains }
    }

    /// A decode target for each pair of layers, in ascending order.
    fn indications(&self, spatial: u8, temporal: u8, key_picture: bool) -> String {
        let targets = (0..self.mode.spatial).flat_map(|of| (0..self.mode.temporal).map(move |at| (of, at)));
        let of_target = |(of, at)| match (of, at) {
            _ if of < spatial || at < temporal => '-',
            _ if of > spatial && key_picture => 'S',
            _ if of > spatial && self.mode.key => '-',
            _ if of > spatial => 'R',
            _ if at == temporal && temporal > 0 => 'D',
            _ => 'S',
        };
        targets.map(of_target).collect()
    }
}

/// A template structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Structure {
    pub(crate) id_offset: u8,
    /// In ascending order of layers; their numbers and key pictures mean nothing.
    pub(crate) templates: Vec<Frame>,
    /// For each decode target the chain that protects it; empty without chains.
    pub(crate) protected_by: Vec<u8>,
    /// Width and height by spatial layer, or none.
    pub(crate) resolutions: Vec<(u16, u16)>,
}

impl Structure {
    /// That of a mode: all kinds of frame that its encoder makes.
    pub(crate) fn of(mode: Mode, id_offset: u8) -> Self {
        let mut encoder = Encoder::new(mode, 0);
        let mut templates: Vec<Frame> = Vec::new();
        for picture in 0..9 {
            for frame in encoder.picture(picture == 0) {
                if !templates.iter().any(|template| template.describes(&frame)) {
                    templates.push(frame);
                }
            }
        }
        templates.sort_by_key(|template| (template.spatial, template.temporal));
        let protected_by = (0..mode.spatial).flat_map(|spatial| vec![spatial; usize::from(mode.temporal)]).collect();
        let resolutions = (0..mode.spatial).map(|spatial| (320 << spatial, 180 << spatial)).collect();
        Self { id_offset, templates, protected_by, resolutions }
    }

    /// The id of a frame's template: one with all the same, else of the same layers.
    pub(crate) fn template_id(&self, frame: &Frame) -> u8 {
        let same_layers = |t: &&Frame| (t.spatial, t.temporal) == (frame.spatial, frame.temporal);
        let exact = self.templates.iter().position(|template| template.describes(frame));
        let index = exact.or_else(|| self.templates.iter().position(|t| same_layers(&t))).unwrap();
        (usize::from(self.id_offset) + index) as u8 % 64
    }

    /// A packet's descriptor. What of the frame is not as in its template is written out. `active_targets`: a bit for each.
    pub(crate) fn describe(
        &self,
        frame: &Frame,
        (first, last): (bool, bool),
        attach: bool,
        active_targets: Option<u32>,
    ) -> Vec<u8> {
        let id = self.template_id(frame);
        let template = &self.templates[usize::from((id + 64 - self.id_offset) % 64)];
        let mut bits = BitWriter::default();
        bits.number(1, u64::from(first));
        bits.number(1, u64::from(last));
        bits.number(6, u64::from(id));
        bits.number(16, frame.number & 0xffff);
        let custom = [
            frame.indications != template.indications,
            frame.references != template.references,
            frame.chains != template.chains,
        ];
        if !attach && active_targets.is_none() && custom == [false; 3] {
            return bits.finish();
        }
        bits.number(1, u64::from(attach));
        bits.number(1, u64::from(active_targets.is_some()));
        custom.iter().for_each(|&flag| bits.number(1, u64::from(flag)));
        if attach {
            self.write(&mut bits);
        }
        if let Some(active) = active_targets {
            bits.number(frame.indications.len() as u32, u64::from(active));
        }
        if custom[0] {
            bits.indications(frame);
        }
        if custom[1] {
            for &distance in &frame.references {
                let nibbles = (1..=3).find(|nibbles| distance <= 1 << (4 * nibbles)).unwrap();
                bits.number(2, u64::from(nibbles));
                bits.number(4 * nibbles, distance - 1);
            }
            bits.number(2, 0);
        }
        if custom[2] {
            frame.chains.iter().for_each(|&distance| bits.number(8, distance));
        }
        bits.finish()
    }

    fn write(&self, bits: &mut BitWriter) {
        let targets = self.templates[0].indications.len() as u64;
        bits.number(6, u64::from(self.id_offset));
        bits.number(5, targets - 1);
        for (template, next) in self.templates.iter().zip(self.templates.iter().skip(1)) {
            let step = match (next.spatial - template.spatial, next.temporal.checked_sub(template.temporal)) {
                (0, Some(0)) => 0,
                (0, Some(1)) => 1,
                (1, _) if next.temporal == 0 => 2,
                _ => panic!("templates skip a layer"),
            };
            bits.number(2, step);
        }
        bits.number(2, 3);
        self.templates.iter().for_each(|template| bits.indications(template));
        for template in &self.templates {
            for distance in &template.references {
                bits.number(5, 16 | (distance - 1));
            }
            bits.number(1, 0);
        }
        let chains = self.templates[0].chains.len() as u64;
        bits.below(targets + 1, chains);
        if chains > 0 {
            self.protected_by.iter().for_each(|&chain| bits.below(chains, u64::from(chain)));
            self.templates.iter().flat_map(|template| &template.chains).for_each(|&chain| bits.number(4, chain));
        }
        bits.number(1, u64::from(!self.resolutions.is_empty()));
        for &(width, height) in &self.resolutions {
            bits.number(16, u64::from(width) - 1);
            bits.number(16, u64::from(height) - 1);
        }
    }
}

impl Frame {
    /// Whether another frame is like this one in all that a template says.
    fn describes(&self, other: &Self) -> bool {
        let Self { spatial, temporal, indications, references, chains, .. } = self;
        (spatial, temporal, indications, references, chains)
            == (&other.spatial, &other.temporal, &other.indications, &other.references, &other.chains)
    }
}

/// Writes single bits.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    bits: Vec<bool>,
}

impl BitWriter {
    pub(crate) fn number(&mut self, len: u32, value: u64) {
        assert!(value < 1 << len, "{value} has more than {len} bits");
        self.bits.extend((0..len).rev().map(|bit| value >> bit & 1 == 1));
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64, value: u64) {
        let len = end.ilog2();
        let short = (2 << len) - end;
        if value < short {
            self.number(len, value);
        } else {
            self.number(len + 1, value + short);
        }
    }

    fn indications(&mut self, frame: &Frame) {
        frame.indications.chars().for_each(|symbol| self.number(2, "-DSR".find(symbol).unwrap() as u64));
    }

    /// The bytes, with zeros up to the end of the last.
    pub(crate) fn finish(self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().enumerate().map(|(at, &bit)| u8::from(bit) << (7 - at)).sum();
        self.bits.chunks(8).map(byte).collect()
    }
}
