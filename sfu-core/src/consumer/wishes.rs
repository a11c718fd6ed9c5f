//! What a consumer asks of its producer and of its peer's path.

use std::time::Instant;

use super::Consumer;
use super::selector::Layering;
use crate::congestion::allocation::Demand;
use crate::parameters::{ConsumerLayers, MediaKind};
use crate::producer::Producer;
use crate::router::SuspendReason;
use crate::rtp::layers::Layers;
use crate::worker::ConsumerKey;

impl Consumer {
    /// What it costs to serve this consumer, step by step.
    pub(crate) fn demand(&self, now: Instant, key: ConsumerKey, producer: &mut Producer) -> Demand<ConsumerKey> {
        let rates = producer.rates.ladder(now, self.selector.layering().highest());
        Demand {
            key,
            priority: self.priority,
            is_screen: producer.is_screen,
            kind: self.kind,
            preferred: self.selector.preferred(),
            rates,
        }
    }

    /// The spatial layers of the producer that this consumer uses or is about to, a bit for each.
    pub(crate) fn used_layers(&self) -> u8 {
        // An overload passes: until then the layers are sent on, so that what is suspended can come back, and is known to be there.
        if self.paused || self.suspended.is_some_and(|reason| reason != SuspendReason::Overload) {
            return 0;
        }
        let bit = |spatial: u8| 1_u8.checked_shl(u32::from(spatial)).unwrap_or(0);
        let below = |spatial: u8| (0..=spatial).fold(0, |bits, layer| bits | bit(layer));
        // Also what is allowed and not sent at present: that it is used is what makes its sender send it.
        let allowed = self.allowed.flatten().map(|allowed| self.selector.preferred().min(allowed));
        let uses = [allowed, self.selector.target(), self.selector.current()].into_iter().flatten();
        uses.fold(0, |bits, layers| {
            bits | match self.selector.layering() {
                Layering::Plain => u8::MAX,
                Layering::Simulcast { .. } => bit(layers.spatial),
                Layering::Svc { .. } => below(layers.spatial),
            }
        })
    }

    /// Sets what the owner wishes at most; without a temporal layer: all of them.
    pub(crate) fn set_preferred_layers(&mut self, layers: ConsumerLayers) {
        let temporal = layers.temporal_layer.unwrap_or(Layers::MAX.temporal);
        self.selector.set_preferred(Layers { spatial: layers.spatial_layer, temporal });
    }

    /// Starts with what the owner wishes at most.
    pub(crate) fn limit_to(&mut self, layers: Option<ConsumerLayers>) {
        if let Some(layers) = layers {
            self.set_preferred_layers(layers);
        }
    }

    /// What the owner wishes at most, as far as there is anything to choose from.
    pub(crate) fn preferred_layers(&self) -> Option<ConsumerLayers> {
        self.has_layers().then(|| wire(self.selector.preferred()))
    }

    /// The layers that flow, once after each time that they changed; `Some(None)`: nothing flows.
    pub(crate) fn poll_layers_changed(&mut self) -> Option<Option<ConsumerLayers>> {
        let changed = self.selector.poll_changed()?;
        self.has_layers().then(|| changed.map(wire))
    }

    /// The encoding a key frame of which would take this consumer to its target.
    pub(crate) fn wanted_key_frame(&self) -> Option<usize> {
        if self.paused || self.kind != MediaKind::Video { None } else { self.selector.wanted_key_frame() }
    }

    /// The encoding that its peer decodes, or will.
    pub(crate) fn decoding_from(&self) -> usize {
        self.wanted_key_frame().or(self.selector.source()).unwrap_or(0)
    }

    fn has_layers(&self) -> bool {
        self.selector.layering() != Layering::Plain
    }
}

fn wire(layers: Layers) -> ConsumerLayers {
    ConsumerLayers { spatial_layer: layers.spatial, temporal_layer: Some(layers.temporal) }
}
