//! How a peer connects and behaves.

use std::net::SocketAddr;

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile::{self, *};
use sfu_core::dtls::Role;
use sfu_core::ids::RouterId;
use sfu_core::transport::tuple::Protocol;

use crate::network::link::Link;

/// How a peer behaves.
#[derive(Debug, Clone)]
pub struct PeerOptions {
    /// To the core.
    pub up: Link,
    /// From the core.
    pub down: Link,
    /// Client or server.
    pub dtls_role: Role,
    /// Offered, best first.
    pub profiles: Vec<SrtpProtectionProfile>,
    /// UDP or TCP.
    pub protocol: Protocol,
    /// Its address; made up if absent.
    pub address: Option<SocketAddr>,
    /// Whether its fingerprint is signalled at once, and whether it is the right one.
    pub fingerprint: Signalled,
    /// Its room; the world's first if absent.
    pub router: Option<RouterId>,
    /// Whether it is connected to the other worker, to the branch of the first room there; see
    /// [`World::span`](crate::World::span).
    pub on_branch: bool,
    /// The seconds that its wall clock is ahead of ours.
    pub clock_ahead_s: u64,
    /// What it tells about its downlink.
    pub bandwidth: BandwidthFeedback,
}

/// What a receiver tells its sender about the path between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BandwidthFeedback {
    /// When each packet came, if the header extension is negotiated.
    TransportWide,
    /// An estimate of its own.
    Remb,
    /// Receiver reports alone.
    Nothing,
}

/// What signalling says of a peer's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signalled {
    /// The right fingerprint.
    Right,
    /// Another one.
    Wrong,
    /// Nothing before the test says so.
    Later,
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self {
            up: Link::CLEAN,
            down: Link::CLEAN,
            dtls_role: Role::Client,
            // Chromium's order.
            profiles: vec![Srtp_Aes128_Cm_Hmac_Sha1_80, Srtp_Aead_Aes_256_Gcm, Srtp_Aead_Aes_128_Gcm],
            protocol: Protocol::Udp,
            address: None,
            fingerprint: Signalled::Right,
            router: None,
            on_branch: false,
            clock_ahead_s: 1000,
            bandwidth: BandwidthFeedback::TransportWide,
        }
    }
}
