//! Transports: the tuple, ICE, DTLS and SRTP of one peer, and what is demultiplexed out of them.

pub mod framing;
pub mod tuple;
