//! SRTP and SRTCP (RFC 3711, RFC 7714) in place.
//!
//! [`SealContext`] protects what we send to one peer and [`OpenContext`] verifies what it sends; both come from the
//! keys that DTLS exports. The state of a stream ([`SealStream`], [`OpenStream`]) lives with whoever
//! owns the stream, so that a packet costs no look-up, and no allocation.
//!
//! Nothing is believed before it is authenticated: a refused packet changes no state, and a stranger's packets
//! make none.

mod aes_cm;
mod context;
mod error;
pub mod fuzzing;
mod gcm;
mod kdf;
mod profile;
mod rtcp;
mod rtp;
mod window;

#[cfg(test)]
mod tests;

pub use context::{OpenContext, SealContext};
pub use error::{KeyError, OpenError, SealError};
pub use profile::ProtectionProfile;
pub use rtcp::{MAX_RTCP_INDEX, MAX_RTCP_SENDERS, OpenRtcpStreams};
pub use rtp::{OpenStream, SealStream};
pub use window::REPLAY_WINDOW;

/// What sealing adds to an RTP packet at most, in bytes, whatever the profile: the room to leave after it.
pub const MAX_RTP_OVERHEAD: usize = 16;

/// What sealing adds to an RTCP packet at most, in bytes, whatever the profile: a tag and the index.
pub const MAX_RTCP_OVERHEAD: usize = 20;
