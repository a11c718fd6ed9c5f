//! Which layers flow to whom: preferred by the owner, allowed by the path, alive at the source.

use std::time::Instant;

use super::core::{ConsumerKey, Core, ProducerKey};
use super::errors::ObjectClosed;
use crate::ids::ConsumerId;
use crate::parameters::{ConsumerLayers, MediaKind};
use crate::producer::key_frame_requester::KeyFrameReason;
use crate::router::{RouterEvent, SuspendReason};
use crate::rtp::layers::Layers;

impl Core {
    /// Sets the highest layers that a consumer's owner wants. Returns what holds now, bounded by what there is; `None`: the
    /// stream has no layers.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn set_preferred_layers(
        &mut self,
        now: Instant,
        id: ConsumerId,
        layers: ConsumerLayers,
    ) -> Result<Option<ConsumerLayers>, ObjectClosed> {
        let (_, consumer) = self.consumer_mut(id)?;
        consumer.set_preferred_layers(layers);
        let (transport, preferred) = (consumer.transport, consumer.preferred_layers());
        if preferred.is_some() {
            self.allocate_soon(now, transport);
        }
        Ok(preferred)
    }

    /// Sets how important a consumer is among those of its transport when not everything fits: 1 to 255, 0 as 1.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn set_consumer_priority(&mut self, now: Instant, id: ConsumerId, priority: u8) -> Result<(), ObjectClosed> {
        let (_, consumer) = self.consumer_mut(id)?;
        consumer.priority = priority.max(1);
        let transport = consumer.transport;
        self.allocate_soon(now, transport);
        Ok(())
    }

    /// Aims a video consumer at the best of what is preferred, allowed and alive. Its owner is told when that is nothing.
    pub(super) fn retarget(&mut self, now: Instant, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key).filter(|consumer| consumer.kind == MediaKind::Video) else {
            return;
        };
        let Some(producer) = self.producers.get(consumer.producer) else { return };
        let suspended = if consumer.paused || producer.paused {
            None
        } else if !producer.is_selected {
            Some(SuspendReason::NotSpeaking)
        } else if consumer.allowed == Some(None) {
            Some(SuspendReason::Bandwidth)
        } else {
            None
        };
        let target = consumer.allowed.flatten().filter(|_| producer.is_selected).map(|allowed| {
            let bound = consumer.selector.preferred().min(allowed);
            let spatial = producer.liveness.live().best(bound.spatial).unwrap_or(bound.spatial);
            Layers { spatial, temporal: bound.temporal }
        });
        let changed = consumer.selector.target() != target;
        consumer.selector.set_target(target);
        let consumer_id = consumer.id;
        let before = std::mem::replace(&mut consumer.suspended, suspended);
        let router = producer.router;
        if before != suspended {
            self.tell(
                router,
                match suspended {
                    Some(reason) => RouterEvent::ConsumerSuspended { consumer_id, reason },
                    None => RouterEvent::ConsumerUnsuspended { consumer_id },
                },
            );
        }
        self.tell_layers(key);
        self.count_used_layers(now, key);
        if changed {
            self.start_key_frame_for(now, key);
        } else {
            self.ask_key_frame_for(now, key, KeyFrameReason::Waits);
        }
    }

    /// Tells a consumer's owner once what flows to it, when that has changed.
    pub(super) fn tell_layers(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Some(layers) = consumer.poll_layers_changed() else { return };
        let Some(producer) = self.producers.get(consumer.producer) else { return };
        let event = RouterEvent::ConsumerLayersChanged { consumer_id: consumer.id, layers };
        self.events.push_back((producer.router, event));
    }

    /// The layers that come of a producer are others than before.
    pub(super) fn handle_live_layers(&mut self, now: Instant, key: ProducerKey) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        producer.rates.expire_ladder();
        for consumer in producer.consumers.clone() {
            self.retarget(now, consumer);
        }
    }

    /// Counts a consumer as a user of the layers that it uses now.
    fn count_used_layers(&mut self, now: Instant, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let used = consumer.used_layers();
        let before = std::mem::replace(&mut consumer.counted_layers, used);
        if before == used {
            return;
        }
        let producer_key = consumer.producer;
        if let Some(producer) = self.producers.get_mut(producer_key) {
            producer.users.change(before, used);
            self.update_wanted(now, producer_key);
        }
    }

    /// Tells a producer's owner which layers anybody uses, when that has changed.
    pub(super) fn update_wanted(&mut self, now: Instant, key: ProducerKey) {
        let Some(producer) = self.producers.get_mut(key).filter(|producer| producer.kind == MediaKind::Video) else {
            return;
        };
        if producer.shadow.is_some() {
            return self.request_used_layers(key);
        }
        // While it sends nothing of its own accord, nobody can use anything.
        if !producer.paused {
            let used = if producer.is_selected { producer.used_layers() } else { 0 };
            producer.wanted.set_used(now, used);
        }
        let (router, producer_id, transport) = (producer.router, producer.id, producer.transport);
        if let Some(spatial_layers) = producer.wanted.poll_news(now) {
            self.tell(router, RouterEvent::ProducerLayersWanted { producer_id, spatial_layers });
        }
        self.rearm(now, transport);
    }

    /// Asks for the key frame that takes a consumer to its target, once media can flow to it.
    pub(super) fn start_key_frame_for(&mut self, now: Instant, key: ConsumerKey) {
        self.ask_key_frame_for(now, key, KeyFrameReason::Starts);
    }

    fn ask_key_frame_for(&mut self, now: Instant, key: ConsumerKey, reason: KeyFrameReason) {
        let Some(consumer) = self.consumers.get(key) else { return };
        let Some(encoding) = consumer.wanted_key_frame() else { return };
        // A key frame that comes before its consumer can be sent to would be lost.
        if self.transports.get(consumer.transport).is_none_or(|transport| transport.media_path().is_none()) {
            return;
        }
        let producer = consumer.producer;
        self.ask_key_frame(now, producer, encoding, reason);
    }
}
