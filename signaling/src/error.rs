//! What can be wrong with an event. The text goes to the client: it names the field or the id, and nothing internal.

use sfu_core::engine::{
    ConnectError, ConsumeError, CreateRouterError, CreateTransportError, ObjectClosed, ProduceError, TransportError,
};
use sfu_core::ids::{ConsumerId, ProducerId, TransportId};

use crate::identity::Source;
use crate::limits::{HELD_CANDIDATES_MAX, PENDING_EVENTS_MAX, SOCKETS_PER_USER_MAX, TRANSPORTS_PER_PEER_MAX};

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
    /// The token is for another room.
    #[error("{field}: this token is not for that room")]
    RoomNotGranted { field: &'static str },
    /// The token ran out since the socket came with it.
    #[error("token: it has expired")]
    TokenExpired,
    /// The token, or an administrator of the room, does not allow it.
    #[error("{0}: not allowed")]
    NotGranted(&'static str),
    /// The token, or an administrator of the room, does not allow to send that.
    #[error("{event}: not allowed to publish {}", what.as_str())]
    SourceNotGranted { event: &'static str, what: Source },
    /// Moderation is for administrators.
    #[error("{0}: only an administrator of the room may do that")]
    NotAdmin(&'static str),
    /// Newcomers are kept out.
    #[error("roomId: the room is locked")]
    RoomLocked,
    /// The caller's fault: an event about a participant, by a user's id or a socket's.
    #[error("userId: nobody of that id is in the room")]
    ParticipantNotFound,
    /// A limit.
    #[error("userId: the grants of too many people were changed in this room (at most {limit})")]
    TooManyGrantChanges { limit: usize },
    /// A limit.
    #[error("too many sockets are online (at most {limit})")]
    TooManyOnline { limit: usize },
    /// The caller's fault.
    #[error("{0}: register-user must come first")]
    NotRegistered(&'static str),
    /// The caller's fault.
    #[error("{field}: nobody can call themselves")]
    CalledOneself { field: &'static str },
    /// The caller's fault: from this socket or another.
    #[error("initiate-call: this user is in a call already")]
    CallerBusy,
    /// Nobody's fault: they may have gone a moment ago.
    #[error("{field}: nobody of that id is registered")]
    CalleeNotFound { field: &'static str },
    /// Nobody's fault.
    #[error("{field}: that user is in another call")]
    CalleeBusy { field: &'static str },
    /// Nobody's fault, or the caller's: the call is over, or another socket answered it, or there was none.
    #[error("{field}: no call of that user rings here")]
    NotRinging { field: &'static str },
    /// The caller's fault.
    #[error("{field}: this socket is in no call with that user")]
    NotInCall { field: &'static str },
    /// A limit.
    #[error("too many sockets are registered (at most {limit})")]
    TooManyRegistered { limit: usize },
    /// A limit.
    #[error("userId: too many sockets are registered for that user (at most {SOCKETS_PER_USER_MAX})")]
    TooManySocketsOfUser,
    /// A limit.
    #[error("too many calls ring (at most {limit})")]
    TooManyRinging { limit: usize },
    /// A limit.
    #[error("candidate: too many before the call is accepted (at most {HELD_CANDIDATES_MAX})")]
    TooManyCandidates,
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
