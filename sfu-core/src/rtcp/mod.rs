//! RTCP (RFC 3550, 4585, 5104) on the `rtcp` crate.

pub mod fuzzing;
pub mod incoming;
pub mod ntp;
pub mod outgoing;
pub mod schedule;
pub mod transport_cc;
