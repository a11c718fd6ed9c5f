//! The layers of a video: how large, and how many frames.

/// Spatial layers that are told apart; higher ones count as the highest. VP9 numbers eight (RFC 9628), a simulcast of browsers
/// has three encodings, AV1 four.
pub const MAX_SPATIAL_LAYERS: usize = 8;

/// Temporal layers that are told apart; higher ones count as the highest. Browsers send three at most.
pub const MAX_TEMPORAL_LAYERS: usize = 4;

/// A spatial and a temporal layer, with everything below them. Larger pictures order above more of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layers {
    /// The size: an encoding of a simulcast, in ascending quality, or a layer inside a stream.
    pub spatial: u8,
    /// The frame rate.
    pub temporal: u8,
}

impl Layers {
    /// Everything that there is.
    pub const MAX: Self = Self { spatial: MAX_SPATIAL_LAYERS as u8 - 1, temporal: MAX_TEMPORAL_LAYERS as u8 - 1 };

    /// These layers, as far as they are within `bounds`.
    pub fn min(self, bounds: Self) -> Self {
        Self { spatial: self.spatial.min(bounds.spatial), temporal: self.temporal.min(bounds.temporal) }
    }
}
