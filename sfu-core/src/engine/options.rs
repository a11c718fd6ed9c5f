//! How an engine is set up.

use std::net::IpAddr;

use crate::negotiation::MediaCodec;

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
