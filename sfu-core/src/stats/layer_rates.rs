//! The rate of each layer inside one received stream.

use std::time::Instant;

use crate::congestion::rate::RateMeter;
use crate::rtp::layers::{Layers, MAX_SPATIAL_LAYERS, MAX_TEMPORAL_LAYERS};

/// Layers that are counted apart: all that there can be. Packets of others count for none.
const MAX_LAYERS: usize = MAX_SPATIAL_LAYERS * MAX_TEMPORAL_LAYERS;

/// Rates by layer. Few layers are in use, so they are looked for one by one; a stream without layers has one.
#[derive(Debug, Clone, Default)]
pub struct LayerRates {
    /// In ascending order.
    rates: Vec<(Layers, RateMeter)>,
}

impl LayerRates {
    /// Counts a packet of `layers`.
    pub fn handle_packet(&mut self, now: Instant, layers: Layers, size_bytes: usize) {
        let index = match self.rates.binary_search_by_key(&layers, |(known, _)| *known) {
            Ok(index) => index,
            Err(_) if self.rates.len() >= MAX_LAYERS => return,
            Err(index) => {
                self.rates.insert(index, (layers, RateMeter::default()));
                index
            }
        };
        if let Some((_, rate)) = self.rates.get_mut(index) {
            rate.handle_bytes(now, size_bytes);
        }
    }

    /// What a consumer of `layers` gets: theirs and all lower ones', over the last second, in bits per second.
    pub fn bitrate_bps(&self, now: Instant, layers: Layers) -> u64 {
        let is_within = |known: &Layers| known.spatial <= layers.spatial && known.temporal <= layers.temporal;
        self.rates.iter().filter(|(known, _)| is_within(known)).map(|(_, rate)| rate.bitrate_bps(now)).sum()
    }

    /// Each layer that was ever seen, with [`Self::bitrate_bps`] of it; 0 for one that has stopped.
    pub fn by_layer(&self, now: Instant) -> impl Iterator<Item = (Layers, u64)> + '_ {
        self.rates.iter().map(move |(layers, own)| {
            let flows = own.bitrate_bps(now) > 0;
            (*layers, if flows { self.bitrate_bps(now, *layers) } else { 0 })
        })
    }

    /// Whether there is more than one layer.
    pub fn is_layered(&self) -> bool {
        self.rates.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    fn layers(spatial: u8, temporal: u8) -> Layers {
        Layers { spatial, temporal }
    }

    #[test]
    fn a_layers_rate_holds_all_that_it_is_decoded_with() {
        let start = origin();
        let mut rates = LayerRates::default();
        for (layers, bytes) in [(layers(1, 1), 8000), (layers(0, 0), 1000), (layers(0, 1), 2000), (layers(1, 0), 4000)]
        {
            rates.handle_packet(start, layers, bytes);
        }
        let read: Vec<_> = rates.by_layer(start).collect();
        let expected = [(layers(0, 0), 8000), (layers(0, 1), 24_000), (layers(1, 0), 40_000), (layers(1, 1), 120_000)];
        assert_eq!(read, expected);
        assert_eq!(rates.bitrate_bps(start, Layers::MAX), 120_000);
    }

    #[test]
    fn a_layer_that_stopped_has_no_rate_though_lower_ones_flow() {
        let start = origin();
        let mut rates = LayerRates::default();
        rates.handle_packet(start, layers(0, 0), 1000);
        rates.handle_packet(start, layers(1, 0), 1000);
        rates.handle_packet(start + ms(1500), layers(0, 0), 1000);
        let read: Vec<_> = rates.by_layer(start + ms(1500)).collect();
        assert_eq!(read, [(layers(0, 0), 8000), (layers(1, 0), 0)]);
        assert!(rates.is_layered());
    }

    /// Harm prevented: a publisher that numbers its layers at random grows our memory.
    #[test]
    fn at_the_limit_new_layers_count_for_none() {
        let mut rates = LayerRates::default();
        for spatial in 0..=255 {
            rates.handle_packet(origin(), layers(spatial, 0), 1000);
        }
        assert_eq!(rates.rates.len(), MAX_LAYERS);
    }
}
