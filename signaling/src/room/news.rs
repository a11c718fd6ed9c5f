//! What the engine tells by itself of a room's media, and who must be told of it.

use std::sync::Arc;

use serde::Serialize;
use sfu_core::engine::{AudioLevel, SuspendReason};
use sfu_core::ids::{ConsumerId, ProducerId};
use sfu_core::parameters::ConsumerLayers;
use sfu_core::stats::{ConsumerScore, ProducerScore, TraceEvent, TraceTarget};

use super::{Deliveries, RoomState};
use crate::wire::notice::{Loudness, Notice};

/// What the engine tells of a consumer by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ConsumerNews {
    /// Nothing flows for a reason that is not its owner's or its producer's; `None`: that is over.
    Suspended(Option<SuspendReason>),
    /// Other layers flow; `None`: none.
    Layers(Option<ConsumerLayers>),
    /// It arrives better or worse.
    Score(ConsumerScore),
}

/// What the engine tells of a producer by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ProducerNews {
    /// The spatial layers that anybody uses.
    LayersWanted(Vec<u8>),
    /// Its streams arrive better or worse.
    Score(Vec<ProducerScore>),
}

/// Why nothing flows to a consumer, as its owner is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PauseReason {
    /// Its producer is paused.
    Producer,
    /// The owner's path does not carry it beside what is more important.
    Bandwidth,
    /// Its source is not among those that the room forwards.
    NotSpeaking,
    /// The server has more to forward than it can.
    Overload,
}

impl PauseReason {
    /// The one reason to tell: nothing can flow from a producer that is paused, whatever else may be.
    pub(super) fn of(producer_paused: bool, suspended: Option<SuspendReason>) -> Option<Self> {
        if producer_paused {
            return Some(Self::Producer);
        }
        suspended.map(|reason| match reason {
            SuspendReason::Bandwidth => Self::Bandwidth,
            SuspendReason::NotSpeaking => Self::NotSpeaking,
            SuspendReason::Overload => Self::Overload,
        })
    }

    /// What a consumer's owner is told when the reason, if there is one, changes.
    pub(super) fn change(id: ConsumerId, before: Option<Self>, now: Option<Self>) -> Option<Notice> {
        (before != now).then(|| now.map_or(Notice::ConsumerResumed(id), |why| Notice::ConsumerPaused(id, why)))
    }
}

impl RoomState {
    /// A producer is being made: either [`Self::add_producer`] or [`Self::producer_not_made`] follows.
    pub(crate) fn expect_producer(&mut self) {
        self.early_producers.begin();
    }

    /// An expected producer was refused.
    pub(crate) fn producer_not_made(&mut self) {
        self.early_producers.end();
    }

    /// A consumer is being made: either [`Self::add_consumer`] or [`Self::consumer_not_made`] follows.
    pub(crate) fn expect_consumer(&mut self) {
        self.early_consumers.begin();
    }

    /// An expected consumer was refused.
    pub(crate) fn consumer_not_made(&mut self) {
        self.early_consumers.end();
    }

    /// Tells a producer's owner what the engine says of it.
    pub(crate) fn producer_news(&mut self, id: ProducerId, news: ProducerNews) -> Deliveries {
        let Some(producer) = self.producers.get(&id) else {
            self.early_producers.keep(id, news);
            return Vec::new();
        };
        let notice = match news {
            ProducerNews::LayersWanted(layers) => Notice::ProducerLayersWanted(id, layers),
            ProducerNews::Score(scores) => Notice::ProducerScore(id, scores),
        };
        vec![(producer.owner.clone(), Arc::new(notice))]
    }

    /// Tells a consumer's owner what the engine says of it. One that is suspended while its producer is paused is told as
    /// flowing again when both are over.
    pub(crate) fn consumer_news(&mut self, id: ConsumerId, news: ConsumerNews) -> Deliveries {
        let Some(consumer) = self.consumers.get_mut(&id) else {
            self.early_consumers.keep(id, news);
            return Vec::new();
        };
        let notice = match news {
            ConsumerNews::Suspended(suspended) => {
                let producer_paused = self.producers.get(&consumer.producer).is_some_and(|producer| producer.paused);
                let before = PauseReason::of(producer_paused, consumer.suspended);
                consumer.suspended = suspended;
                PauseReason::change(id, before, PauseReason::of(producer_paused, suspended))
            }
            ConsumerNews::Layers(layers) => Some(Notice::LayersChanged(id, layers)),
            ConsumerNews::Score(score) => Some(Notice::ConsumerScore(id, score)),
        };
        notice.map(|notice| (consumer.owner.clone(), Arc::new(notice))).into_iter().collect()
    }

    /// Tells the owner of an object what happened to it.
    pub(crate) fn trace(&self, target: TraceTarget, event: Box<TraceEvent>) -> Deliveries {
        let owner = match &target {
            TraceTarget::Transport(id) => self.transports.get(id),
            TraceTarget::Producer(id) => self.producers.get(id).map(|producer| &producer.owner),
            TraceTarget::Consumer(id) => self.consumers.get(id).map(|consumer| &consumer.owner),
        };
        owner.map(|owner| (owner.clone(), Arc::new(Notice::Trace(target, event)))).into_iter().collect()
    }

    /// Tells everybody how loud those are who are heard.
    pub(crate) fn audio_levels(&self, levels: &[AudioLevel]) -> Deliveries {
        let loudness = |level: &AudioLevel| {
            let producer = self.producers.get(&level.producer_id)?;
            let owner = self.peers.get(&producer.owner)?;
            Some(Loudness {
                producer: level.producer_id,
                user_id: owner.identity.user_id.clone(),
                volume_dbov: level.volume_dbov,
            })
        };
        self.to_joined(Notice::AudioLevels(levels.iter().filter_map(loudness).collect()))
    }

    /// Tells everybody, and those who join later, who speaks.
    pub(crate) fn speaks(&mut self, id: ProducerId) -> Deliveries {
        let Some(info) = self.producer(&id) else {
            return Vec::new();
        };
        self.active_speaker = Some(id);
        self.to_joined(Notice::ActiveSpeaker(info))
    }
}
