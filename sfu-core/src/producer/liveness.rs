//! Which spatial layers of a producer come at present.

use std::time::{Duration, Instant};

use crate::rtp::layers::MAX_SPATIAL_LAYERS;

/// A layer that has been silent for this long while others went on is dead: half of what a viewer calls a freeze.
pub(crate) const LAYER_DEAD_AFTER: Duration = Duration::from_millis(500);

/// Frames of another layer that prove that a silent one has nothing to say, rather than the whole source: a screen that does
/// not change sends a frame a second, of each layer one after the other.
const FRAMES_OF_ANOTHER: u8 = 3;

/// The layers that are alive, a bit for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LiveLayers(u8);

impl LiveLayers {
    pub(crate) fn contains(self, spatial: u8) -> bool {
        spatial < 8 && self.0 >> spatial & 1 != 0
    }

    /// The highest live layer that is not above `bound`, else the lowest above it.
    pub(crate) fn best(self, bound: u8) -> Option<u8> {
        let bound = bound.min(7);
        (0..=bound).rev().chain(bound + 1..8).find(|&spatial| self.contains(spatial))
    }
}

/// Watches the layers of one producer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Liveness {
    layers: [Option<Layer>; MAX_SPATIAL_LAYERS],
    live: LiveLayers,
}

#[derive(Debug, Clone, Copy)]
struct Layer {
    last_packet_at: Instant,
    /// Frames of each single other layer since then, the most of them.
    overtaken: [u8; MAX_SPATIAL_LAYERS],
}

impl Liveness {
    /// Takes note of a packet; `true` when the set of live layers changed with it.
    pub(crate) fn handle_packet(&mut self, now: Instant, spatial: u8, starts_frame: bool) -> bool {
        let spatial = usize::from(spatial).min(MAX_SPATIAL_LAYERS - 1);
        let mut bits = 0;
        for (index, slot) in self.layers.iter_mut().enumerate() {
            if index == spatial {
                *slot = Some(Layer { last_packet_at: now, overtaken: [0; MAX_SPATIAL_LAYERS] });
            } else if let Some(layer) = slot
                && starts_frame
                && let Some(count) = layer.overtaken.get_mut(spatial)
            {
                *count = count.saturating_add(1);
            }
            let alive = slot.is_some_and(|layer| {
                now.saturating_duration_since(layer.last_packet_at) < LAYER_DEAD_AFTER
                    || layer.overtaken.iter().all(|&frames| frames < FRAMES_OF_ANOTHER)
            });
            bits |= u8::from(alive) << index;
        }
        std::mem::replace(&mut self.live, LiveLayers(bits)) != self.live
    }

    pub(crate) fn live(&self) -> LiveLayers {
        self.live
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    /// Frames of each layer, as (interval in ms, until ms), over ten seconds; the times at which the set changed.
    fn run(layers: &[(u64, u64)]) -> Vec<(u64, u8)> {
        let start = origin();
        let mut liveness = Liveness::default();
        let mut changes = Vec::new();
        for at in 0..10_000 {
            for (spatial, &(interval, until)) in layers.iter().enumerate() {
                if at < until && at % interval == 0 && liveness.handle_packet(start + ms(at), spatial as u8, true) {
                    changes.push((at, liveness.live().0));
                }
            }
        }
        changes
    }

    #[test]
    fn a_layer_that_stops_is_dead_within_half_a_second() {
        let changes = run(&[(33, 10_000), (33, 10_000), (33, 5_000)]);
        assert_eq!(changes[..3], [(0, 0b1), (0, 0b11), (0, 0b111)]);
        assert_eq!(changes.len(), 4);
        let (died, left) = changes[3];
        assert!((5_000..=5_520).contains(&died) && left == 0b11, "{changes:?}");
    }

    /// Harm prevented: a screen at a frame a second asks for a key frame every second, for its large layer comes after its small.
    #[test]
    fn a_slow_source_keeps_its_layers() {
        assert_eq!(run(&[(1_000, 10_000), (1_000, 10_000)]), [(0, 0b1), (0, 0b11)]);
    }

    #[test]
    fn a_slow_source_loses_a_layer_that_really_stops() {
        let changes = run(&[(1_000, 10_000), (1_000, 3_000)]);
        assert_eq!(changes.last(), Some(&(5_000, 0b1)));
    }

    /// Harm prevented: each large picture of a slow screen, which takes its time, costs two key frames: one of the small layer, and
    /// one to come back.
    #[test]
    fn a_layer_that_is_late_is_not_dead_for_several_others_together() {
        let mut liveness = Liveness::default();
        let mut hear = |at, spatial| liveness.handle_packet(origin() + ms(at), spatial, true);
        for picture in 0..3 {
            for spatial in 0..3 {
                hear(picture * 1_000 + 10 * u64::from(spatial), spatial);
            }
        }
        // Two pictures of each of the others until the third's first is there.
        let changes =
            [(3_000, 0), (3_010, 1), (4_000, 0), (4_010, 1), (4_100, 2)].map(|(at, spatial)| hear(at, spatial));
        assert_eq!(changes, [false; 5]);
        assert_eq!(liveness.live(), LiveLayers(0b111));
    }

    #[test]
    fn silence_of_all_layers_kills_none() {
        assert_eq!(run(&[(33, 5_000), (33, 5_000)]).len(), 2);
    }

    #[test]
    fn the_best_layer_is_within_the_bound_if_any_is() {
        let table =
            [(0b111, 1, Some(1)), (0b101, 1, Some(0)), (0b100, 0, Some(2)), (0b000, 2, None), (0b011, 7, Some(1))];
        for (bits, bound, expected) in table {
            assert_eq!(LiveLayers(bits).best(bound), expected, "{bits:b} within {bound}");
        }
    }
}
