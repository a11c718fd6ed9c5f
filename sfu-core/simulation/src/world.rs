//! A core, its peers, and time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sfu_core::dtls::Certificate;
use sfu_core::ids::{RouterId, Ssrc, TransportId};
use sfu_core::parameters::{MediaKind, RtpCapabilities, RtpParameters};
use sfu_core::router::{RouterEvent, RouterOptions};
use sfu_core::rtcp::ntp::WallClock;
use sfu_core::transport::tuple::Tuple;
use sfu_core::worker::{
    ConsumeError, ConsumerOptions, Core, CoreOptions, LocalAddress, ProduceError, ProducerOptions,
    WebRtcTransportOptions,
};

use super::branch::Branch;
use super::network::link::{Depth, Rate};
use super::network::{Direction, Network};
use super::peer::options::{BandwidthFeedback, PeerOptions, Signalled};
use super::peer::{CORE, Peer};
use super::sink::Sink;
use super::sink::playback::{Playback, Verdict};
use super::source::video::{Audio, Video};
use super::source::{Layer, Source};
use super::vectors;

mod cpu;
mod turns;

use self::cpu::Cpu;
pub use self::turns::Input;
use self::turns::Phase;

/// A source of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceId {
    /// The peer's number.
    pub peer: usize,
    /// Its place among the peer's.
    pub index: usize,
}

/// A sink of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkId {
    /// The peer's number.
    pub peer: usize,
    /// Its place among the peer's.
    pub index: usize,
}

/// Everything there is.
pub struct World {
    seed: u64,
    /// When it began.
    pub origin: Instant,
    /// What time it is.
    pub now: Instant,
    /// The media plane.
    pub core: Core,
    /// Another worker, on which the first room has a branch; see [`World::span`].
    pub branch: Option<Branch>,
    /// Between the core and the peers.
    pub network: Network,
    /// By number.
    pub peers: Vec<Peer>,
    /// The first room.
    pub router: RouterId,
    /// What the core told, and when.
    pub events: Vec<(Instant, RouterId, RouterEvent)>,
    /// Paths that the core gave up.
    pub closed_tuples: Vec<Tuple>,
    /// Transports that the core closed by itself.
    pub closed_transports: Vec<TransportId>,
    rng: StdRng,
    mids: u32,
    records: bool,
    phase: Phase,
    cpu: Option<Cpu>,
}

impl World {
    /// An empty room. The same seed gives the same run, but for the randomness of DTLS.
    pub fn new(seed: u64) -> Self {
        let origin = origin();
        let mut core = new_core(origin, seed);
        let router = core.create_router(quiet());
        Self {
            seed,
            origin,
            now: origin,
            core,
            branch: None,
            network: Network::new(seed, origin),
            peers: Vec::new(),
            router,
            events: Vec::new(),
            closed_tuples: Vec::new(),
            closed_transports: Vec::new(),
            rng: StdRng::seed_from_u64(!seed),
            mids: 0,
            records: true,
            phase: Phase::Over,
            cpu: None,
        }
    }

    /// Makes another worker, and a branch of `room` there. Who connects with [`PeerOptions::on_branch`] is on it.
    pub fn span(&mut self, room: RouterId) {
        let other = new_core(self.origin, self.seed ^ 1 << 63);
        self.branch = Some(Branch::new(&mut self.core, room, other));
    }

    /// The other worker.
    ///
    /// # Panics
    /// There is none.
    pub fn branch(&mut self) -> &mut Branch {
        self.branch.as_mut().expect("a branch")
    }

    /// The core that a peer is connected to.
    pub fn core_of(&mut self, peer: usize) -> &mut Core {
        match &mut self.branch {
            Some(branch) if self.peers[peer].on_branch => &mut branch.core,
            _ => &mut self.core,
        }
    }

    /// Each datagram that the first worker sends takes so long from now on, one after the other; else nothing takes any time.
    pub fn set_cost(&mut self, per_datagram: Duration) {
        self.cpu = Some(Cpu::new(self.now, per_datagram));
    }

    /// Sources and sinks made from now on keep the latest packets alone, for calls of hours: verdicts remain, and
    /// [`Self::pairs`] and what builds on it is not to be asked.
    pub fn forget_packets(&mut self) {
        self.records = false;
    }

    /// A peer with a clean path, connected.
    pub fn peer(&mut self) -> usize {
        self.connected_peer(PeerOptions::default())
    }

    /// A peer that takes its time to connect, which it must within ten seconds.
    pub fn connected_peer(&mut self, options: PeerOptions) -> usize {
        let peer = self.add_peer(options);
        self.run_until("the peer is connected", Duration::from_secs(10), |world| world.peers[peer].is_connected());
        // The core's half of the handshake may be one flight behind.
        self.run_for(Duration::from_millis(100));
        peer
    }

    /// A peer that begins to connect.
    pub fn add_peer(&mut self, options: PeerOptions) -> usize {
        let index = self.peers.len();
        let now = self.now;
        let (core, router) = match &mut self.branch {
            Some(branch) if options.on_branch => (&mut branch.core, branch.router),
            _ => (&mut self.core, options.router.unwrap_or(self.router)),
        };
        let info = core.create_transport(now, router, WebRtcTransportOptions::default(), None).unwrap();
        let address = options.address.unwrap_or_else(|| {
            let [high, low] = (index as u16).to_be_bytes();
            SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100 + high, low)), 50_000)
        });
        let peer = Peer::new(self.now, &options, &info, address);
        self.network.add_peer(options.up, options.down);
        self.network.set_home(address, index);
        let transport = peer.transport;
        let mut parameters = peer.dtls.parameters();
        self.peers.push(peer);
        match options.fingerprint {
            Signalled::Right => self.core_of(index).connect_transport(now, transport, &parameters).unwrap(),
            Signalled::Wrong => {
                parameters.fingerprints[0].value = ["AB"; 32].join(":");
                self.core_of(index).connect_transport(now, transport, &parameters).unwrap();
            }
            Signalled::Later => {}
        }
        self.settle();
        index
    }

    /// Signals a peer's fingerprint that was held back.
    pub fn signal_fingerprint(&mut self, peer: usize) {
        let (transport, parameters) = (self.peers[peer].transport, self.peers[peer].dtls.parameters());
        let now = self.now;
        self.core_of(peer).connect_transport(now, transport, &parameters).unwrap();
        self.settle();
    }

    /// The peer sends from another address from now on, and checks there.
    pub fn move_peer(&mut self, peer: usize, tuple: Tuple) {
        self.network.set_home(tuple.remote, peer);
        self.peers[peer].tuple = tuple;
        self.peers[peer].ice.check_now(self.now);
    }

    // --- the network

    /// Changes what a link carries: so many bit/s from each time on, counted from now, behind a queue of this depth. The first
    /// time should be zero.
    ///
    /// # Panics
    /// There is no such peer, or nothing to set.
    pub fn set_capacity(&mut self, peer: usize, direction: Direction, depth: Depth, steps: &[(Duration, u64)]) {
        self.network.link(peer, direction).rate = Some(Rate { bits_per_second: steps[0].1, depth });
        let changes: Vec<_> = steps.iter().map(|(after, bps)| (self.now + *after, *bps)).collect();
        self.network.schedule(peer, direction, &changes);
    }

    /// Nothing passes either way for a time, from now on.
    pub fn cut_off(&mut self, peer: usize, duration: Duration) {
        for direction in [Direction::Up, Direction::Down] {
            self.network.add_outage(peer, direction, self.now, self.now + duration);
        }
    }

    // --- media

    /// The peer publishes what Chromium does in this case of the vectors, from now on, in frames all alike: few packets, for
    /// tests of what happens to each. [`Self::publish`] is what a camera sends.
    ///
    /// # Panics
    /// There is no such case, or the core refuses it.
    pub fn produce(&mut self, peer: usize, case: &str) -> SourceId {
        let (kind, parameters) = vectors::producer(case);
        let source = self.produce_with(peer, kind, vectors::bundled(parameters)).unwrap();
        self.start(source);
        source
    }

    /// The peer publishes a camera or a screen as Chromium does, from now on.
    ///
    /// # Panics
    /// The core refuses it.
    pub fn publish(&mut self, peer: usize, video: &Video) -> SourceId {
        let parameters = vectors::video_parameters(video);
        let source = self.produce_with(peer, MediaKind::Video, parameters).expect("a producer");
        self.source_mut(source).set_video(video);
        self.start(source);
        source
    }

    /// The peer publishes what its owner calls a screen, from now on.
    ///
    /// # Panics
    /// The core refuses it.
    pub fn publish_screen(&mut self, peer: usize, video: &Video) -> SourceId {
        let parameters = vectors::video_parameters(video);
        let source = self.produce_as(peer, MediaKind::Video, parameters, true).expect("a producer");
        self.source_mut(source).set_video(video);
        self.start(source);
        source
    }

    /// The peer publishes a microphone as Chromium does, from now on.
    ///
    /// # Panics
    /// The core refuses it.
    pub fn publish_audio(&mut self, peer: usize, audio: Audio) -> SourceId {
        let parameters = vectors::audio_parameters(audio);
        let source = self.produce_with(peer, MediaKind::Audio, parameters).expect("a producer");
        self.source_mut(source).audio = audio;
        self.start(source);
        source
    }

    /// Publishes under numbers of its own, and does not send yet.
    ///
    /// # Errors
    /// The core refuses it.
    pub fn produce_with(
        &mut self,
        peer: usize,
        kind: MediaKind,
        parameters: RtpParameters,
    ) -> Result<SourceId, ProduceError> {
        self.produce_as(peer, kind, parameters, false)
    }

    fn produce_as(
        &mut self,
        peer: usize,
        kind: MediaKind,
        mut parameters: RtpParameters,
        is_screen: bool,
    ) -> Result<SourceId, ProduceError> {
        self.mids += 1;
        parameters.mid = Some(format!("m{}", self.mids));
        let has_rtx = parameters.codecs.iter().any(|codec| codec.mime_type.is_rtx());
        let mut ssrcs = Vec::new();
        for encoding in &mut parameters.encodings {
            let (ssrc, rtx) = (self.rng.random(), has_rtx.then(|| self.rng.random()));
            encoding.ssrc = encoding.ssrc.map(|_| Ssrc(ssrc));
            if let (Some(known), Some(ssrc)) = (&mut encoding.rtx, rtx) {
                known.ssrc = Ssrc(ssrc);
            }
            ssrcs.push((ssrc, rtx));
        }
        let options = ProducerOptions { kind, rtp_parameters: parameters.clone(), paused: false, is_screen };
        let info = self.core.produce(self.now, self.peers[peer].transport, options);
        self.settle();
        let mut source = Source::new(self.origin, self.rng.random(), info?.id, &parameters, &ssrcs);
        source.records = self.records;
        self.peers[peer].sources.push(source);
        Ok(SourceId { peer, index: self.peers[peer].sources.len() - 1 })
    }

    /// Has a source send from now on.
    pub fn start(&mut self, source: SourceId) {
        let now = self.now;
        self.source_mut(source).start(now);
    }

    /// The peer subscribes as Chromium, or as a client that knows no more of bandwidth than the peer.
    ///
    /// # Panics
    /// The core refuses it.
    pub fn consume(&mut self, peer: usize, source: SourceId) -> SinkId {
        let capabilities = match self.peers[peer].bandwidth {
            BandwidthFeedback::TransportWide => vectors::chromium(),
            BandwidthFeedback::Remb => vectors::capabilities("remb-only"),
            BandwidthFeedback::Nothing => vectors::capabilities("no-bwe"),
        };
        self.consume_as(peer, source, capabilities, false).unwrap()
    }

    /// The peer subscribes with these capabilities.
    ///
    /// # Errors
    /// The core refuses it.
    pub fn consume_as(
        &mut self,
        peer: usize,
        source: SourceId,
        rtp_capabilities: RtpCapabilities,
        paused: bool,
    ) -> Result<SinkId, ConsumeError> {
        let options = ConsumerOptions {
            producer_id: self.source(source).producer,
            rtp_capabilities,
            paused,
            preferred_layers: None,
        };
        let (now, transport) = (self.now, self.peers[peer].transport);
        if let Some(branch) = self.branch.as_mut().filter(|_| self.peers[peer].on_branch)
            && !branch.core.has_shadow(branch.tail, options.producer_id)
            && let Some(copy) = self.core.copy_producer(self.router, options.producer_id)
        {
            branch.core.take_in_producer(now, branch.tail, copy);
        }
        let info = self.core_of(peer).consume(now, transport, options)?;
        let mut sink = Sink::new(self.origin, info);
        sink.records = self.records;
        self.peers[peer].sinks.push(sink);
        self.settle();
        Ok(SinkId { peer, index: self.peers[peer].sinks.len() - 1 })
    }

    /// A source.
    pub fn source(&self, id: SourceId) -> &Source {
        &self.peers[id.peer].sources[id.index]
    }

    /// A source, to be changed.
    pub fn source_mut(&mut self, id: SourceId) -> &mut Source {
        &mut self.peers[id.peer].sources[id.index]
    }

    /// The only encoding of a source.
    pub fn layer(&self, id: SourceId) -> &Layer {
        self.source(id).only()
    }

    /// What a consumer's peer got.
    pub fn sink(&self, id: SinkId) -> &Sink {
        &self.peers[id.peer].sinks[id.index]
    }

    /// The same, to be changed.
    pub fn sink_mut(&mut self, id: SinkId) -> &mut Sink {
        &mut self.peers[id.peer].sinks[id.index]
    }

    /// What was decoded of a video.
    ///
    /// # Panics
    /// It is audio.
    pub fn playback(&self, id: SinkId) -> &Playback {
        self.sink(id).playback()
    }

    /// What the viewer saw since `from`.
    ///
    /// # Panics
    /// It is audio.
    pub fn verdict_since(&self, id: SinkId, from: Instant) -> Verdict {
        self.sink(id).verdict(from, self.now)
    }

    /// Switches an encoding of a simulcast off or on, the lowest being 0 (`RTCRtpSender.setParameters`).
    pub fn set_active(&mut self, id: SourceId, encoding: usize, is_active: bool) {
        self.source_mut(id).set_active(encoding, is_active);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the world's seed is {}; {:?} had passed", self.seed, self.elapsed());
        }
    }
}

fn new_core(origin: Instant, seed: u64) -> Core {
    Core::new(CoreOptions {
        certificate: certificate(),
        capabilities: Arc::new(vectors::router_capabilities()),
        addresses: vec![LocalAddress { bound: CORE.parse().unwrap(), announced: vec!["192.0.2.1".to_owned()] }],
        clock: WallClock::new(origin, UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        rng: StdRng::seed_from_u64(seed),
    })
}

fn certificate() -> Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| Certificate::generate().unwrap()).clone()
}

/// A room whose events are those that a test causes, not a remark on each sound.
fn quiet() -> RouterOptions {
    RouterOptions { audio_levels: None, active_speaker: false, ..RouterOptions::default() }
}

/// A made-up beginning.
#[expect(clippy::disallowed_methods, reason = "an Instant can only be made from the clock; the world adds to this one")]
pub(crate) fn origin() -> Instant {
    Instant::now()
}
