//! What can be wrong with an event. The text goes to the client: it names the field or the id, and nothing internal.

use sfu_core::engine::{
    ConnectError, ConsumeError, CreateRouterError, CreateTransportError, ObjectClosed, ProduceError, TransportError,
};
use sfu_core::ids::{ConsumerId, ProducerId, TransportId};

use crate::limits::{PENDING_EVENTS_MAX, TRANSPORTS_PER_PEER_MAX};

/// Why an event was not carried out. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignalError {
    /// The caller's fault: no such event.
    #[error("{0}: unknown event")]
    UnknownEvent(String),
    /// The caller's fault: the first argument is not an object.
    #[error("the payload must be an object")]
    PayloadNotAnObject,
    /// The caller's fault: a field is missing or has the wrong type; the text names it with its path.
    #[error("{0}")]
    BadPayload(String),
    /// The caller's fault.
    #[error("{field}: must not be empty")]
    Empty { field: &'static str },
    /// The caller's fault.
    #[error("{field}: longer than {limit} bytes")]
    TooLong { field: &'static str, limit: usize },
    /// The caller's fault: the event is about going to a room, and names none.
    #[error("missing field `{field}`")]
    RoomNotNamed { field: &'static str },
    /// The caller's fault: a room must be named and is not, and the socket is in none.
    #[error("missing field `{field}`: this socket is in no room")]
    NoRoom { field: &'static str },
    /// The caller's fault: the event names a room that the socket has not joined, while it has joined another.
    #[error("roomId: this socket has joined another room than {0}")]
    OtherRoom(String),
    /// The caller's fault.
    #[error("{0}: joinRoom must come first")]
    NotJoined(&'static str),
    /// The caller's fault: unknown, closed, or another peer's, which the answer does not tell apart.
    #[error("transportId: transport {0} not found")]
    TransportNotFound(TransportId),
    /// The caller's fault: `consume` without `transportId`.
    #[error("transportId: this socket has no receive transport")]
    NoReceiveTransport,
    /// The caller's fault.
    #[error("transportId: transport {0} was created to receive, it cannot produce")]
    NotASendTransport(TransportId),
    /// The caller's fault.
    #[error("transportId: transport {0} was created to send, it cannot consume")]
    NotAReceiveTransport(TransportId),
    /// The caller's fault: unknown, closed, in another room, or (to close or pause) another peer's.
    #[error("producerId: producer {0} not found")]
    ProducerNotFound(ProducerId),
    /// The caller's fault: unknown, closed, or another peer's.
    #[error("consumerId: consumer {0} not found")]
    ConsumerNotFound(ConsumerId),
    /// The caller's fault.
    #[error("recipientId: nobody of that id is in the room")]
    RecipientNotFound,
    /// The caller's fault.
    #[error("{0}: userOnline must come first")]
    NotOnline(&'static str),
    /// The caller's fault.
    #[error("receiverId: nobody of that id is online")]
    ReceiverNotFound,
    /// A limit.
    #[error("too many sockets are online (at most {limit})")]
    TooManyOnline { limit: usize },
    /// A limit.
    #[error("too many transports (at most {TRANSPORTS_PER_PEER_MAX} for each peer)")]
    TooManyTransports,
    /// A limit.
    #[error("too many events are waiting (at most {PENDING_EVENTS_MAX}); this one was not carried out")]
    TooManyEvents,
    /// A limit.
    #[error("roomId: the room is full (at most {limit} peers)")]
    RoomFull { limit: usize },
    /// A limit.
    #[error("roomId: too many rooms (at most {limit})")]
    TooManyRooms { limit: usize },
    /// Ours: the server is about to stop. Who is in a room stays, and nobody comes.
    #[error("the server is about to stop and takes nobody new; try again in a moment")]
    Draining,
    /// Ours or the caller's; the text says.
    #[error(transparent)]
    CreateRouter(#[from] CreateRouterError),
    /// Ours: out of ports, or the worker died.
    #[error(transparent)]
    CreateTransport(#[from] CreateTransportError),
    /// Ours or the caller's; the text says.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Ours or the caller's; the text says.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Ours or the caller's; the text says.
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// Ours or the caller's; the text says.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// The object went away while the event was under way.
    #[error("{id}: {source}")]
    Closed { id: String, source: ObjectClosed },
}
