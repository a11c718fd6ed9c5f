//! How an engine is set up.

use std::net::IpAddr;

use crate::negotiation::MediaCodec;

/// The usual [`EngineOptions::span_from_percent`]. A worker that is busy half of its time still takes the key frames of all its
/// rooms in one moment, and what their publishers add; and a room that fits on half a core is cheaper on one.
pub const DEFAULT_SPAN_FROM_PERCENT: u8 = 50;

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Number of workers, at least 1: one per core is the natural choice.
    pub workers: usize,
    /// Addresses that media is received on, over UDP and TCP; at least one.
    pub listen: Vec<ListenAddress>,
    /// First port of the range for media.
    pub port_min: u16,
    /// Last port of the range for media, inclusive.
    pub port_max: u16,
    /// How the range is shared out.
    pub port_mode: PortMode,
    /// The share of a worker's time, in percent, from which on who only consumes in one of its rooms goes to other workers
    /// ([`crate::worker::TransportUse`]). 0: from the start; 100 and more: never.
    pub span_from_percent: u8,
    /// What the routers offer, in order of preference. [`crate::negotiation::default_media_codecs`] is the full list.
    pub media_codecs: Vec<MediaCodec>,
}

/// An address that media is received on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// What is bound.
    pub ip: IpAddr,
    /// What candidates say instead of `ip`: addresses or host names, in order of preference. Empty: `ip` itself.
    pub announced: Vec<String>,
}

/// How the port range is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortMode {
    /// One UDP and TCP port per worker, from the first of the range upward.
    #[default]
    PerWorker,
    /// Each transport takes a port of its own from the range.
    PerTransport,
}
