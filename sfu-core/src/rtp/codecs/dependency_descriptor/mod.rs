//! The dependency descriptor (RTP Payload Format For AV1, version 1.0: appendix A): a header extension that says of each packet
//! which frame and layers it is of, though the payload be encrypted end to end.
//!
//! Most of what it says it says by reference to a *template structure*, which comes with the first packet of a key frame only.
//! [`DescriptorReader`] keeps it, with the layers of the last frames: a frame says how far back the frames are that it refers to.

mod bits;
mod history;
mod structure;
#[cfg(test)]
pub(super) mod test_writer;
#[cfg(test)]
mod tests;

use self::bits::BitReader;
use self::history::{FrameOrder, FrameRecord, History};
use self::structure::{Indication, Indications, References, Structure, Template};
use crate::rtp::layers::Layers;

/// What a descriptor says of its packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DescribedPacket {
    pub(super) starts_frame: bool,
    pub(super) ends_frame: bool,
    /// `None` when the descriptor is malformed, or refers to a structure that has not come or was replaced long ago.
    pub(super) frame: Option<DescribedFrame>,
}

/// What a descriptor and its structure say of the packet's frame. The switches and `key_frame` are set in a frame's first
/// packet only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DescribedFrame {
    pub(super) layers: Layers,
    pub(super) key_frame: bool,
    pub(super) temporal_switch: bool,
    pub(super) spatial_switch: bool,
}

/// Reads the descriptors of one received stream.
#[derive(Debug, Default)]
pub(super) struct DescriptorReader {
    order: FrameOrder,
    history: History,
    /// That of the newest key frame, and from which frame on it holds.
    current: Option<(u64, Structure)>,
    /// The one before, for packets that are late.
    previous: Option<(u64, Structure)>,
}

/// The mandatory fields.
#[derive(Debug, Clone, Copy)]
struct Mandatory {
    starts_frame: bool,
    ends_frame: bool,
    template_id: u8,
    frame_number: u16,
}

/// The rest of a descriptor, with the structure applied.
#[derive(Debug)]
struct Definition {
    template: Template,
    indications: Indications,
    references: References,
    /// A bit for each decode target; those that are sent.
    active_targets: u32,
}

impl DescriptorReader {
    /// Reads one packet's descriptor.
    pub(super) fn read(&mut self, bytes: &[u8]) -> DescribedPacket {
        let mut bits = BitReader::new(bytes);
        let Some(mandatory) = Mandatory::read(&mut bits) else { return DescribedPacket::default() };
        let Mandatory { starts_frame, ends_frame, .. } = mandatory;
        DescribedPacket { starts_frame, ends_frame, frame: self.read_frame(mandatory, bits, bytes.len() > 3) }
    }

    fn read_frame(&mut self, mandatory: Mandatory, mut bits: BitReader<'_>, extended: bool) -> Option<DescribedFrame> {
        let flags = if extended { bits.byte(5)? } else { 0 };
        let attached = if flags & 0x10 != 0 { Some(Structure::read(&mut bits)?) } else { None };
        if attached.is_some() && !mandatory.starts_frame {
            return None;
        }
        let arrival = self.order.place(mandatory.frame_number, attached.is_some())?;
        let structure = match &attached {
            Some(attached) => attached,
            None => self.structure_at(arrival.frame)?,
        };
        let definition = Definition::read(&mut bits, structure, mandatory.template_id, flags)?;
        // A frame that refers to others starts nothing, whatever it brings.
        let starts_sequence = attached.is_some() && definition.references.is_empty();
        let lowest = structure.lowest_spatial_layer(definition.active_targets);
        let key_frame = starts_sequence && definition.template.layers.spatial == lowest;

        // All of it was readable: now it counts.
        if arrival.restarts {
            if !starts_sequence {
                return None;
            }
            (self.current, self.previous) = (None, None);
            self.history = History::default();
        }
        self.order.accept(arrival);
        if let Some(attached) = attached.filter(|_| starts_sequence) {
            self.keep(arrival.frame, attached);
        }
        let layers = definition.template.layers;
        let temporal_switch = key_frame || self.is_temporal_switch(arrival.frame, &definition);
        let spatial_switch = key_frame || self.is_spatial_switch(arrival.frame, &definition);
        self.history.record(arrival.frame, FrameRecord { layers, temporal_switch });
        let starts = mandatory.starts_frame;
        Some(DescribedFrame {
            layers,
            key_frame,
            temporal_switch: starts && temporal_switch,
            spatial_switch: starts && spatial_switch,
        })
    }

    /// Whether the frame needs none of its own temporal layer, and no later frame of it one before this.
    fn is_temporal_switch(&self, frame: u64, definition: &Definition) -> bool {
        let layers = definition.template.layers;
        let starts_layer = match definition.own_indication() {
            Indication::Switch => true,
            Indication::Discardable => !definition.template.layer_is_required,
            Indication::Required | Indication::NotPresent => false,
        };
        let is_there = |distance| {
            self.history.before(frame, distance).is_some_and(|referred| {
                // A lower layer's frame of the same picture is taken if it was such a switch itself.
                let same_picture = referred.layers.spatial < layers.spatial && distance <= u16::from(layers.spatial);
                referred.layers.temporal < layers.temporal || same_picture && referred.temporal_switch
            })
        };
        layers.temporal == 0 || starts_layer && definition.references.iter().all(is_there)
    }

    /// Whether the frame needs none of its own spatial layer, and no later frame of it one before this.
    fn is_spatial_switch(&self, frame: u64, definition: &Definition) -> bool {
        let spatial = definition.template.layers.spatial;
        let is_there =
            |distance| self.history.before(frame, distance).is_some_and(|referred| referred.layers.spatial < spatial);
        definition.own_indication() == Indication::Switch && definition.references.iter().all(is_there)
    }

    /// The structure that holds for a frame.
    fn structure_at(&self, frame: u64) -> Option<&Structure> {
        let kept = [&self.current, &self.previous].into_iter().flatten();
        kept.into_iter().find(|(from, _)| *from <= frame).map(|(_, structure)| structure)
    }

    /// Keeps a key frame's structure unless a newer one holds: a key frame that comes late must not undo it. One that repeats
    /// the structure that holds does not push out the one before, and if late shows that it has held for longer.
    fn keep(&mut self, from: u64, structure: Structure) {
        match &mut self.current {
            Some((holds_from, same)) if *same == structure => *holds_from = from.min(*holds_from),
            Some((newer, _)) if *newer > from => {}
            _ => self.previous = self.current.replace((from, structure)),
        }
    }
}

impl Mandatory {
    fn read(bits: &mut BitReader<'_>) -> Option<Self> {
        Some(Self {
            starts_frame: bits.bit()?,
            ends_frame: bits.bit()?,
            template_id: bits.byte(6)?,
            frame_number: bits.number(16)? as u16,
        })
    }
}

impl Definition {
    /// What the frame is to the lowest decode target that it is in.
    fn own_indication(&self) -> Indication {
        self.template.own_target.map_or(Indication::NotPresent, |target| self.indications.of(target))
    }

    /// Reads what follows the structure, or the flags when there is none, and takes the rest from the template.
    fn read(bits: &mut BitReader<'_>, structure: &Structure, template_id: u8, flags: u8) -> Option<Self> {
        let template = *structure.template(template_id)?;
        let targets = structure.target_count();
        let active_targets = if flags & 0x08 != 0 { bits.target_mask(targets)? } else { u32::MAX };
        let indications = if flags & 0x04 != 0 { Indications::read(bits, targets)? } else { template.indications };
        let references = if flags & 0x02 != 0 { References::read_of_frame(bits)? } else { template.references };
        if flags & 0x01 != 0 {
            for _ in 0..structure.chain_count() {
                bits.number(8)?;
            }
        }
        Some(Self { template, indications, references, active_targets })
    }
}
