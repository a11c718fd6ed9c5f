//! What happens in a router without having been asked for on that very object.

use std::fmt;

use crate::dtls::DtlsState;
use crate::ice::IceState;
use crate::ids::{ConsumerId, ProducerId, TransportId};

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
    /// The router is gone with everything in it. Always the last event.
    Closed {
        /// Why.
        reason: RouterCloseReason,
    },
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
}

impl fmt::Display for TransportCloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsentExpired => f.write_str("the peer's consent expired"),
            Self::DtlsClosedByPeer => f.write_str("the peer closed DTLS"),
            Self::DtlsFailed(error) => write!(f, "DTLS failed: {error}"),
            Self::Fault => f.write_str("a fault of the server"),
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
