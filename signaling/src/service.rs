//! The signalling as a whole: what the server starts, asks and stops.

use std::sync::Arc;
use std::time::Duration;

use sfu_core::engine::{Engine, RouterOptions, WebRtcTransportOptions};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::calls::{Calls, CallsState};
use crate::identity::TokenVerifier;
use crate::limits::{CALL_RING_MS, ONLINE_SOCKETS_MAX, PEERS_PER_ROOM_MAX, ROOMS_MAX, SHUTDOWN_WAIT_MS};
use crate::presence::Presence;
use crate::registry::Registry;

/// What can be set.
#[derive(Debug, Clone)]
pub struct SignalingOptions {
    /// Rooms at a time.
    pub rooms_max: usize,
    /// Sockets in one room.
    pub peers_per_room_max: usize,
    /// Who is let in, by tokens. `None`: everybody, as a stranger.
    pub tokens: Option<Arc<TokenVerifier>>,
    /// How each room's router is set up.
    pub router: RouterOptions,
    /// How each transport is made. Its limits of bitrates are those that clients can lower and not raise.
    pub transport: WebRtcTransportOptions,
    /// How long a call of the peer-to-peer vocabulary rings before it is given up.
    pub call_timeout: Duration,
}

impl Default for SignalingOptions {
    fn default() -> Self {
        Self {
            rooms_max: ROOMS_MAX,
            peers_per_room_max: PEERS_PER_ROOM_MAX,
            tokens: None,
            router: RouterOptions::default(),
            transport: WebRtcTransportOptions::default(),
            call_timeout: Duration::from_millis(CALL_RING_MS),
        }
    }
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalingStats {
    /// Sockets connected.
    pub sockets: usize,
    /// Rooms that somebody is in.
    pub rooms: usize,
    /// Peers that have joined a room.
    pub peers: usize,
    /// Calls of the peer-to-peer vocabulary that were answered and go on. Their media does not come here.
    pub calls: usize,
}

/// Rooms, peers and the vocabularies. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Signaling {
    pub(crate) shared: Arc<Shared>,
}

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) tokens: Option<Arc<TokenVerifier>>,
    pub(crate) router: RouterOptions,
    pub(crate) transport: WebRtcTransportOptions,
    pub(crate) registry: Arc<Registry>,
    pub(crate) presence: Presence,
    pub(crate) calls: Arc<Calls>,
    /// Since the server is about to stop: when it will at the latest.
    pub(crate) draining: watch::Sender<Option<Instant>>,
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) sessions: watch::Sender<usize>,
}

impl Signaling {
    /// Signalling for the rooms of `engine`. [`Self::attach`] it to a Socket.IO server next.
    pub fn new(engine: Engine, options: SignalingOptions) -> Self {
        let SignalingOptions { rooms_max, peers_per_room_max, tokens, router, transport, call_timeout } = options;
        Self {
            shared: Arc::new(Shared {
                engine,
                tokens,
                router,
                transport,
                registry: Arc::new(Registry::new(rooms_max, peers_per_room_max)),
                presence: Presence::new(ONLINE_SOCKETS_MAX),
                calls: Arc::new(Calls::new(call_timeout)),
                draining: watch::Sender::new(None),
                stopping: watch::Sender::new(false),
                sessions: watch::Sender::new(0),
            }),
        }
    }

    /// What is going on right now.
    pub fn stats(&self) -> SignalingStats {
        let (rooms, peers) = self.shared.registry.counts();
        let calls = self.shared.calls.read(CallsState::running);
        SignalingStats { sockets: *self.shared.sessions.borrow(), rooms, peers, calls }
    }

    /// Whether [`Self::drain`] has begun.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.borrow().is_some()
    }

    /// Opens no rooms from now on, lets nobody into a room who connects from now on, tells all sockets so (`serverDraining`), and
    /// waits until all rooms are empty, for `limit` at most.
    pub async fn drain(&self, limit: Duration) {
        self.shared.registry.close();
        self.shared.draining.send_replace(Some(Instant::now() + limit));
        if tokio::time::timeout(limit, self.shared.registry.emptied()).await.is_err() {
            tracing::info!(rooms = self.stats().rooms, "some are still in a room");
        }
    }

    /// Stops all sessions after their current event, for good, and waits for that at most
    /// [`SHUTDOWN_WAIT_MS`]. The sockets stay connected and their media flows until the caller closes the Socket.IO server and
    /// the engine, so that clients find the connection lost and reconnect, rather than the room emptying around them.
    pub async fn shutdown(&self) {
        self.shared.stopping.send_replace(true);
        let mut sessions = self.shared.sessions.subscribe();
        let ended = sessions.wait_for(|count| *count == 0);
        if tokio::time::timeout(Duration::from_millis(SHUTDOWN_WAIT_MS), ended).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
    }
}
