//! DTLS 1.2 (RFC 6347) with DTLS-SRTP keys (RFC 5764), on `rtc-dtls`, with its traps closed.
//!
//! [`Dtls`] is one transport's association: a pure state machine. Around the crate's `Endpoint` stand `inbound`
//! (whole messages in, junk out), `outbound` (the last flight and when to send it again) and `client_hello` (which
//! SRTP profile to offer). The peer's certificate is compared with the signalled fingerprint before any key leaves
//! this module.
//!
//! The crate's own timer is never let run out by itself: it gives a handshake up after eight ticks, and any handshake
//! datagram clears it.

mod association;
mod certificate;
mod client_hello;
mod error;
mod fingerprint;
pub mod fuzzing;
mod inbound;
pub mod limits;
mod outbound;
mod record;
mod srtp_keys;
mod srtp_profiles;
#[cfg(test)]
mod tests;
mod types;

pub use association::Dtls;
pub use certificate::{Certificate, CertificateError};
pub use error::{DtlsError, RemoteFingerprintsError, StartError};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use srtp_keys::SrtpKeys;
pub use types::{DtlsEvent, DtlsState, DtlsStats, Reason, Role};
