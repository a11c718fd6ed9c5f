//! What goes into operations on a worker, and what comes out.

use std::net::SocketAddr;

use crate::ids::{ConsumerId, ProducerId, TransportId};
use crate::parameters::{
    ConsumerLayers, ConsumerType, DtlsParameters, IceCandidate, IceParameters, MediaKind, ProducerType,
    RtpCapabilities, RtpParameters,
};

/// An address that sockets are bound to, and what candidates call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// Where the sockets are bound: the `local` of tuples.
    pub bound: SocketAddr,
    /// Addresses or host names that peers reach it by, in order of preference.
    pub announced: Vec<String>,
}

/// What a transport is for. Who only consumes may be served by another worker than the room's producers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransportUse {
    /// The peer sends on it, receives, or does both.
    #[default]
    Both,
    /// The peer sends on it and does not receive.
    Produce,
    /// The peer receives on it and does not send.
    Consume,
}

/// How a transport is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebRtcTransportOptions {
    /// What it is for.
    pub used_for: TransportUse,
    /// Offer UDP candidates.
    pub enable_udp: bool,
    /// Offer TCP candidates.
    pub enable_tcp: bool,
    /// What the peer's path is taken to carry before it has been measured, in bits per second (mediasoup's
    /// `initialAvailableOutgoingBitrate`).
    pub initial_outgoing_bps: u64,
    /// What the peer is told to send at most.
    pub max_incoming_bps: Option<u64>,
    /// What the peer is sent at most, probes included.
    pub max_outgoing_bps: Option<u64>,
}

impl Default for WebRtcTransportOptions {
    fn default() -> Self {
        Self {
            used_for: TransportUse::Both,
            enable_udp: true,
            enable_tcp: true,
            initial_outgoing_bps: 600_000,
            max_incoming_bps: None,
            max_outgoing_bps: None,
        }
    }
}

/// A transport as it was made.
#[derive(Debug, Clone)]
pub struct TransportInfo {
    /// Its id.
    pub id: TransportId,
    /// Our credentials.
    pub ice_parameters: IceParameters,
    /// Where the peer finds us.
    pub ice_candidates: Vec<IceCandidate>,
    /// Our certificate's fingerprints.
    pub dtls_parameters: DtlsParameters,
}

/// What a peer is about to send.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    /// Audio or video.
    pub kind: MediaKind,
    /// As the peer sends it.
    pub rtp_parameters: RtpParameters,
    /// Whether to forward nothing yet.
    pub paused: bool,
    /// Whether it shows a screen: sharpness counts for more than the frame rate.
    pub is_screen: bool,
}

/// A producer as it was made.
#[derive(Debug, Clone)]
pub struct ProducerInfo {
    /// Its id.
    pub id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// How its encodings are organised.
    pub producer_type: ProducerType,
}

/// What a peer is to be sent.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// A producer of the same router.
    pub producer_id: ProducerId,
    /// What the peer can receive.
    pub rtp_capabilities: RtpCapabilities,
    /// Whether to send nothing yet.
    pub paused: bool,
    /// The highest layers to send of a video that has layers; absent: all.
    pub preferred_layers: Option<ConsumerLayers>,
}

/// A consumer as it was made.
#[derive(Debug, Clone)]
pub struct ConsumerInfo {
    /// Its id.
    pub id: ConsumerId,
    /// What it consumes.
    pub producer_id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// How the producer's encodings reach the peer.
    pub consumer_type: ConsumerType,
    /// What the peer will receive.
    pub rtp_parameters: RtpParameters,
    /// Whether the producer was paused at that moment.
    pub producer_paused: bool,
    /// The preferred layers, as far as there are any.
    pub preferred_layers: Option<ConsumerLayers>,
}

/// What a worker carries and has carried. Counters only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// Routers now.
    pub routers: usize,
    /// Branches here of routers on other workers.
    pub branches: usize,
    /// Transports now.
    pub transports: usize,
    /// Producers now.
    pub producers: usize,
    /// Consumers now.
    pub consumers: usize,
    /// Datagrams of no transport: of a tuple that ICE has not validated, or not even STUN.
    pub strangers_dropped: u64,
    /// Media packets that arrived intact.
    pub packets_received: u64,
    /// Media packets sent, retransmissions included.
    pub packets_sent: u64,
    /// Media packets handed to other workers, once for each that consumes them.
    pub packets_piped_out: u64,
    /// Media packets that came from other workers.
    pub packets_piped_in: u64,
    /// Media packets for other workers that were dropped because those are behind.
    pub packets_piped_dropped: u64,
    /// Packets of a transport dropped for what they are: forged, replayed, malformed, of an unknown source.
    pub packets_refused: u64,
    /// Media packets dropped because the worker had no time for them: too many of their producer waited.
    pub packets_late: u64,
    /// How often a consumer's video was suspended because the worker had more to forward than it can.
    pub overload_suspensions: u64,
    /// Datagrams that the kernel or a TCP backlog did not take.
    pub datagrams_unsent: u64,
    /// Trace events, scores and levels that were dropped because a router's owner did not read them fast enough.
    pub events_dropped: u64,
    /// Contained faults of our own: each closed one transport.
    pub faults: u64,
}

impl WorkerStats {
    /// Both together.
    pub(crate) fn plus(self, other: &Self) -> Self {
        Self {
            routers: self.routers + other.routers,
            branches: self.branches + other.branches,
            transports: self.transports + other.transports,
            producers: self.producers + other.producers,
            consumers: self.consumers + other.consumers,
            strangers_dropped: self.strangers_dropped + other.strangers_dropped,
            packets_received: self.packets_received + other.packets_received,
            packets_sent: self.packets_sent + other.packets_sent,
            packets_piped_out: self.packets_piped_out + other.packets_piped_out,
            packets_piped_in: self.packets_piped_in + other.packets_piped_in,
            packets_piped_dropped: self.packets_piped_dropped + other.packets_piped_dropped,
            packets_refused: self.packets_refused + other.packets_refused,
            packets_late: self.packets_late + other.packets_late,
            overload_suspensions: self.overload_suspensions + other.overload_suspensions,
            datagrams_unsent: self.datagrams_unsent + other.datagrams_unsent,
            events_dropped: self.events_dropped + other.events_dropped,
            faults: self.faults + other.faults,
        }
    }
}
