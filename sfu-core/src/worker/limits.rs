//! What one peer may make a worker hold. Each limit is refused by name where it is reached, and nothing else changes.

/// Transports of one router. A room of a thousand with two transports each fits twice.
pub const MAX_TRANSPORTS_PER_ROUTER: usize = 4096;

/// Producers of one transport: cameras, microphones and screens of one peer, with room for odd set-ups.
pub const MAX_PRODUCERS_PER_TRANSPORT: usize = 64;

/// Consumers of one transport: audio and video of five hundred others.
pub const MAX_CONSUMERS_PER_TRANSPORT: usize = 1024;

/// Encodings of all producers of one transport. Each may have two sources, media and retransmissions, and all of them
/// are within `transport::inbound::MAX_INBOUND_STREAMS`.
pub const MAX_ENCODINGS_PER_TRANSPORT: usize = 128;
