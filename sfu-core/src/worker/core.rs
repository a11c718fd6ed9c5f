//! The pure half of a worker: what it holds, and where a datagram goes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use slotmap::{SlotMap, new_key_type};

use super::gather::Joining;
use super::handshakes::Handshakes;
use super::info::{LocalAddress, WorkerStats};
use super::overload::Overload;
use super::pipe::{Head, PipeEnd, PipeHeadKey, PipeTailKey, Tail};
use super::timers::{Timers, Wake};
use super::transmit::TransmitQueue;
use crate::consumer::Consumer;
use crate::dtls::Certificate;
use crate::ice::{self, StunOutcome};
use crate::ids::{ConsumerId, ProducerId, RouterId, TransportId};
use crate::parameters::RtpCapabilities;
use crate::producer::Producer;
use crate::router::{Router, RouterEvent, TransportCloseReason};
use crate::rtcp::ntp::WallClock;
use crate::rtp::demux::PacketKind;
use crate::stats::{SentKind, TraceQueue};
use crate::transport::WebRtcTransport;
use crate::transport::tuple::Tuple;

new_key_type! {
    /// A router's place in its worker.
    pub(crate) struct RouterKey;
    /// A transport's place in its worker.
    pub(crate) struct TransportKey;
    /// A producer's place in its worker.
    pub(crate) struct ProducerKey;
    /// A consumer's place in its worker.
    pub(crate) struct ConsumerKey;
}

/// What a core is made with.
#[derive(Debug)]
pub struct CoreOptions {
    /// The process's certificate.
    pub certificate: Certificate,
    /// What the routers offer.
    pub capabilities: Arc<RtpCapabilities>,
    /// Where the worker's shared sockets are; empty when each transport has its own.
    pub addresses: Vec<LocalAddress>,
    /// Wall-clock time for sender reports.
    pub clock: WallClock,
    /// For ids, credentials and SSRCs: cryptographically strong, and seeded so in production.
    pub rng: StdRng,
}

/// Why a core wants to be called back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeoutReason {
    /// A transport has something due: a retransmission, a report, feedback, consent, a packet that waited.
    Transport,
    /// A router has something due: who speaks, and how loud.
    Router,
    /// A picture of a producer has been waited for long enough, and is sent on as it is.
    Producer,
}

/// The state machine of a worker.
///
/// Contract: after any call, or some datagrams, drain [`Core::take_due_heads`] and [`Core::take_due_tails`], call
/// [`Core::forward_gathered`] until it says that there is no more, and drain [`Core::transmits`] each time; go on with handshakes
/// by [`Core::handle_handshake`], media going first; drain [`Core::poll_event`], [`Core::poll_closed_tuple`],
/// [`Core::poll_closed_transport`] and [`Core::poll_closed_pipe`]; then call [`Core::handle_timeout`] no later than
/// [`Core::poll_timeout`] says. Late calls delay, and break nothing.
pub struct Core {
    pub(super) certificate: Certificate,
    pub(super) capabilities: Arc<RtpCapabilities>,
    pub(super) addresses: Vec<LocalAddress>,
    pub(super) clock: WallClock,
    pub(super) rng: StdRng,

    pub(super) routers: SlotMap<RouterKey, Router>,
    // Each object on its own, so that what it took is free when it goes: these tables keep the length that they once needed.
    pub(super) transports: SlotMap<TransportKey, Box<WebRtcTransport>>,
    pub(super) producers: SlotMap<ProducerKey, Box<Producer>>,
    pub(super) consumers: SlotMap<ConsumerKey, Box<Consumer>>,
    pub(super) router_ids: HashMap<RouterId, RouterKey>,
    pub(super) transport_ids: HashMap<TransportId, TransportKey>,
    pub(super) producer_ids: HashMap<ProducerId, ProducerKey>,
    pub(super) consumer_ids: HashMap<ConsumerId, ConsumerKey>,

    /// By the local part of a connectivity check's user name. Two entries while an ICE restart is under way.
    pub(super) ufrags: HashMap<String, TransportKey>,
    /// By validated tuple.
    pub(super) tuples: HashMap<Tuple, TransportKey>,

    /// Pipes to branches of rooms whose home is here, and from homes of rooms that have a branch here.
    pub(super) heads: SlotMap<PipeHeadKey, Head>,
    pub(super) tails: SlotMap<PipeTailKey, Tail>,
    // Each at most once.
    pub(super) due_heads: Vec<PipeHeadKey>,
    pub(super) due_tails: Vec<PipeTailKey>,
    pub(super) closed_pipes: VecDeque<PipeEnd>,

    pub(super) timers: Timers<Wake>,
    pub(super) transmits: TransmitQueue,
    pub(super) handshakes: Handshakes,
    pub(super) joining: Joining,
    /// Producers with packets that are not forwarded yet, each once, in the order of their turns.
    pub(super) gathering: VecDeque<ProducerKey>,
    pub(super) has_batch: bool,
    pub(super) overload: Overload,
    /// How long what is taken in now had waited for that.
    pub(super) lag: Duration,
    /// Videos are suspended for overload.
    pub(super) is_shedding: bool,
    /// Whose packets are being given out.
    pub(super) giving_out: Option<ProducerKey>,
    // Drained after every call; a call makes at most one entry per object that it touches.
    pub(super) events: VecDeque<(RouterId, RouterEvent)>,
    pub(super) traces: TraceQueue,
    pub(super) closed_tuples: VecDeque<Tuple>,
    pub(super) closed_transports: VecDeque<TransportId>,
    pub(super) stats: WorkerStats,
}

impl Core {
    /// A core without routers.
    pub fn new(options: CoreOptions) -> Self {
        let CoreOptions { certificate, capabilities, addresses, clock, rng } = options;
        Self {
            certificate,
            capabilities,
            addresses,
            clock,
            rng,
            routers: SlotMap::with_key(),
            transports: SlotMap::with_key(),
            producers: SlotMap::with_key(),
            consumers: SlotMap::with_key(),
            router_ids: HashMap::new(),
            transport_ids: HashMap::new(),
            producer_ids: HashMap::new(),
            consumer_ids: HashMap::new(),
            ufrags: HashMap::new(),
            tuples: HashMap::new(),
            heads: SlotMap::with_key(),
            tails: SlotMap::with_key(),
            due_heads: Vec::new(),
            due_tails: Vec::new(),
            closed_pipes: VecDeque::new(),
            timers: Timers::new(),
            transmits: TransmitQueue::default(),
            handshakes: Handshakes::default(),
            joining: Joining::default(),
            gathering: VecDeque::new(),
            has_batch: false,
            overload: Overload::default(),
            lag: Duration::ZERO,
            is_shedding: false,
            giving_out: None,
            events: VecDeque::new(),
            traces: TraceQueue::default(),
            closed_tuples: VecDeque::new(),
            closed_transports: VecDeque::new(),
            stats: WorkerStats::default(),
        }
    }

    /// Takes in one datagram (RFC 7983); what it holds afterwards is unspecified.
    pub fn handle_datagram(&mut self, now: Instant, tuple: Tuple, datagram: &mut [u8]) {
        let kind = PacketKind::of(datagram);
        if kind == PacketKind::Stun {
            return self.handle_stun(now, tuple, datagram);
        }
        // Nothing but STUN from a tuple that ICE has not validated: no parsing, no state, no answer.
        let Some(&key) = self.tuples.get(&tuple) else {
            self.stats.strangers_dropped += 1;
            return;
        };
        match kind {
            PacketKind::Dtls => self.handle_dtls(now, key, tuple, datagram),
            PacketKind::Rtp => self.handle_rtp(now, key, datagram),
            PacketKind::Rtcp => self.handle_rtcp(now, key, datagram),
            PacketKind::Stun | PacketKind::Unknown => self.stats.packets_refused += 1,
        }
    }

    fn handle_stun(&mut self, now: Instant, tuple: Tuple, datagram: &[u8]) {
        let Some(&key) = ice::local_ufrag(datagram).and_then(|ufrag| self.ufrags.get(ufrag)) else {
            self.stats.strangers_dropped += 1;
            return;
        };
        if self.is_held_by_another(now, key, &tuple) {
            self.stats.packets_refused += 1;
            return;
        }
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.counters.handle_received(datagram.len());
        if let StunOutcome::Reply(reply) = transport.ice.handle_stun(now, tuple, datagram) {
            transport.counters.handle_sent(reply.len(), SentKind::Other);
            self.transmits.push(tuple, &reply);
        }
        self.after_ice(now, key);
    }

    /// Whether another transport's peer checks over this tuple: see [`ice::TUPLE_HOLD`].
    fn is_held_by_another(&self, now: Instant, key: TransportKey, tuple: &Tuple) -> bool {
        let holder = self.tuples.get(tuple).filter(|holder| **holder != key);
        holder.and_then(|holder| self.transports.get(*holder)).is_some_and(|holder| holder.ice.holds(now, tuple))
    }

    /// A TCP connection ended.
    pub fn handle_tuple_closed(&mut self, now: Instant, tuple: Tuple) {
        if let Some(key) = self.tuples.remove(&tuple)
            && let Some(transport) = self.transports.get_mut(key)
        {
            transport.ice.handle_tuple_closed(now, tuple);
            self.after_ice(now, key);
        }
    }

    /// Our own fault while handling a packet of `tuple`: its transport closes, everything else goes on.
    pub fn handle_fault(&mut self, now: Instant, tuple: Tuple) {
        self.stats.faults += 1;
        if let Some(&key) = self.tuples.get(&tuple) {
            self.fail_transport(now, key, TransportCloseReason::Fault);
        }
    }

    /// Whether ICE has validated this tuple for some transport.
    pub fn knows(&self, tuple: &Tuple) -> bool {
        self.tuples.contains_key(tuple)
    }

    /// When to call [`Self::handle_timeout`], at the latest.
    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        self.timers.next().map(|(at, wake)| match wake {
            Wake::Transport(_) => (at, TimeoutReason::Transport),
            Wake::Router(_) => (at, TimeoutReason::Router),
            Wake::Producer(_) => (at, TimeoutReason::Producer),
        })
    }

    /// Datagrams to send.
    pub fn transmits(&mut self) -> &mut TransmitQueue {
        &mut self.transmits
    }

    /// The next event of some router; traces after all others.
    pub fn poll_event(&mut self) -> Option<(RouterId, RouterEvent)> {
        self.events.pop_front().or_else(|| self.traces.pop())
    }

    /// A tuple that no transport uses any longer; over TCP its connection is to be closed.
    pub fn poll_closed_tuple(&mut self) -> Option<Tuple> {
        self.closed_tuples.pop_front()
    }

    /// A transport that closed, for whatever reason; sockets that it had for itself are to be closed.
    pub fn poll_closed_transport(&mut self) -> Option<TransportId> {
        self.closed_transports.pop_front()
    }

    /// Whether [`Self::poll_event`] has anything.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty() || !self.traces.is_empty()
    }

    /// Routers here.
    pub fn router_count(&self) -> usize {
        self.routers.len()
    }

    /// Transports here.
    pub fn transport_count(&self) -> usize {
        self.transports.len()
    }

    /// Streams that come in and go out.
    pub fn stream_count(&self) -> usize {
        self.producers.len() + self.consumers.len()
    }

    /// Counts datagrams that could not be sent.
    pub fn count_unsent(&mut self, datagrams: u64) {
        self.stats.datagrams_unsent += datagrams;
    }

    /// Counts an event that was dropped because its router's owner is behind.
    pub(crate) fn count_dropped_event(&mut self) {
        self.traces.count_dropped();
    }

    /// What this worker carries and has carried.
    pub fn stats(&self) -> WorkerStats {
        // A branch is a part of a room that is counted at its home, and so is a shadow.
        let shadows: usize = self.tails.values().map(|tail| tail.shadows.len()).sum();
        WorkerStats {
            routers: self.routers.len() - self.tails.len(),
            branches: self.tails.len(),
            transports: self.transports.len(),
            producers: self.producers.len() - shadows,
            consumers: self.consumers.len(),
            events_dropped: self.traces.dropped(),
            ..self.stats
        }
    }

    pub(super) fn tell(&mut self, router: RouterId, event: RouterEvent) {
        self.events.push_back((router, event));
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
