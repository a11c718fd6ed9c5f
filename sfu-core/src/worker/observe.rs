//! Who speaks in a room, and what follows from it.

use std::time::Instant;

use super::core::{Core, ProducerKey, RouterKey, TransportKey};
use super::timers::Wake;
use crate::observers::{Change, Volumes};
use crate::parameters::MediaKind;
use crate::producer::Producer;
use crate::router::{AudioLevel, RouterEvent};
use crate::rtp::extensions::AudioLevel as PacketLevel;

impl Core {
    /// A packet of an audio producer said how loud it is.
    pub(super) fn hear(&mut self, now: Instant, router_key: RouterKey, key: ProducerKey, level: PacketLevel) {
        let Some(router) = self.routers.get_mut(router_key) else { return };
        let change = router.observers.handle_level(now, key, level);
        self.select_audio(change);
        self.tell_speakers(now, router_key);
    }

    /// Does what is due of a router.
    pub(super) fn serve_router(&mut self, now: Instant, key: RouterKey) {
        if let Some(router) = self.routers.get_mut(key) {
            router.observers.handle_timeout(now);
            self.tell_speakers(now, key);
            self.serve_tail(now, key);
        }
    }

    /// A producer came into a room: it may be one too many to be forwarded.
    pub(super) fn observe_producer(&mut self, now: Instant, key: ProducerKey) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        let (kind, transport) = (producer.kind, producer.transport);
        let Some(router) = self.routers.get_mut(producer.router_key) else { return };
        match kind {
            MediaKind::Audio => {
                let change = router.observers.loudest_n.add(key);
                producer.is_selected = router.observers.loudest_n.is_selected(key);
                self.select_audio(change);
            }
            MediaKind::Video if producer.is_screen => {}
            MediaKind::Video => {
                let change = router.observers.last_n.add(transport);
                producer.is_selected = router.observers.last_n.is_selected(transport);
                self.select_video(now, change);
            }
        }
    }

    /// A producer is gone from a room: another may take its place.
    pub(super) fn forget_observed(&mut self, now: Instant, key: ProducerKey, producer: &Producer) {
        let transport = producer.transport;
        let Some(router) = self.routers.get_mut(producer.router_key) else { return };
        match producer.kind {
            MediaKind::Audio => {
                let change = router.observers.remove_audio(now, key);
                self.select_audio(change);
            }
            MediaKind::Video => {
                let others = self.transports.get(transport).is_some_and(|transport| {
                    let cameras =
                        |key: &ProducerKey| self.producers.get(*key).is_some_and(|producer| producer.is_camera());
                    transport.producers.iter().any(cameras)
                });
                if producer.is_camera() && !others {
                    let change = router.observers.last_n.remove(transport);
                    self.select_video(now, change);
                }
            }
        }
    }

    fn tell_speakers(&mut self, now: Instant, key: RouterKey) {
        let Some(router) = self.routers.get_mut(key) else { return };
        let id = router.id;
        if let Some(at) = router.observers.poll_timeout() {
            self.timers.arm(Wake::Router(key), &mut router.armed, at.max(now));
        }
        let volumes = router.observers.poll_volumes();
        let dominant = router.observers.poll_dominant();
        let tells_speaker = router.options.active_speaker;
        if let Some(volumes) = volumes {
            let loudest = match volumes {
                Volumes::Loudest(loudest) => loudest,
                Volumes::Silence => Vec::new(),
            };
            let levels = loudest
                .into_iter()
                .filter_map(|(key, volume_dbov)| {
                    Some(AudioLevel { producer_id: self.producers.get(key)?.id, volume_dbov })
                })
                .collect();
            self.tell(id, RouterEvent::AudioLevels { levels });
        }
        if let Some(producer) = dominant.and_then(|key| self.producers.get(key)) {
            let (producer_id, transport) = (producer.id, producer.transport);
            if tells_speaker {
                self.tell(id, RouterEvent::ActiveSpeaker { producer_id });
            }
            if let Some(router) = self.routers.get_mut(key) {
                let change = router.observers.last_n.handle_dominant(transport);
                self.select_video(now, change);
            }
        }
    }

    fn select_audio(&mut self, change: Change<ProducerKey>) {
        for (key, is_selected) in [(change.removed, false), (change.added, true)] {
            if let Some(key) = key {
                self.set_audio_selected(key, is_selected);
            }
        }
    }

    /// Audio comes and goes without anybody being told, as in silence.
    pub(super) fn set_audio_selected(&mut self, key: ProducerKey, is_selected: bool) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        producer.is_selected = is_selected;
        for consumer in &producer.consumers {
            if let Some(consumer) = self.consumers.get_mut(*consumer).filter(|_| !is_selected) {
                consumer.stop();
            }
        }
        self.pipe_state(key);
    }

    fn select_video(&mut self, now: Instant, change: Change<TransportKey>) {
        for (transport, is_selected) in [(change.removed, false), (change.added, true)] {
            let Some(transport) = transport.and_then(|key| self.transports.get(key)) else { continue };
            for key in transport.producers.clone() {
                if self.producers.get(key).is_some_and(|producer| producer.is_camera()) {
                    self.set_video_selected(now, key, is_selected);
                }
            }
        }
    }

    /// Video that the room forwards no longer stops, and its consumers' owners are told.
    pub(super) fn set_video_selected(&mut self, now: Instant, key: ProducerKey, is_selected: bool) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        if std::mem::replace(&mut producer.is_selected, is_selected) == is_selected {
            return;
        }
        let consumers = producer.consumers.clone();
        self.pipe_state(key);
        for consumer in consumers {
            let Some(viewer) = self.consumers.get_mut(consumer) else { continue };
            if !is_selected {
                viewer.stop();
            }
            let transport = viewer.transport;
            self.retarget(now, consumer);
            self.allocate_soon(now, transport);
        }
        self.update_wanted(now, key);
    }
}
