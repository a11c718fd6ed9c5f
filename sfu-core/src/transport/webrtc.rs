//! One peer's association: ICE, DTLS, SRTP, and which packet belongs to what.

use std::collections::HashMap;
use std::time::Instant;

use rand::{CryptoRng, Rng};

use super::downlink::Downlink;
use super::inbound::InboundStreams;
use super::tuple::Tuple;
use crate::congestion::incoming_cap::IncomingCap;
use crate::congestion::remb::RembEstimator;
use crate::congestion::transport_feedback::TransportFeedback;
use crate::dtls::{Certificate, Dtls, Role, SrtpKeys};
use crate::ice::IceLite;
use crate::ids::{RouterId, Ssrc, TransportId};
use crate::parameters::IceParameters;
use crate::rtcp::outgoing::{Cname, CompoundBuilder};
use crate::rtp::extensions::ExtensionIds;
use crate::srtp::{KeyError, OpenContext, OpenRtcpStreams, SealContext};
use crate::stats::{TraceTarget, Traced, Traces, TransportCounters};
use crate::worker::{ConsumerKey, ProducerKey, RunIndex, TransportUse, WebRtcTransportOptions};

/// SRTP in both directions, once DTLS has given verified keys.
#[derive(Debug)]
pub(crate) struct SrtpSession {
    pub(crate) open: OpenContext,
    pub(crate) seal: SealContext,
    pub(crate) rtcp_open: OpenRtcpStreams,
}

/// The way of media to one peer, looked up once for all packets of a moment. Nothing is drained while there is one.
pub(crate) struct Lane<'a> {
    pub(crate) tuple: Tuple,
    /// Where its latest datagram was queued.
    pub(crate) run: Option<RunIndex>,
    pub(crate) seal: &'a SealContext,
    pub(crate) downlink: &'a mut Downlink,
    pub(crate) counters: &'a mut TransportCounters,
    pub(crate) router: RouterId,
}

/// A WebRTC transport. Its parts are state machines of their own; the worker's core carries between them.
pub(crate) struct WebRtcTransport {
    pub(crate) id: TransportId,
    pub(crate) router: RouterId,
    pub(crate) used_for: TransportUse,
    pub(crate) ice: IceLite,
    pub(crate) dtls: Dtls,
    pub(crate) srtp: Option<SrtpSession>,
    /// Datagrams of its handshake that wait for the worker.
    pub(crate) waiting_handshakes: u8,
    /// Our role, once the owner has connected the transport. Until then we are a server to whoever begins.
    pub(crate) dtls_role: Role,
    pub(crate) connected_by_owner: bool,

    /// What the core maps to this transport, to be unmapped with it.
    pub(crate) tuples: Vec<Tuple>,
    pub(crate) ufrags: Vec<String>,

    pub(crate) producers: Vec<ProducerKey>,
    pub(crate) consumers: Vec<ConsumerKey>,
    /// Header extension ids of what the peer sends: one set for all its producers, since it is one session (RFC 8843).
    pub(crate) extension_ids: ExtensionIds,
    pub(crate) inbound: InboundStreams,
    /// Consumers by the SSRCs that RTCP names: media and RTX.
    pub(crate) outbound: HashMap<Ssrc, ConsumerKey>,
    /// Consumers get a MID each, counted up.
    mids: u64,

    /// Feedback to the peer about what it sends; there once a producer asked for one or the other.
    pub(crate) transport_feedback: Option<TransportFeedback>,
    pub(crate) remb: Option<RembEstimator>,
    /// Sender of RTCP that speaks for no stream of ours.
    pub(crate) rtcp_ssrc: Ssrc,
    pub(crate) rtcp: CompoundBuilder,
    /// The way to the peer.
    pub(crate) downlink: Downlink,
    /// What the peer is told to send at most.
    pub(crate) incoming_cap: IncomingCap,
    /// When it is closed unless the peer gives its consent again.
    pub(crate) close_at: Option<Instant>,
    /// When the worker serves this transport next.
    pub(crate) armed: Option<Instant>,
    pub(crate) counters: TransportCounters,
    pub(crate) traces: Traces,
}

impl WebRtcTransport {
    pub(crate) fn new(
        now: Instant,
        id: TransportId,
        router: RouterId,
        certificate: &Certificate,
        cname: Cname,
        options: WebRtcTransportOptions,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let rtcp_ssrc = Ssrc(rng.random());
        Self {
            id,
            router,
            used_for: options.used_for,
            ice: IceLite::new(rng),
            dtls: Dtls::new(certificate.clone()),
            srtp: None,
            waiting_handshakes: 0,
            dtls_role: Role::Server,
            connected_by_owner: false,
            tuples: Vec::new(),
            ufrags: Vec::new(),
            producers: Vec::new(),
            consumers: Vec::new(),
            extension_ids: ExtensionIds::new(),
            inbound: InboundStreams::default(),
            outbound: HashMap::new(),
            mids: 0,
            transport_feedback: None,
            remb: None,
            rtcp_ssrc,
            rtcp: CompoundBuilder::new(rtcp_ssrc, cname, true),
            close_at: None,
            downlink: Downlink::new(options.initial_outgoing_bps, options.max_outgoing_bps),
            incoming_cap: IncomingCap::new(now, options.max_incoming_bps),
            armed: None,
            counters: TransportCounters::default(),
            traces: Traces::default(),
        }
    }

    /// Who hears what of it.
    pub(crate) fn traced(&self) -> Traced {
        Traced { router: self.router, target: TraceTarget::Transport(self.id), traces: self.traces }
    }

    pub(crate) fn ice_parameters(&self) -> IceParameters {
        let (ufrag, password) = self.ice.local_parameters();
        IceParameters { username_fragment: ufrag.to_owned(), password: password.to_owned(), ice_lite: Some(true) }
    }

    /// Begins DTLS once there is a path. Before the owner has connected the transport we serve whoever begins, so that the
    /// peer's first flight is not lost: no key is used before its fingerprint is known and right. A client must know that it
    /// is one.
    pub(crate) fn start_dtls(&mut self, now: Instant) {
        if self.tuples.is_empty() {
            return;
        }
        if let Err(error) = self.dtls.start(now, self.dtls_role) {
            // The peer has begun the handshake although signalling says that we should: the handshake goes on.
            tracing::debug!(transport = %self.id, %error, "DTLS");
        }
    }

    /// # Errors
    /// The keys are not of the profile's length: a fault of ours.
    pub(crate) fn install_keys(&mut self, keys: &SrtpKeys) -> Result<(), KeyError> {
        let (seal, open) = keys.contexts()?;
        self.srtp = Some(SrtpSession { open, seal, rtcp_open: OpenRtcpStreams::default() });
        Ok(())
    }

    /// Where media goes, once it can.
    pub(crate) fn media_path(&self) -> Option<(Tuple, &SrtpSession)> {
        Some((self.ice.selected()?, self.srtp.as_ref()?))
    }

    /// The same to send by.
    pub(crate) fn lane(&mut self) -> Option<Lane<'_>> {
        let Self { ice, srtp, downlink, counters, router, .. } = self;
        let (tuple, seal) = (ice.selected()?, &srtp.as_ref()?.seal);
        Some(Lane { tuple, run: None, seal, downlink, counters, router: *router })
    }

    /// A MID that no other consumer of this transport has or had: a browser never takes a media section back.
    pub(crate) fn next_mid(&mut self) -> String {
        let mid = self.mids.to_string();
        self.mids += 1;
        mid
    }

    pub(crate) fn forget_producer(&mut self, key: ProducerKey) {
        self.producers.retain(|other| *other != key);
        self.inbound.forget(key);
    }
}
