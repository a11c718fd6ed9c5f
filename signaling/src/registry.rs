//! The rooms by name, and what connects a room's pure model to the world: its router and its peers' mailboxes.
//!
//! Locks: the registry's before a room's, both only for short steps without waiting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sfu_core::engine::{Router, RouterEvent, RouterEvents};
use tokio::sync::{OnceCell, watch};
use tracing::Instrument;

use crate::error::SignalError;
use crate::mailbox::{End, Mailbox, Order, Post};
use crate::room::{ConsumerNews, Deliveries, PeerId, ProducerNews, RoomState};
use crate::service::Shared;
use crate::wire::notice::Notice;

/// One room.
#[derive(Debug)]
pub(crate) struct Room {
    name: String,
    router: OnceCell<Router>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: RoomState,
    mailboxes: HashMap<PeerId, Mailbox>,
}

impl Inner {
    fn deliver(&self, deliveries: Deliveries) {
        for (peer, notice) in deliveries {
            if let Some(mailbox) = self.mailboxes.get(&peer) {
                mailbox.post(Post::Notice(notice));
            }
        }
    }
}

impl Room {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), router: OnceCell::new(), inner: Mutex::default() }
    }

    /// The room's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Looks at the room.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&RoomState) -> R) -> R {
        look(&self.lock().state)
    }

    /// Changes the room and posts what its peers must be told, before anybody else can change it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut RoomState) -> (R, Deliveries)) -> R {
        let mut inner = self.lock();
        let (result, deliveries) = change(&mut inner.state);
        inner.deliver(deliveries);
        result
    }

    /// The same for a change without a result.
    pub(crate) fn announce(&self, change: impl FnOnce(&mut RoomState) -> Deliveries) {
        self.change(|state| ((), change(state)));
    }

    /// Has a peer do something, after its current event.
    pub(crate) fn order(&self, peer: &PeerId, order: Order) {
        if let Some(mailbox) = self.lock().mailboxes.get(peer) {
            mailbox.post(Post::Order(order));
        }
    }

    /// Tells peers why, and ends their sessions for good.
    pub(crate) fn send_away(&self, peers: &[PeerId], why: Notice) {
        let inner = self.lock();
        let why = Arc::new(why);
        for mailbox in peers.iter().filter_map(|peer| inner.mailboxes.get(peer)) {
            mailbox.post(Post::Notice(why.clone()));
            mailbox.end(End::Removed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rooms.
#[derive(Debug)]
pub(crate) struct Registry {
    rooms: Mutex<HashMap<String, Arc<Room>>>,
    rooms_max: usize,
    peers_per_room_max: usize,
    /// How many rooms there are, for who waits until there is none.
    open: watch::Sender<usize>,
    /// Whether no room is opened any more.
    is_closed: AtomicBool,
}

impl Registry {
    pub(crate) fn new(rooms_max: usize, peers_per_room_max: usize) -> Self {
        Self {
            rooms: Mutex::default(),
            rooms_max,
            peers_per_room_max,
            open: watch::Sender::new(0),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Opens no room from now on. Those that are open live on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Waits until no room is open.
    pub(crate) async fn emptied(&self) {
        // No error: the sending side is here.
        self.open.subscribe().wait_for(|open| *open == 0).await.ok();
    }

    /// Brings a peer, unannounced, into the room of that name; makes the room if it is not there. A locked one takes in nobody
    /// but its administrators.
    pub(crate) fn enter(
        &self,
        name: &str,
        peer: &PeerId,
        mailbox: &Mailbox,
        is_admin: bool,
    ) -> Result<Arc<Room>, SignalError> {
        let mut rooms = self.lock();
        if let Some(room) = rooms.get(name) {
            let mut inner = room.lock();
            if inner.state.peer_count() >= self.peers_per_room_max {
                return Err(SignalError::RoomFull { limit: self.peers_per_room_max });
            }
            if inner.state.is_locked() && !is_admin {
                return Err(SignalError::RoomLocked);
            }
            inner.state.enter(peer);
            inner.mailboxes.insert(peer.clone(), mailbox.clone());
            return Ok(room.clone());
        }
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(SignalError::Draining);
        }
        if rooms.len() >= self.rooms_max {
            return Err(SignalError::TooManyRooms { limit: self.rooms_max });
        }
        let room = Arc::new(Room::new(name));
        {
            let mut inner = room.lock();
            inner.state.enter(peer);
            inner.mailboxes.insert(peer.clone(), mailbox.clone());
        }
        rooms.insert(name.to_owned(), room.clone());
        self.open.send_replace(rooms.len());
        tracing::info!(room = name, "room opened");
        Ok(room)
    }

    /// Takes a peer out of a room and tells the others. A room that is empty then is removed, and its router is the
    /// caller's to close.
    pub(crate) fn leave(&self, room: &Arc<Room>, peer: &PeerId) -> Option<Router> {
        let mut rooms = self.lock();
        let mut inner = room.lock();
        inner.mailboxes.remove(peer);
        let deliveries = inner.state.leave(peer);
        inner.deliver(deliveries);
        if inner.state.peer_count() > 0 {
            return None;
        }
        // A room of the same name may have been opened since this one's worker died.
        if rooms.get(&room.name).is_some_and(|current| Arc::ptr_eq(current, room)) {
            rooms.remove(&room.name);
            self.open.send_replace(rooms.len());
            tracing::info!(room = room.name, "room closed");
        }
        room.router.get().cloned()
    }

    /// Rooms, and peers that have joined one.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let rooms: Vec<_> = self.lock().values().cloned().collect();
        (rooms.len(), rooms.iter().map(|room| room.read(RoomState::joined_count)).sum())
    }

    /// A room that an administrator closes: gone for newcomers, and those in it are told and disconnected for good.
    pub(crate) fn dissolve(&self, room: &Arc<Room>) {
        self.end(room, End::Removed);
    }

    /// A room whose router died: gone for newcomers, and those in it are told and disconnected, so that they start afresh.
    fn lose(&self, room: &Arc<Room>) {
        self.end(room, End::RoomClosed);
    }

    fn end(&self, room: &Arc<Room>, end: End) {
        {
            let mut rooms = self.lock();
            if rooms.get(&room.name).is_some_and(|current| Arc::ptr_eq(current, room)) {
                rooms.remove(&room.name);
                self.open.send_replace(rooms.len());
            }
        }
        let notice = Arc::new(Notice::RoomClosed { room_id: room.name.clone(), by_admin: end == End::Removed });
        // That they leave one after the other is no news to those who leave too.
        for (_, mailbox) in room.lock().mailboxes.drain() {
            mailbox.post(Post::Notice(notice.clone()));
            mailbox.end(end);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The room's router, made by the first who needs it.
pub(crate) async fn router(shared: &Shared, room: &Arc<Room>) -> Result<Router, SignalError> {
    let registry = &shared.registry;
    let make = async || {
        let (router, events) = shared.engine.create_router(shared.router.clone()).await?;
        tracing::info!(room = room.name, router = %router.id(), "router created");
        let span = tracing::info_span!(parent: None, "room", room = room.name);
        tokio::spawn(follow(events, registry.clone(), room.clone()).instrument(span));
        Ok(router)
    };
    room.router.get_or_try_init(make).await.cloned()
}

/// Follows what happens in a room's router by itself, until the router is closed.
async fn follow(mut events: RouterEvents, registry: Arc<Registry>, room: Arc<Room>) {
    while let Some(event) = events.next().await {
        match event {
            RouterEvent::TransportClosed { transport_id, reason } => {
                tracing::info!(transport = %transport_id, ?reason, "transport closed by itself");
                let inner = &mut *room.lock();
                if let Some(owner) = inner.state.remove_transport(&transport_id)
                    && let Some(mailbox) = inner.mailboxes.get(&owner)
                {
                    mailbox.post(Post::TransportClosed(transport_id));
                }
            }
            RouterEvent::ProducerClosed { producer_id } => room.announce(|state| state.close_producer(&producer_id)),
            RouterEvent::ConsumerClosed { consumer_id, .. } => {
                room.announce(|state| state.consumer_closed(&consumer_id));
            }
            RouterEvent::Closed { reason } => {
                tracing::error!(?reason, "router lost");
                registry.lose(&room);
            }
            RouterEvent::IceState { transport_id, state } => {
                tracing::debug!(transport = %transport_id, ?state, "ICE");
            }
            RouterEvent::DtlsState { transport_id, state } => {
                tracing::debug!(transport = %transport_id, ?state, "DTLS");
            }
            RouterEvent::ConsumerSuspended { consumer_id, reason } => {
                room.announce(|state| state.consumer_news(consumer_id, ConsumerNews::Suspended(Some(reason))));
            }
            RouterEvent::ConsumerUnsuspended { consumer_id } => {
                room.announce(|state| state.consumer_news(consumer_id, ConsumerNews::Suspended(None)));
            }
            RouterEvent::ConsumerLayersChanged { consumer_id, layers } => {
                room.announce(|state| state.consumer_news(consumer_id, ConsumerNews::Layers(layers)));
            }
            RouterEvent::ConsumerScore { consumer_id, score } => {
                room.announce(|state| state.consumer_news(consumer_id, ConsumerNews::Score(score)));
            }
            RouterEvent::ProducerLayersWanted { producer_id, spatial_layers } => {
                room.announce(|state| state.producer_news(producer_id, ProducerNews::LayersWanted(spatial_layers)));
            }
            RouterEvent::ProducerScore { producer_id, scores } => {
                room.announce(|state| state.producer_news(producer_id, ProducerNews::Score(scores)));
            }
            RouterEvent::Trace { target, event } => room.announce(|state| state.trace(target, event)),
            RouterEvent::AudioLevels { levels } => room.announce(|state| state.audio_levels(&levels)),
            RouterEvent::ActiveSpeaker { producer_id } => room.announce(|state| state.speaks(producer_id)),
            // Pausing is announced where it is asked for: the room's model knows which consumers it touches, and a
            // consumer that is being made at that moment is not missed.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::mailbox::Mail;
    use crate::room::Identity;

    fn registry() -> Registry {
        Registry::new(2, 2)
    }

    fn peer(name: &str) -> (PeerId, Mailbox) {
        (PeerId::new(name), Mailbox::new().0)
    }

    #[test]
    fn a_room_lives_from_its_first_peer_to_its_last() {
        let registry = registry();
        let (a, a_box) = peer("a");
        let (b, b_box) = peer("b");
        let room = registry.enter("r", &a, &a_box, false).unwrap();
        assert!(Arc::ptr_eq(&room, &registry.enter("r", &b, &b_box, false).unwrap()));
        registry.leave(&room, &a);
        assert_eq!(registry.counts().0, 1);
        registry.leave(&room, &b);
        assert_eq!(registry.counts().0, 0);
        let again = registry.enter("r", &a, &a_box, false).unwrap();
        assert!(!Arc::ptr_eq(&room, &again));
    }

    #[test]
    fn a_full_room_and_one_room_too_many_are_refused() {
        let registry = registry();
        for name in ["a", "b"] {
            let (id, mailbox) = peer(name);
            registry.enter("r", &id, &mailbox, false).unwrap();
        }
        let (id, mailbox) = peer("c");
        assert!(matches!(registry.enter("r", &id, &mailbox, false), Err(SignalError::RoomFull { limit: 2 })));
        registry.enter("s", &id, &mailbox, false).unwrap();
        assert!(matches!(registry.enter("t", &id, &mailbox, false), Err(SignalError::TooManyRooms { limit: 2 })));
        assert_eq!(registry.counts().0, 2);
    }

    #[test]
    fn a_locked_room_takes_in_its_administrators_only() {
        let registry = registry();
        let (a, a_box) = peer("a");
        let room = registry.enter("r", &a, &a_box, false).unwrap();
        room.announce(|state| state.set_locked(true));
        let (b, b_box) = peer("b");
        assert!(matches!(registry.enter("r", &b, &b_box, false), Err(SignalError::RoomLocked)));
        registry.enter("r", &b, &b_box, true).unwrap();
        registry.leave(&room, &b);
        room.announce(|state| state.set_locked(false));
        registry.enter("r", &b, &b_box, false).unwrap();
    }

    /// Harm prevented: a room that was closed fills again by itself, with those who were sent away.
    #[tokio::test]
    async fn a_closed_room_sends_everybody_away_for_good() {
        let registry = registry();
        let (mailbox, mut inbox) = Mailbox::new();
        let room = registry.enter("r", &PeerId::new("a"), &mailbox, false).unwrap();
        registry.dissolve(&room);
        assert!(matches!(inbox.next().await, Mail::End(End::Removed)));
        assert_eq!(registry.counts().0, 0);
    }

    /// Harm prevented: a server that is to stop never gets empty, for new rooms open while old ones close.
    #[tokio::test]
    async fn a_closed_registry_opens_no_room_and_tells_when_the_last_is_gone() {
        let registry = registry();
        registry.emptied().await;
        let (a, a_box) = peer("a");
        let room = registry.enter("r", &a, &a_box, false).unwrap();
        let lost = registry.enter("s", &a, &a_box, false).unwrap();
        registry.close();
        let (b, b_box) = peer("b");
        assert!(matches!(registry.enter("t", &b, &b_box, false), Err(SignalError::Draining)));
        // Who has a friend in an open room still gets there.
        registry.enter("r", &b, &b_box, false).unwrap();
        let is_empty = || registry.emptied().now_or_never().is_some();
        registry.leave(&room, &a);
        registry.lose(&lost);
        assert!(!is_empty());
        registry.leave(&room, &b);
        assert!(is_empty());
    }

    #[tokio::test]
    async fn a_lost_room_ends_its_peers_and_its_name_is_free_again() {
        let registry = registry();
        let (a, a_box) = peer("a");
        let (mailbox, mut inbox) = Mailbox::new();
        let lost = registry.enter("r", &a, &mailbox, false).unwrap();
        lost.announce(|state| state.join(Identity::new(a.clone(), None, None)));
        registry.lose(&lost);
        // The end first, but the news is there to be told on the way out.
        assert!(matches!(inbox.next().await, Mail::End(End::RoomClosed)));
        let news = Notice::RoomClosed { room_id: "r".to_owned(), by_admin: false };
        assert!(matches!(inbox.try_post(), Some(Post::Notice(notice)) if *notice == news));

        let (b, _) = peer("b");
        lost.announce(|state| {
            state.enter(&b);
            state.join(Identity::new(b, None, None))
        });
        assert!(inbox.try_post().is_none());

        let fresh = registry.enter("r", &a, &a_box, false).unwrap();
        assert!(!Arc::ptr_eq(&lost, &fresh));
        // Whoever leaves the lost one late must not take the new one along.
        registry.leave(&lost, &a);
        assert_eq!(registry.counts().0, 1);
    }
}
