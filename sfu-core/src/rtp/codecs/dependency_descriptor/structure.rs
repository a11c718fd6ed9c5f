//! The template dependency structure (appendix A, `template_dependency_structure()`): what frames of a coded video sequence look like.
//!
//! Chains and resolutions are read, for what follows them must be found, and not kept: a forwarder that gives each receiver
//! all frames of its layers needs neither.

use super::bits::BitReader;
use crate::rtp::layers::{Layers, MAX_TEMPORAL_LAYERS};

/// Templates: a template id has six bits. A structure with more is refused.
pub(super) const MAX_TEMPLATES: usize = 64;
/// Decode targets: their count has five bits, and is at least one.
pub(super) const MAX_DECODE_TARGETS: usize = 32;
/// Spatial layers (`MAX_SPATIAL_ID` plus one). A structure with more is refused.
const MAX_SPATIAL_IDS: u8 = 4;
/// Temporal layers (`MAX_TEMPORAL_ID` plus one). A structure with more is refused; those above [`MAX_TEMPORAL_LAYERS`] count as the
/// highest.
const MAX_TEMPORAL_IDS: u8 = 8;
/// Frames that one frame refers to. An AV1 frame has seven references; a frame with more of them than this is refused.
pub(super) const MAX_REFERENCES: usize = 8;

/// The structure of a coded video sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Structure {
    /// The id of the first template.
    template_id_offset: u8,
    decode_targets: Vec<Layers>,
    chain_count: u32,
    /// Never empty, at most [`MAX_TEMPLATES`].
    templates: Vec<Template>,
}

/// What a frame is like unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) layers: Layers,
    pub(super) indications: Indications,
    pub(super) references: References,
    /// The lowest decode target that the frame is in.
    pub(super) own_target: Option<usize>,
    /// Whether later frames of its own layers in its own target may refer to a frame of these layers.
    pub(super) layer_is_required: bool,
}

/// What a frame is to a decode target (appendix A, decode target indications).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Indication {
    /// Not in it.
    NotPresent,
    /// In it, and no later frame of the target needs it.
    Discardable,
    /// From this frame on, no frame of the target needs one before it.
    Switch,
    /// In it and needed.
    Required,
}

/// A frame's indications for all decode targets, two bits each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Indications(u64);

impl Indications {
    /// Reads one for each of `targets`.
    pub(super) fn read(bits: &mut BitReader<'_>, targets: usize) -> Option<Self> {
        let mut all = 0;
        for target in 0..targets.min(MAX_DECODE_TARGETS) {
            all |= u64::from(bits.number(2)?) << (2 * target);
        }
        Some(Self(all))
    }

    /// That for one target.
    pub(super) fn of(self, target: usize) -> Indication {
        match self.0.checked_shr(2 * target as u32).unwrap_or(0) & 3 {
            0 => Indication::NotPresent,
            1 => Indication::Discardable,
            2 => Indication::Switch,
            _ => Indication::Required,
        }
    }
}

/// How many frames back the frames are that a frame refers to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct References {
    distances: [u16; MAX_REFERENCES],
    count: usize,
}

impl References {
    pub(super) fn push(&mut self, distance: u16) -> Option<()> {
        *self.distances.get_mut(self.count)? = distance;
        self.count += 1;
        Some(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u16> {
        self.distances.into_iter().take(self.count)
    }

    /// `template_fdiffs()`, of one template.
    fn read_of_template(bits: &mut BitReader<'_>) -> Option<Self> {
        let mut references = Self::default();
        while bits.bit()? {
            references.push(bits.number(4)? as u16 + 1)?;
        }
        Some(references)
    }

    /// `frame_fdiffs()`.
    pub(super) fn read_of_frame(bits: &mut BitReader<'_>) -> Option<Self> {
        let mut references = Self::default();
        loop {
            match bits.number(2)? {
                0 => return Some(references),
                nibbles => references.push(bits.number(4 * nibbles)? as u16 + 1)?,
            }
        }
    }
}

impl Structure {
    /// `template_dependency_structure()`. `None`: truncated, or beyond a limit.
    pub(super) fn read(bits: &mut BitReader<'_>) -> Option<Self> {
        let template_id_offset = bits.byte(6)?;
        let target_count = bits.number(5)? as usize + 1;
        let mut templates = read_layers(bits)?;
        for template in &mut templates {
            template.indications = Indications::read(bits, target_count)?;
        }
        for template in &mut templates {
            template.references = References::read_of_template(bits)?;
        }
        let chain_count = skip_chains(bits, target_count as u32, templates.len())?;
        if bits.bit()? {
            let spatial_layers = templates.last()?.layers.spatial + 1;
            for _ in 0..spatial_layers {
                bits.number(32)?;
            }
        }
        let decode_targets = (0..target_count).map(|target| layers_of(target, &templates)).collect();
        let mut structure = Self { template_id_offset, decode_targets, chain_count, templates };
        structure.settle_targets();
        Some(structure)
    }

    /// The template with an id as packets name it; `None` for an id of another structure.
    pub(super) fn template(&self, id: u8) -> Option<&Template> {
        let index = id.wrapping_sub(self.template_id_offset) & (MAX_TEMPLATES as u8 - 1);
        self.templates.get(usize::from(index))
    }

    pub(super) fn target_count(&self) -> usize {
        self.decode_targets.len()
    }

    pub(super) fn chain_count(&self) -> u32 {
        self.chain_count
    }

    /// The lowest spatial layer that one of the targets in `active`, a bit for each, is made for.
    pub(super) fn lowest_spatial_layer(&self, active: u32) -> u8 {
        let targets = self.decode_targets.iter().zip(0..);
        targets.filter(|&(_, target)| active >> target & 1 == 1).map(|(layers, _)| layers.spatial).min().unwrap_or(0)
    }

    fn settle_targets(&mut self) {
        for index in 0..self.templates.len() {
            let Some(&template) = self.templates.get(index) else { continue };
            let own_target = self
                .decode_targets
                .iter()
                .enumerate()
                .filter(|&(target, _)| template.indications.of(target) != Indication::NotPresent)
                .min_by_key(|&(_, layers)| *layers)
                .map(|(target, _)| target);
            let layer_is_required = own_target.is_some_and(|target| {
                let mut of_layer = self.templates.iter().filter(|other| other.layers == template.layers);
                of_layer.any(|other| other.indications.of(target) == Indication::Required)
            });
            if let Some(template) = self.templates.get_mut(index) {
                (template.own_target, template.layer_is_required) = (own_target, layer_is_required);
            }
        }
    }
}

/// `template_layers()`.
fn read_layers(bits: &mut BitReader<'_>) -> Option<Vec<Template>> {
    let mut templates = Vec::new();
    let (mut spatial, mut temporal) = (0, 0);
    loop {
        if templates.len() == MAX_TEMPLATES || spatial >= MAX_SPATIAL_IDS || temporal >= MAX_TEMPORAL_IDS {
            return None;
        }
        templates.push(Template {
            layers: Layers { spatial, temporal: temporal.min(MAX_TEMPORAL_LAYERS as u8 - 1) },
            indications: Indications::default(),
            references: References::default(),
            own_target: None,
            layer_is_required: false,
        });
        match bits.number(2)? {
            0 => {}
            1 => temporal += 1,
            2 => (spatial, temporal) = (spatial + 1, 0),
            _ => return Some(templates),
        }
    }
}

/// `template_chains()`; returns how many chains there are.
fn skip_chains(bits: &mut BitReader<'_>, targets: u32, templates: usize) -> Option<u32> {
    let count = bits.below(targets + 1)?;
    if count > 0 {
        for _ in 0..targets {
            bits.below(count)?;
        }
        for _ in 0..templates {
            for _ in 0..count {
                bits.number(4)?;
            }
        }
    }
    Some(count)
}

/// The highest layers of the frames in a decode target.
fn layers_of(target: usize, templates: &[Template]) -> Layers {
    let mut highest = Layers::default();
    for template in templates.iter().filter(|template| template.indications.of(target) != Indication::NotPresent) {
        highest.spatial = highest.spatial.max(template.layers.spatial);
        highest.temporal = highest.temporal.max(template.layers.temporal);
    }
    highest
}
