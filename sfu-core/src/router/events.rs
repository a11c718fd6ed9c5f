//! What happens in a router without having been asked for on that very object.

use std::fmt;

use serde::Serialize;

use crate::dtls::DtlsState;
use crate::ice::IceState;
use crate::ids::{ConsumerId, ProducerId, TransportId};
use crate::parameters::ConsumerLayers;
use crate::stats::{ConsumerScore, MAX_TRACES_WAITING, ProducerScore, TraceEvent, TraceTarget};

/// An event of a router. Each closing is told exactly once, and never for the object that the caller closed itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouterEvent {
    /// The ICE state of a transport changed.
    IceState {
        /// Which transport.
        transport_id: TransportId,
        /// Its state now.
        state: IceState,
    },
    /// The DTLS state of a transport changed.
    DtlsState {
        /// Which transport.
        transport_id: TransportId,
        /// Its state now.
        state: DtlsState,
    },
    /// A transport closed by itself; its producers and consumers close with it, each with an event of its own before this one.
    TransportClosed {
        /// Which transport.
        transport_id: TransportId,
        /// Why.
        reason: TransportCloseReason,
    },
    /// A producer closed with its transport.
    ProducerClosed {
        /// Which producer.
        producer_id: ProducerId,
    },
    /// A consumer closed with its producer or its transport.
    ConsumerClosed {
        /// Which consumer.
        consumer_id: ConsumerId,
        /// Why.
        reason: ConsumerCloseReason,
    },
    /// The producer of a consumer was paused.
    ConsumerProducerPaused {
        /// Which consumer.
        consumer_id: ConsumerId,
    },
    /// The producer of a consumer was resumed.
    ConsumerProducerResumed {
        /// Which consumer.
        consumer_id: ConsumerId,
    },
    /// What flows to a video consumer with layers changed; `None`: nothing flows.
    ConsumerLayersChanged {
        /// Which consumer.
        consumer_id: ConsumerId,
        /// What flows now.
        layers: Option<ConsumerLayers>,
    },
    /// A consumer gets nothing for a reason that is not its owner's or its producer's; it goes on by itself.
    ConsumerSuspended {
        /// Which consumer.
        consumer_id: ConsumerId,
        /// Why.
        reason: SuspendReason,
    },
    /// A suspended consumer goes on.
    ConsumerUnsuspended {
        /// Which consumer.
        consumer_id: ConsumerId,
    },
    /// What anybody uses of a producer changed: layers that are not listed need not be sent.
    ProducerLayersWanted {
        /// Which producer.
        producer_id: ProducerId,
        /// Spatial layers, ascending.
        spatial_layers: Vec<u8>,
    },
    /// How well a producer's streams arrive changed.
    ProducerScore {
        /// Which producer.
        producer_id: ProducerId,
        /// For each of its streams that has sent something.
        scores: Vec<ProducerScore>,
    },
    /// How well a consumer's stream arrives changed.
    ConsumerScore {
        /// Which consumer.
        consumer_id: ConsumerId,
        /// Its own and its producer's.
        score: ConsumerScore,
    },
    /// How loud the audio producers are that are heard at all, loudest first; empty: it has become silent.
    AudioLevels {
        /// The levels.
        levels: Vec<AudioLevel>,
    },
    /// Somebody else speaks.
    ActiveSpeaker {
        /// The audio producer of who speaks.
        producer_id: ProducerId,
    },
    /// Something happened that its owner asked to see.
    Trace {
        /// To what.
        target: TraceTarget,
        /// What.
        event: Box<TraceEvent>,
    },
    /// The router is gone with everything in it. Always the last event.
    Closed {
        /// Why.
        reason: RouterCloseReason,
    },
}

/// Events that a score or loudness may wait behind. Scores can be asked for, and loudness comes again in a moment; half of what
/// may wait in a router's queue is left for events that cannot. At the limit new ones are dropped and counted.
const MAX_WAITING_BEFORE_SPARED: usize = 32_768;

impl RouterEvent {
    /// Whether this event is to be dropped when `waiting` others are in the queue to the router's owner, who loses the router
    /// when the queue is full.
    pub(crate) fn is_droppable_behind(&self, waiting: usize) -> bool {
        match self {
            Self::Trace { .. } => waiting >= MAX_TRACES_WAITING,
            Self::ProducerScore { .. } | Self::ConsumerScore { .. } | Self::AudioLevels { .. } => {
                waiting >= MAX_WAITING_BEFORE_SPARED
            }
            _ => false,
        }
    }
}

/// Why a consumer is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SuspendReason {
    /// The peer's path does not carry it beside what is more important.
    Bandwidth,
    /// Its source is not among those that the room forwards: the latest or the loudest speakers.
    NotSpeaking,
    /// The worker has more to forward than it can.
    Overload,
}

/// How loud an audio producer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// Which producer.
    pub producer_id: ProducerId,
    /// Its level in dBov, -127 to 0.
    pub volume_dbov: i8,
}

/// Why a transport closed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportCloseReason {
    /// The peer's consent ran out: no valid connectivity check for 30 s (RFC 7675), nor in the
    /// 30 s that it was then given to come back. A transport whose peer has never checked waits for as long as its owner likes:
    /// browsers begin with the first track, however late that is.
    ConsentExpired,
    /// The peer sent `close_notify`.
    DtlsClosedByPeer,
    /// The DTLS association failed: the peer's fault, in words.
    DtlsFailed(String),
    /// Our own fault while handling a packet of this transport: a contained panic.
    Fault,
    /// The worker that it was on died, and the room goes on: it was not the one with the room's producers.
    WorkerDied,
}

impl fmt::Display for TransportCloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsentExpired => f.write_str("the peer's consent expired"),
            Self::DtlsClosedByPeer => f.write_str("the peer closed DTLS"),
            Self::DtlsFailed(error) => write!(f, "DTLS failed: {error}"),
            Self::Fault => f.write_str("a fault of the server"),
            Self::WorkerDied => f.write_str("a worker of the server died"),
        }
    }
}

/// What a consumer was closed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerCloseReason {
    /// Its producer closed.
    ProducerClosed,
    /// Its transport closed.
    TransportClosed,
}

/// Why a router closed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouterCloseReason {
    /// The worker died; a new one has taken its place, without the routers.
    WorkerDied,
    /// Nobody read the router's events until their queue was full.
    EventsNotRead,
}
