//! ICE-lite (RFC 8445 section 2.5): answers checks, never sends any.
//!
//! The agent is always controlled, gathers nothing and needs nothing of the peer's credentials. Whoever does not know
//! the local password changes nothing, whatever it sends: every request is verified before any state is looked at. A
//! stranger that does not even know the local username fragment gets no answer, and a valid check that somebody has seen and
//! sends again from elsewhere validates nothing.

mod agent;
mod credentials;
mod events;
pub mod fuzzing;
mod message;
mod replays;
mod tuples;

#[cfg(test)]
mod tests;

pub use agent::{CONSENT_TIMEOUT, IceLite, IceTimer, TUPLE_HOLD};
pub use credentials::{PASSWORD_LEN, UFRAG_LEN};
pub use events::{DisconnectReason, IceEvent, IceState, IceStats, StunDrop, StunOutcome};
pub use message::{MAX_STUN_LEN, local_ufrag};
pub use replays::MAX_REMEMBERED_CHECKS;
pub use tuples::MAX_TUPLES;
