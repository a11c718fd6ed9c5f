//! What the agent tells its owner.

use serde::{Deserialize, Serialize};

use crate::transport::tuple::Tuple;

/// The state of a transport's ICE, named as mediasoup names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceState {
    /// No valid check has come.
    New,
    /// A valid check has come and none has nominated.
    Connected,
    /// The peer has nominated a tuple.
    Completed,
    /// The peer has withdrawn its consent, by silence or by closing; valid checks connect it again.
    Disconnected,
    /// Closed by us.
    Closed,
}

/// Why ICE went to [`IceState::Disconnected`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// No valid check for the time of consent (RFC 7675).
    ConsentExpired,
    /// The connection of the last usable tuple was closed.
    LastTupleClosed,
}

/// Something that happened. To be drained by `IceLite::poll_event` after each call that takes the agent by `&mut`:
/// one call makes no more than a dozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IceEvent {
    /// A valid check has come over this tuple for the first time: it may be demultiplexed to this transport.
    TupleValidated(Tuple),
    /// The tuple is no longer valid: nothing but STUN may be taken from it.
    TupleRemoved(Tuple),
    /// What we send goes to this tuple from now on.
    TupleSelected(Tuple),
    /// The state has changed.
    StateChanged {
        /// The new state.
        state: IceState,
        /// Why, when the new state is [`IceState::Disconnected`].
        reason: Option<DisconnectReason>,
    },
    /// A username fragment from before an ICE restart is no longer accepted.
    UfragRetired(String),
}

/// What to do after a STUN datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StunOutcome {
    /// Send this datagram back over the same tuple: a success or an error.
    Reply(Vec<u8>),
    /// Nothing to send.
    Dropped(StunDrop),
}

/// Why a STUN datagram gets no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StunDrop {
    /// Not a well-formed STUN message, or longer than [`super::MAX_STUN_LEN`].
    Malformed,
    /// Of a method other than Binding.
    OtherMethod,
    /// A Binding indication: legal, and without effect (RFC 8445 section 11).
    Indication,
    /// A response. We send no request, so nobody has anything to answer.
    Response,
    /// No FINGERPRINT at the end, or a wrong one (RFC 8445 section 7.1).
    Fingerprint,
    /// No USERNAME, or one that does not begin with a username fragment of ours.
    NotForUs,
    /// A valid check that came before, over another tuple than it comes now.
    Replayed,
    /// The agent is closed.
    Closed,
}

/// How many STUN datagrams came, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IceStats {
    /// Valid checks, answered with success.
    pub accepted: u64,
    /// Requests answered with an error.
    pub refused: u64,
    /// Datagrams without an answer.
    pub dropped: u64,
}
