//! A room as a pure model: who is in it, what they send and receive, and who must be told what when that changes.
//! No I/O, no waiting. Each change returns its [`Deliveries`]; the caller posts them before anybody else changes
//! the room, so that everyone hears of the changes in the same order.
//!
//! A peer is *in* a room from the first event that names the room, and *joined* from `joinRoom` on. Only joined peers are
//! announced, and only they hear what is announced.

mod early;
mod moderation;
mod news;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use sfu_core::engine::SuspendReason;
use sfu_core::ids::{ConsumerId, ProducerId, TransportId};
use sfu_core::parameters::MediaKind;

use crate::identity::GrantChange;
use crate::wire::notice::{Message, Notice};
use early::Early;
pub(crate) use news::{ConsumerNews, PauseReason, ProducerNews};

/// A peer: one socket. The text is the socket's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PeerId(Arc<str>);

impl PeerId {
    pub(crate) fn new(socket_id: &str) -> Self {
        Self(socket_id.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who a peer says they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) peer: PeerId,
    pub(crate) user_id: String,
    pub(crate) user_name: String,
    /// Others do not learn of them.
    pub(crate) is_hidden: bool,
}

impl Identity {
    /// The socket's id stands in for a missing user id, the user id for a missing name.
    pub(crate) fn new(peer: PeerId, user_id: Option<&str>, user_name: Option<&str>) -> Self {
        let user_id = user_id.unwrap_or(peer.as_str()).to_owned();
        let user_name = user_name.unwrap_or(&user_id).to_owned();
        Self { peer, user_id, user_name, is_hidden: false }
    }
}

/// A producer as it is announced and listed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProducerInfo {
    pub(crate) id: ProducerId,
    pub(crate) owner: Identity,
    pub(crate) kind: MediaKind,
    pub(crate) app_data: Arc<Value>,
}

/// Announcements and whom they are for.
pub(crate) type Deliveries = Vec<(PeerId, Arc<Notice>)>;

#[derive(Debug)]
struct Peer {
    identity: Identity,
    joined: bool,
    /// Counts up, so that lists come in the order of arrival.
    arrival: u64,
}

impl Peer {
    fn is_seen(&self) -> bool {
        self.joined && !self.identity.is_hidden
    }
}

#[derive(Debug)]
struct Producer {
    owner: PeerId,
    kind: MediaKind,
    app_data: Arc<Value>,
    paused: bool,
    arrival: u64,
}

#[derive(Debug)]
struct Consumer {
    owner: PeerId,
    producer: ProducerId,
    suspended: Option<SuspendReason>,
}

/// The state of one room.
#[derive(Debug, Default)]
pub(crate) struct RoomState {
    peers: HashMap<PeerId, Peer>,
    transports: HashMap<TransportId, PeerId>,
    producers: HashMap<ProducerId, Producer>,
    consumers: HashMap<ConsumerId, Consumer>,
    early_producers: Early<ProducerId, ProducerNews>,
    early_consumers: Early<ConsumerId, ConsumerNews>,
    /// The audio producer of who spoke last.
    active_speaker: Option<ProducerId>,
    arrivals: u64,
    /// Newcomers are kept out.
    is_locked: bool,
    /// What administrators have changed, by the users' ids.
    grant_changes: HashMap<String, GrantChange>,
}

impl RoomState {
    /// Brings a peer in, unannounced. Does nothing for one who is in already.
    pub(crate) fn enter(&mut self, peer: &PeerId) {
        if !self.peers.contains_key(peer) {
            let arrival = self.next_arrival();
            let identity = Identity::new(peer.clone(), None, None);
            self.peers.insert(peer.clone(), Peer { identity, joined: false, arrival });
        }
    }

    /// Names a peer who has not joined yet: what they send already is announced under that user's id. Who has joined keeps
    /// the name they joined under.
    pub(crate) fn identify(&mut self, peer: &PeerId, user_id: &str) {
        if let Some(peer) = self.peers.get_mut(peer).filter(|peer| !peer.joined) {
            peer.identity = Identity::new(peer.identity.peer.clone(), Some(user_id), None);
        }
    }

    /// Announces a peer who is in, and tells them who speaks. One who joins again under the same name is not announced
    /// again.
    pub(crate) fn join(&mut self, identity: Identity) -> Deliveries {
        let Some(peer) = self.peers.get_mut(&identity.peer) else {
            return Vec::new();
        };
        let first = !peer.joined;
        let news = first || peer.identity != identity;
        peer.joined = true;
        peer.identity = identity.clone();
        if !news {
            return Vec::new();
        }
        let from = identity.peer.clone();
        let mut deliveries = Deliveries::new();
        if !identity.is_hidden {
            deliveries = self.to_others(&from, Notice::PeerJoined(identity));
        }
        if first && let Some(speaker) = self.active_speaker.and_then(|id| self.producer(&id)) {
            deliveries.push((from, Arc::new(Notice::ActiveSpeaker(speaker))));
        }
        deliveries
    }

    /// Takes a peer out, with everything of theirs.
    pub(crate) fn leave(&mut self, peer: &PeerId) -> Deliveries {
        let mut own: Vec<_> = self.producers.iter().filter(|(_, producer)| producer.owner == *peer).collect();
        own.sort_by_key(|(_, producer)| producer.arrival);
        let own: Vec<_> = own.into_iter().map(|(id, _)| *id).collect();
        // Theirs first: their own consumers need no announcement.
        self.consumers.retain(|_, consumer| consumer.owner != *peer);
        self.transports.retain(|_, owner| owner != peer);
        let mut deliveries = Vec::new();
        for id in own {
            deliveries.extend(self.close_producer(&id));
        }
        if let Some(gone) = self.peers.remove(peer)
            && gone.joined
            && !gone.identity.is_hidden
        {
            deliveries.extend(self.to_others(peer, Notice::PeerLeft(gone.identity)));
        }
        deliveries
    }

    /// Remembers whose a transport is.
    pub(crate) fn add_transport(&mut self, id: TransportId, owner: &PeerId) {
        self.transports.insert(id, owner.clone());
    }

    /// Forgets a transport and says whose it was.
    pub(crate) fn remove_transport(&mut self, id: &TransportId) -> Option<PeerId> {
        self.transports.remove(id)
    }

    /// Announces a new producer that was expected. Its owner is told what is known of it already.
    pub(crate) fn add_producer(
        &mut self,
        id: ProducerId,
        owner: &PeerId,
        kind: MediaKind,
        app_data: Value,
    ) -> Deliveries {
        let arrival = self.next_arrival();
        let producer = Producer { owner: owner.clone(), kind, app_data: Arc::new(app_data), paused: false, arrival };
        self.producers.insert(id, producer);
        let mut deliveries = match self.producer(&id) {
            Some(info) => self.to_others(owner, Notice::NewProducer(info)),
            None => Vec::new(),
        };
        for news in self.early_producers.take(&id) {
            deliveries.extend(self.producer_news(id, news));
        }
        self.early_producers.end();
        deliveries
    }

    /// Announces that a producer is gone, to its consumers' owners too. Does nothing the second time.
    pub(crate) fn close_producer(&mut self, id: &ProducerId) -> Deliveries {
        let Some(info) = self.producer(id) else {
            return Vec::new();
        };
        self.producers.remove(id);
        self.active_speaker.take_if(|speaker| speaker == id);
        let consumers: Vec<_> =
            self.consumers.iter().filter(|(_, consumer)| consumer.producer == *id).map(|(id, _)| *id).collect();
        let mut deliveries = Vec::new();
        for consumer in consumers {
            deliveries.extend(self.consumer_closed(&consumer));
        }
        let owner = info.owner.peer.clone();
        deliveries.extend(self.to_others(&owner, Notice::ProducerClosed(info)));
        deliveries
    }

    /// Announces that a producer is paused or resumed, to its consumers' owners too. Does nothing if it is so already.
    pub(crate) fn set_producer_paused(&mut self, id: &ProducerId, paused: bool) -> Deliveries {
        match self.producers.get_mut(id) {
            Some(producer) if producer.paused != paused => producer.paused = paused,
            _ => return Vec::new(),
        }
        let Some(info) = self.producer(id) else {
            return Vec::new();
        };
        let mut deliveries = Vec::new();
        for (consumer, Consumer { owner, suspended, .. }) in
            self.consumers.iter().filter(|(_, consumer)| consumer.producer == *id)
        {
            let (before, now) = (PauseReason::of(!paused, *suspended), PauseReason::of(paused, *suspended));
            let notice = PauseReason::change(*consumer, before, now);
            deliveries.extend(notice.map(|notice| (owner.clone(), Arc::new(notice))));
        }
        let owner = info.owner.peer.clone();
        let notice = if paused { Notice::ProducerPaused(info) } else { Notice::ProducerResumed(info) };
        deliveries.extend(self.to_others(&owner, notice));
        deliveries
    }

    /// Remembers a consumer that was expected and says whether its producer is paused; `None` if the producer is gone
    /// meanwhile. Its owner is told what is known of it already.
    pub(crate) fn add_consumer(
        &mut self,
        id: ConsumerId,
        owner: &PeerId,
        producer: ProducerId,
    ) -> (Option<bool>, Deliveries) {
        let early = self.early_consumers.take(&id);
        self.early_consumers.end();
        let Some(paused) = self.producers.get(&producer).map(|producer| producer.paused) else {
            return (None, Vec::new());
        };
        self.consumers.insert(id, Consumer { owner: owner.clone(), producer, suspended: None });
        let deliveries = early.into_iter().flat_map(|news| self.consumer_news(id, news)).collect();
        (Some(paused), deliveries)
    }

    /// Forgets a consumer that its owner closed.
    pub(crate) fn remove_consumer(&mut self, id: &ConsumerId) {
        self.consumers.remove(id);
    }

    /// Tells a consumer's owner that it closed. Does nothing the second time.
    pub(crate) fn consumer_closed(&mut self, id: &ConsumerId) -> Deliveries {
        match self.consumers.remove(id) {
            Some(consumer) => vec![(consumer.owner, Arc::new(Notice::ConsumerClosed(*id)))],
            None => Vec::new(),
        }
    }

    /// A chat message from a peer, for everybody joined or for one recipient (a user's id: all their sockets; or a socket's)
    /// and the sender. `None`: nobody is called so.
    pub(crate) fn message(
        &self,
        from: &PeerId,
        sender_name: Option<String>,
        text: String,
        recipient: Option<&str>,
        timestamp: String,
    ) -> Option<Deliveries> {
        let sender = &self.peers.get(from)?.identity;
        let message = Arc::new(Notice::Message(Message {
            sender_id: sender.user_id.clone(),
            sender_name: sender_name.unwrap_or_else(|| sender.user_name.clone()),
            text,
            timestamp,
            private: recipient.is_some(),
        }));
        let joined = self.peers.values().filter(|peer| peer.joined).map(|peer| &peer.identity);
        let Some(recipient) = recipient else {
            return Some(joined.map(|who| (who.peer.clone(), message.clone())).collect());
        };
        // Whether somebody hidden is there is not to be found out by writing to them.
        let named = |who: &&Identity| !who.is_hidden && (who.user_id == recipient || who.peer.as_str() == recipient);
        let mut recipients: Vec<_> = joined.filter(named).map(|who| who.peer.clone()).collect();
        if recipients.is_empty() {
            return None;
        }
        if !recipients.contains(from) {
            recipients.push(from.clone());
        }
        Some(recipients.into_iter().map(|peer| (peer, message.clone())).collect())
    }

    /// Everybody who has joined and is to be seen but `asker`, in the order of arrival.
    pub(crate) fn others(&self, asker: &PeerId) -> Vec<Identity> {
        let mut others: Vec<_> =
            self.peers.values().filter(|peer| peer.is_seen() && peer.identity.peer != *asker).collect();
        others.sort_by_key(|peer| peer.arrival);
        others.into_iter().map(|peer| peer.identity.clone()).collect()
    }

    /// Every producer but `asker`'s own, in the order of arrival.
    pub(crate) fn producers_for(&self, asker: &PeerId) -> Vec<ProducerInfo> {
        let mut others: Vec<_> = self.producers.iter().filter(|(_, producer)| producer.owner != *asker).collect();
        others.sort_by_key(|(_, producer)| producer.arrival);
        others.into_iter().filter_map(|(id, _)| self.producer(id)).collect()
    }

    /// One producer.
    pub(crate) fn producer(&self, id: &ProducerId) -> Option<ProducerInfo> {
        let producer = self.producers.get(id)?;
        let owner = self.peers.get(&producer.owner)?.identity.clone();
        Some(ProducerInfo { id: *id, owner, kind: producer.kind, app_data: producer.app_data.clone() })
    }

    /// Peers in the room, joined or not.
    pub(crate) fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// Peers that have joined.
    pub(crate) fn joined_count(&self) -> usize {
        self.peers.values().filter(|peer| peer.joined).count()
    }

    fn next_arrival(&mut self) -> u64 {
        self.arrivals = self.arrivals.wrapping_add(1);
        self.arrivals
    }

    fn to_others(&self, from: &PeerId, notice: Notice) -> Deliveries {
        let mut deliveries = self.to_joined(notice);
        deliveries.retain(|(peer, _)| peer != from);
        deliveries
    }

    fn to_joined(&self, notice: Notice) -> Deliveries {
        let notice = Arc::new(notice);
        let joined = self.peers.values().filter(|peer| peer.joined);
        joined.map(|peer| (peer.identity.peer.clone(), notice.clone())).collect()
    }
}

#[cfg(test)]
mod tests;
