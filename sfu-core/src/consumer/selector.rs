//! Which layers of a producer a consumer gets, decided packet by packet.
//!
//! Three things are kept apart: the *preferred* layers are the owner's wish, the *target* layers what is to flow, the
//! *current* layers what flows. The current ones follow the target only where a decoder can: see [`LayerSelector::decide`].

mod marker;

use std::cmp::Ordering;

use super::Candidate;
use crate::rtp::codecs::Codec;
use crate::rtp::layers::Layers;

/// How many changes of the current layers are remembered. A packet that is late by more of them is dropped, as if it had been
/// lost. A picture that does not come whole makes two, where it starts and where it is cut off: these reach back over more than
/// three such pictures, each of which was waited for, and that is longer than a receiver waits.
const REMEMBERED_CHANGES: usize = 8;

/// When a consumer of a stream with spatial layers can take a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpSwitch {
    /// At a key frame (AV1: an up-switch anywhere else stops a browser's decoder for good).
    KeyFrame,
    /// Also at a frame that is predicted from nothing but the lower layers of its picture (VP9).
    SpatialSwitch,
}

/// Where a producer's layers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layering {
    /// There are none to choose from: everything is forwarded.
    Plain,
    /// Spatial layers are streams of their own, each perhaps with temporal layers inside.
    Simulcast { encodings: u8, temporal_layers: u8 },
    /// All layers are in one stream.
    Svc { spatial_layers: u8, temporal_layers: u8, up_switch: UpSwitch },
}

impl Layering {
    /// Everything that there is.
    pub(crate) fn highest(self) -> Layers {
        let (spatial, temporal) = match self {
            Self::Plain => (1, 1),
            Self::Simulcast { encodings, temporal_layers } => (encodings, temporal_layers),
            Self::Svc { spatial_layers, temporal_layers, .. } => (spatial_layers, temporal_layers),
        };
        Layers { spatial: spatial.saturating_sub(1), temporal: temporal.saturating_sub(1) }.min(Layers::MAX)
    }

    /// Whether a receiver of `layers` gets a frame of `frame`. The highest layer includes whatever is above it: a stream may
    /// have more than was announced, and nobody asked to leave that out.
    fn covers(self, layers: Layers, frame: Layers) -> bool {
        let highest = self.highest();
        let temporal = frame.temporal <= layers.temporal || layers.temporal >= highest.temporal;
        match self {
            Self::Plain => true,
            Self::Simulcast { .. } => temporal,
            Self::Svc { .. } => temporal && (frame.spatial <= layers.spatial || layers.spatial >= highest.spatial),
        }
    }

    /// The encoding that carries `layers`.
    fn encoding(self, layers: Layers) -> usize {
        match self {
            Self::Simulcast { .. } => usize::from(layers.spatial),
            Self::Plain | Self::Svc { .. } => 0,
        }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Drop,
    Forward {
        marker: bool,
        /// The stream starts, or starts anew, with it.
        starts: bool,
    },
    /// Forward it once the next packet has told whether it is the last of its picture.
    Hold {
        starts: bool,
    },
}

/// Chooses the layers of one consumer.
#[derive(Debug, Clone)]
pub(crate) struct LayerSelector {
    layering: Layering,
    preferred: Layers,
    target: Option<Layers>,
    /// The current layers as they were told last.
    told: Option<Layers>,
    /// The encoding that flows or flowed last. Kept while nothing flows, for the timeline is its.
    source: Option<usize>,
    /// The latest changes of the current layers, the newest first.
    changes: [Change; REMEMBERED_CHANGES],
    newest: Option<Newest>,
    /// Where the latest picture was ended before all its layers had come, with those that it has. They are the current ones from
    /// there on, should it turn out that there were more.
    cut: Option<Change>,
}

/// From this packet of the source on, these layers flow. Layers go by a packet's place in the stream, not by its coming: so all
/// packets of a frame share their fate, also those that come late.
#[derive(Debug, Clone, Copy)]
struct Change {
    from: u64,
    layers: Option<Layers>,
}

impl Change {
    const NOTHING: Self = Self { from: 0, layers: None };
}

/// The source's newest packet.
#[derive(Debug, Clone, Copy)]
struct Newest {
    extended: u64,
    timestamp: u32,
    is_wanted: bool,
    /// Whether it was sent as the last of its picture.
    is_marked: bool,
}

/// What a packet does to the current layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    None,
    /// From this packet on.
    Change(Option<Layers>),
    /// From this packet on, and nothing before it any more.
    Start(Layers),
}

impl LayerSelector {
    /// Prefers and targets everything.
    pub(crate) fn new(layering: Layering) -> Self {
        let highest = layering.highest();
        Self {
            layering,
            preferred: highest,
            target: Some(highest),
            told: None,
            source: None,
            changes: [Change::NOTHING; REMEMBERED_CHANGES],
            newest: None,
            cut: None,
        }
    }

    /// Where the producer's layers are.
    pub(crate) fn layering(&self) -> Layering {
        self.layering
    }

    /// The owner's wish.
    pub(crate) fn preferred(&self) -> Layers {
        self.preferred
    }

    /// Takes the owner's wish, as far as there are such layers. Whoever sets the target honours it.
    pub(crate) fn set_preferred(&mut self, preferred: Layers) {
        self.preferred = preferred.min(self.layering.highest());
    }

    /// What is to flow. `None`: nothing.
    pub(crate) fn target(&self) -> Option<Layers> {
        self.target
    }

    /// Sets what is to flow, as far as there are such layers. With `None` the stream stops with the current picture.
    pub(crate) fn set_target(&mut self, target: Option<Layers>) {
        self.target = target.map(|target| target.min(self.layering.highest()));
    }

    /// What flows. `None`: nothing, until a key frame of the target comes.
    pub(crate) fn current(&self) -> Option<Layers> {
        self.changes[0].layers
    }

    /// The encoding that flows or flowed last.
    pub(crate) fn source(&self) -> Option<usize> {
        self.source
    }

    /// The current layers, once after each time that they changed.
    pub(crate) fn poll_changed(&mut self) -> Option<Option<Layers>> {
        let current = self.current();
        (std::mem::replace(&mut self.told, current) != current).then_some(current)
    }

    /// The encoding a key frame of which would get this consumer to its target. `None` when it needs none.
    pub(crate) fn wanted_key_frame(&self) -> Option<usize> {
        let target = self.target?;
        let is_reached = self.current().is_some_and(|current| match self.layering {
            Layering::Plain => true,
            Layering::Simulcast { .. } => current.spatial == target.spatial,
            Layering::Svc { .. } => current.spatial >= target.spatial,
        });
        (!is_reached).then(|| self.layering.encoding(target))
    }

    /// Nothing more flows, at once, until a key frame comes.
    pub(crate) fn stop(&mut self) {
        if self.current().is_some() {
            let from = self.newest.map_or(0, |newest| newest.extended + 1);
            self.change(Change { from, layers: None });
        }
    }

    /// Whether no packet after this one of its stream was seen.
    pub(crate) fn is_newest(&self, packet: &Candidate<'_>) -> bool {
        self.source != Some(packet.encoding) || self.newest.is_none_or(|newest| packet.extended > newest.extended)
    }

    /// Whether this packet comes right after the newest one.
    pub(crate) fn is_next(&self, packet: &Candidate<'_>) -> bool {
        self.newest.is_some_and(|newest| packet.extended == newest.extended + 1)
    }

    /// Takes note of a packet that is nothing to anybody. Whether it is of the stream that flows.
    pub(crate) fn leave_out(&mut self, packet: &Candidate<'_>) -> bool {
        let is_of_source = self.source == Some(packet.encoding);
        if is_of_source && let Some(newest) = &mut self.newest {
            newest.extended = newest.extended.max(packet.extended);
        }
        is_of_source
    }

    /// Decides about a packet.
    ///
    /// - Another encoding of a simulcast takes over at a key frame, in the midst of the old one's picture if need be: a decoder
    ///   that gets a key frame misses nothing of what was before it.
    /// - Inside a stream layers change where a picture starts, which is known of a packet that follows on the last one of another
    ///   picture, or that starts a key frame. So no frame is cut in two, and behind a gap the next picture will do.
    /// - Spatial and temporal layers are lowered at any such place. A key frame raises both. Temporal layers are also raised one
    ///   by one where the frame says so, in AV1 at any picture of the lowest one: all above start from it there.
    ///   VP9's spatial layers also where the frame says so.
    /// - What comes of a picture behind its end is left out, and its layers with it, for what is predicted from it could not be
    ///   decoded.
    pub(crate) fn decide(&mut self, packet: &Candidate<'_>) -> Decision {
        if let Some(decision) = self.go_on(packet) {
            return decision;
        }
        self.settle_cut(packet);
        let step = self.step(packet);
        match step {
            Step::None => {}
            Step::Change(layers) => self.change(Change { from: packet.extended, layers }),
            Step::Start(layers) => {
                self.source = Some(packet.encoding);
                self.changes = [Change::NOTHING; REMEMBERED_CHANGES];
                self.changes[0] = Change { from: packet.extended, layers: Some(layers) };
                self.newest = None;
                self.cut = None;
            }
        }
        if self.source != Some(packet.encoding) {
            return Decision::Drop;
        }
        let starts = matches!(step, Step::Start(_));
        let wanted = self.at(packet.extended).filter(|layers| self.layering.covers(*layers, packet.frame.layers));
        let decision = match wanted.map(|layers| self.is_last_of_picture(packet, layers)) {
            None => Decision::Drop,
            Some(None) => Decision::Hold { starts },
            Some(Some(marker)) => Decision::Forward { marker, starts },
        };
        if self.is_newest(packet) {
            let Candidate { extended, timestamp, .. } = *packet;
            let is_marked = matches!(decision, Decision::Forward { marker: true, .. });
            self.newest = Some(Newest { extended, timestamp, is_wanted: wanted.is_some(), is_marked });
        }
        decision
    }

    /// Decides about a packet that goes on with the picture of the one before it, as most do: nothing changes inside a picture,
    /// but for the layers of an SVC stream. `None`: it is another.
    #[inline]
    fn go_on(&mut self, packet: &Candidate<'_>) -> Option<Decision> {
        let (marker, is_wanted) = (packet.marker, self.goes_on(packet)?);
        if let Some(newest) = &mut self.newest {
            *newest = Newest { extended: packet.extended, is_wanted, is_marked: is_wanted && marker, ..*newest };
        }
        Some(if is_wanted { Decision::Forward { marker, starts: false } } else { Decision::Drop })
    }

    /// Whether such a packet is wanted.
    #[inline]
    fn goes_on(&self, packet: &Candidate<'_>) -> Option<bool> {
        let newest = self.newest.as_ref()?;
        let is_usual = newest.extended + 1 == packet.extended
            && newest.timestamp == packet.timestamp
            && self.source == Some(packet.encoding)
            && !packet.restarted
            && self.cut.is_none()
            && !matches!(self.layering, Layering::Svc { .. });
        let Change { from, layers: Some(layers) } = self.changes[0] else { return None };
        (is_usual && from <= packet.extended).then(|| self.layering.covers(layers, packet.frame.layers))
    }

    /// Forwards a packet that goes on with a picture that is forwarded; changes nothing if it is another. Whether it did.
    #[inline]
    pub(crate) fn follow(&mut self, packet: &Candidate<'_>) -> bool {
        let follows = self.goes_on(packet) == Some(true);
        if follows && let Some(newest) = &mut self.newest {
            (newest.extended, newest.is_wanted, newest.is_marked) = (packet.extended, true, packet.marker);
        }
        follows
    }

    /// Whether [`Self::decide`] would forward or hold it.
    pub(crate) fn wants(&self, packet: &Candidate<'_>) -> bool {
        let layers = match self.step(packet) {
            Step::Start(layers) => Some(layers),
            Step::Change(layers) => layers,
            Step::None if self.source == Some(packet.encoding) => self.at(packet.extended),
            Step::None => None,
        };
        layers.is_some_and(|layers| self.layering.covers(layers, packet.frame.layers))
    }

    fn step(&self, packet: &Candidate<'_>) -> Step {
        let start = match self.target {
            Some(target) if packet.frame.key_frame && self.layering.encoding(target) == packet.encoding => {
                Step::Start(target)
            }
            _ => Step::None,
        };
        let Some(newest) = self.newest.filter(|_| self.source == Some(packet.encoding)) else { return start };
        let Some(current) = self.current() else {
            // What was before the stop was forwarded then.
            return if packet.extended >= self.changes[0].from { start } else { Step::None };
        };
        if packet.restarted {
            return if start == Step::None { Step::Change(None) } else { start };
        }
        let frame = packet.frame;
        let is_next = self.is_next(packet);
        let is_other_picture = packet.extended > newest.extended && packet.timestamp != newest.timestamp;
        let next = if is_other_picture && (is_next || frame.key_frame) {
            self.target.map(|target| self.at_picture_start(packet, current, target))
        } else if is_next && newest.is_wanted && !newest.is_marked && self.is_spatial_switch(packet, current) {
            Some(Layers { spatial: frame.layers.spatial, ..current })
        } else {
            return Step::None;
        };
        if next == Some(current) { Step::None } else { Step::Change(next) }
    }

    fn at_picture_start(&self, packet: &Candidate<'_>, current: Layers, target: Layers) -> Layers {
        let frame = packet.frame;
        let spatial = match self.layering {
            Layering::Svc { .. } if frame.key_frame => target.spatial,
            Layering::Svc { .. } => current.spatial.min(target.spatial),
            Layering::Plain | Layering::Simulcast { .. } => current.spatial,
        };
        let goal = match target.spatial.cmp(&spatial) {
            // Until the larger picture is there the smaller one keeps its frame rate.
            Ordering::Greater => target.temporal.max(current.temporal),
            // Until the smaller picture is there, which may take its key frame a second, the larger one costs as little as it can if it
            // is not the owner's wish that it is left for: then it is a full path.
            Ordering::Less if target.spatial < self.preferred.spatial => 0,
            Ordering::Equal | Ordering::Less => target.temporal,
        };
        let starts_all = frame.key_frame || (packet.media.codec == Codec::Av1 && frame.layers.temporal == 0);
        let temporal = if goal <= current.temporal || starts_all {
            goal
        } else if frame.temporal_switch && frame.layers.temporal == current.temporal + 1 {
            frame.layers.temporal
        } else {
            current.temporal
        };
        Layers { spatial, temporal }
    }

    /// Whether the frame that starts here lets a receiver of the `current` layers take one more. In the lowest temporal layer
    /// only: later frames of the lower temporal layers may be predicted from the last of theirs before this one.
    fn is_spatial_switch(&self, packet: &Candidate<'_>, current: Layers) -> bool {
        let frame = packet.frame;
        self.may_rise_inside_picture(current)
            && self.newest.is_some_and(|newest| newest.timestamp == packet.timestamp)
            && frame.starts_frame
            && frame.spatial_switch
            && frame.layers == Layers { spatial: current.spatial + 1, temporal: 0 }
    }

    fn may_rise_inside_picture(&self, current: Layers) -> bool {
        matches!(self.layering, Layering::Svc { up_switch: UpSwitch::SpatialSwitch, .. })
            && self.target.is_some_and(|target| target.spatial > current.spatial)
    }

    fn at(&self, extended: u64) -> Option<Layers> {
        self.changes.iter().find(|change| change.from <= extended)?.layers
    }

    fn change(&mut self, change: Change) {
        self.changes.rotate_right(1);
        self.changes[0] = change;
    }
}

#[cfg(test)]
mod tests;
