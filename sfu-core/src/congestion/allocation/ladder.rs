//! What a stream's layers cost, and the order in which they are climbed.

use crate::rtp::layers::{Layers, MAX_SPATIAL_LAYERS, MAX_TEMPORAL_LAYERS};

/// A ladder has one step for each pair of layers that are told apart, so it is never full.
pub const MAX_STEPS: usize = MAX_SPATIAL_LAYERS * MAX_TEMPORAL_LAYERS;

/// Layers that may be had, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// With everything below them.
    pub layers: Layers,
    /// Everything that a consumer of these layers gets, in bits per second.
    pub bps: u64,
}

/// The layers of a stream that may be had, in a fixed array.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    /// By layers; `None` is not to be had.
    bps: [[Option<u64>; MAX_TEMPORAL_LAYERS]; MAX_SPATIAL_LAYERS],
}

impl Ladder {
    /// A ladder without steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// A ladder of one step, for what has no layers.
    pub fn single(bps: u64) -> Self {
        let mut ladder = Self::new();
        ladder.insert(Layers::default(), bps);
        ladder
    }

    /// Says that `layers` may be had and that a consumer of them gets `bps` in all. Layers above those that are told apart count
    /// as the highest.
    pub fn insert(&mut self, layers: Layers, bps: u64) {
        let layers = layers.min(Layers::MAX);
        let row = self.bps.get_mut(usize::from(layers.spatial));
        if let Some(slot) = row.and_then(|row| row.get_mut(usize::from(layers.temporal))) {
            *slot = Some(bps);
        }
    }

    /// The steps within `highest`.
    #[must_use]
    pub fn up_to(&self, highest: Layers) -> Self {
        let mut ladder = Self::new();
        let wanted = usize::from(highest.temporal) + 1;
        for (row, known) in ladder.bps.iter_mut().zip(&self.bps).take(usize::from(highest.spatial) + 1) {
            for (slot, bps) in row.iter_mut().zip(known).take(wanted) {
                *slot = *bps;
            }
        }
        ladder
    }

    /// The steps, in ascending order of the layers.
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        self.bps.iter().zip(0_u8..).flat_map(|(row, spatial)| {
            row.iter()
                .zip(0_u8..)
                .filter_map(move |(bps, temporal)| Some(Step { layers: Layers { spatial, temporal }, bps: (*bps)? }))
        })
    }
}

/// The steps that a demand climbs: layers and costs both ascending.
#[derive(Debug)]
pub(super) struct Path {
    steps: [Step; MAX_STEPS],
    len: usize,
}

impl Path {
    pub(super) fn new(ladder: &Ladder, preferred: Layers, is_screen: bool) -> Self {
        // A stream all of whose sizes are above the preferred one is better shown too large than not at all.
        let smallest = ladder.steps().next().map_or(0, |step| step.layers.spatial);
        let spatial_max = preferred.spatial.max(smallest);
        let temporal_max = ladder.steps().map(|step| step.layers.temporal).max().unwrap_or(0);
        // Half the frame rate, or what is preferred if that is less.
        let watchable = temporal_max.saturating_sub(1).min(preferred.temporal);

        let mut path = Self { steps: [Step::default(); MAX_STEPS], len: 0 };
        for step in ladder.steps() {
            let Layers { spatial, temporal } = step.layers;
            let is_wanted = spatial <= spatial_max && temporal <= preferred.temporal;
            let is_fluent = is_screen || spatial == smallest || temporal >= watchable;
            if is_wanted && is_fluent {
                path.push(step);
            }
        }
        path
    }

    pub(super) fn step(&self, at: usize) -> Option<Step> {
        self.as_slice().get(at).copied()
    }

    pub(super) fn last(&self) -> Option<Step> {
        self.as_slice().last().copied()
    }

    /// How many of the steps are within `layers` or below them in the order of climbing.
    pub(super) fn steps_within(&self, layers: Layers) -> usize {
        self.as_slice().iter().filter(|step| step.layers <= layers).count()
    }

    fn push(&mut self, step: Step) {
        while self.last().is_some_and(|last| last.bps >= step.bps) {
            self.len -= 1;
        }
        if let Some(slot) = self.steps.get_mut(self.len) {
            *slot = step;
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[Step] {
        self.steps.get(..self.len).unwrap_or_default()
    }
}
