//! One peer from connecting to leaving.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::plan::Plan;
use crate::association::{Association, AssociationError};
use crate::dtls::Identity;
use crate::endpoint::subscriber::StreamSetup;
use crate::endpoint::{Publisher, Reception};
use crate::media_thread::{EndpointId, MediaThread, Producers};
use crate::signalling::call::{Direction, RemoteProducer};
use crate::signalling::parameters::{self, MediaKind, VideoIdentity};
use crate::signalling::{Call, Event, SignalError, SocketIo};
use crate::source::{AudioSource, OutgoingStream, VideoLayer, VideoSource};
use crate::stamp;

/// Consumers that one peer asks for at once.
const CONCURRENT_CONSUMES: usize = 8;
/// Frames of different publishers do not come at the same moment.
const FRAME_INTERVAL: Duration = Duration::from_micros(33_333);

/// Why a peer did not join.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Signalling.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// The way of its media.
    #[error(transparent)]
    Association(#[from] AssociationError),
    /// The server lacks a codec.
    #[error("the server's rtpCapabilities have no {0}")]
    NoCodec(&'static str),
    /// A consumer whose packets could not be told.
    #[error("the server's consumer has no SSRC")]
    NoSsrc,
}

/// What all peers of a run share.
#[derive(Debug)]
pub struct Shared {
    /// The run.
    pub plan: Plan,
    /// The threads that carry media.
    pub threads: Vec<MediaThread>,
    /// When the run began.
    pub begun: Instant,
    /// What its rooms are called: whoever else loads the server is in others.
    name: String,
    identity: IdentityOf,
    /// The server's ids of our producers.
    producers: Mutex<HashMap<String, KnownProducer>>,
    counters: Mutex<Counters>,
}

/// A producer of ours.
#[derive(Debug, Clone, Copy)]
struct KnownProducer {
    number: u32,
    /// The one that nobody wants a thumbnail of.
    is_on_stage: bool,
}

/// A certificate has nothing to show.
struct IdentityOf(Identity);

#[derive(Debug, Default)]
struct Counters {
    endpoints: u64,
    streams: u64,
    ssrcs: u32,
}

/// Who a peer is.
#[derive(Debug, Clone, Copy)]
pub struct PeerSetup {
    /// Which room.
    pub room: u32,
    /// Which peer, in the whole run; no number comes twice.
    pub number: u64,
    /// If it sends, which of the room's senders it is.
    pub sends_as: Option<u32>,
    /// Whether it receives all others.
    pub receives: bool,
    /// Whether what it receives is looked into.
    pub is_sampled: bool,
}

/// A peer that has joined. Dropping it closes its connection; [`Self::leave`] says goodbye, and closes its transports.
#[derive(Debug)]
pub struct Peer {
    /// Who it is.
    pub setup: PeerSetup,
    /// From connecting until it received all that there was, and sent.
    pub join_time: Duration,
    call: Call,
    endpoints: Vec<EndpointId>,
    publisher: Option<EndpointId>,
    follower: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for IdentityOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Shared {
    /// What the peers of `plan` share.
    pub fn new(plan: Plan, threads: Vec<MediaThread>, identity: Identity, begun: Instant) -> Self {
        Self {
            plan,
            threads,
            begun,
            name: format!("bench-{}-{}", std::process::id(), stamp::wall_ns()),
            identity: IdentityOf(identity),
            producers: Mutex::default(),
            counters: Mutex::default(),
        }
    }

    /// The thread that carries an endpoint.
    pub fn thread(&self, id: EndpointId) -> &MediaThread {
        &self.threads[id as usize % self.threads.len()]
    }

    fn next_endpoint(&self) -> EndpointId {
        let mut counters = self.counters();
        counters.endpoints += 1;
        counters.endpoints
    }

    fn next_stream(&self) -> u64 {
        let mut counters = self.counters();
        counters.streams += 1;
        counters.streams
    }

    fn next_ssrc(&self) -> u32 {
        let mut counters = self.counters();
        counters.ssrcs += 1;
        // Spread, and different in each run.
        counters.ssrcs.wrapping_mul(0x9e37_79b1) ^ (self.plan.seed as u32)
    }

    fn counters(&self) -> std::sync::MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a producer of ours is called in the run.
    fn producer(&self, id: &str) -> Option<KnownProducer> {
        self.producers.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    fn name_producer(&self, id: String, is_on_stage: bool) -> u32 {
        let mut producers = self.producers.lock().unwrap_or_else(PoisonError::into_inner);
        let number = producers.len() as u32;
        producers.insert(id, KnownProducer { number, is_on_stage });
        number
    }
}

impl Peer {
    /// Joins: connects, sends what it is to send, and receives what there is. What comes later it receives too.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn join(shared: Arc<Shared>, setup: PeerSetup) -> Result<Self, PeerError> {
        let since = Instant::now();
        let plan = &shared.plan;
        let (socket, events) = SocketIo::connect(&plan.url, plan.token.as_deref()).await?;
        let call = Call::new(socket, &format!("{}-{}", shared.name, setup.room));
        let router = call.create_room().await?;
        let capabilities = parameters::receive_capabilities(&router, plan.nack).map_err(PeerError::NoCodec)?;
        call.join(&format!("peer-{}", setup.number), &capabilities).await?;
        let mut endpoints = Vec::new();
        let mut publisher = None;
        if let Some(number) = setup.sends_as {
            let id = publish(&shared, &call, setup, number).await?;
            endpoints.push(id);
            publisher = Some(id);
        }
        let mut follower = None;
        if setup.receives {
            let mut receiver = Receiver::connect(&shared, call.clone(), capabilities, setup, since).await?;
            endpoints.push(receiver.endpoint);
            let producers = receiver.call.producers().await?;
            receiver.consume_all(producers).await?;
            follower = Some(tokio::spawn(receiver.follow(events)));
        }
        Ok(Self { setup, join_time: since.elapsed(), call, endpoints, publisher, follower })
    }

    /// Makes a transport from the server, connects it, and leaves it at that.
    ///
    /// # Errors
    /// [`PeerError`].
    pub async fn connect_idle(&mut self, shared: &Shared) -> Result<(), PeerError> {
        let (id, _) = connect_receiving(shared, &self.call, self.setup).await?;
        self.endpoints.push(id);
        Ok(())
    }

    /// Begins or stops its media.
    pub fn set_active(&self, shared: &Shared, is_active: bool) {
        if let Some(id) = self.publisher {
            shared.thread(id).set_active(id, is_active);
        }
    }

    /// Says goodbye, if the server listens, and closes everything.
    pub async fn leave(self, shared: &Shared) {
        if let Some(follower) = self.follower {
            follower.abort();
        }
        for id in self.endpoints {
            shared.thread(id).remove(id);
        }
        // A server that does not answer will find out.
        drop(self.call.leave().await);
    }
}

/// Makes the transport and the producers.
async fn publish(shared: &Shared, call: &Call, setup: PeerSetup, number: u32) -> Result<EndpointId, PeerError> {
    let plan = &shared.plan;
    let mut random = StdRng::seed_from_u64(plan.seed ^ setup.number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let transport = call.create_transport(Direction::Send).await?;
    call.connect_transport(&transport.id, &shared.identity.0.fingerprint).await?;
    let association = Association::connect(&transport, &shared.identity.0, random.random()).await?;
    let cname = format!("bench-{}", setup.number);
    let bitrates_bps = plan.size_bitrates_bps();
    let now = Instant::now();
    let mut producers = Producers::default();
    let mut audio = None;
    if plan.audio {
        let ssrc = shared.next_ssrc();
        let parameters = parameters::audio_parameters("0", ssrc, &cname);
        let id = call.produce(&transport.id, "audio", parameters).await?;
        producers.audio = Some(shared.name_producer(id, false));
        let stream = OutgoingStream::new(ssrc, parameters::OPUS_PAYLOAD_TYPE, "0", None, None, random.random());
        let first_at = now + Duration::from_micros(random.random_range(0..20_000));
        audio = Some(AudioSource::new(stream, first_at, shared.begun, number, plan.senders()));
    }
    let mut video = None;
    if plan.video_bps.is_some() {
        let ssrcs: Vec<(u32, u32)> = bitrates_bps.iter().map(|_| (shared.next_ssrc(), shared.next_ssrc())).collect();
        let identity = VideoIdentity { mid: "1".to_owned(), ssrcs };
        let parameters = parameters::video_parameters(&identity, &cname);
        let id = call.produce(&transport.id, "video", parameters).await?;
        producers.video = Some(shared.name_producer(id, number == 0));
        let is_simulcast = identity.ssrcs.len() > 1;
        let layer = |(size, ((ssrc, rtx), bitrate_bps)): (usize, (&(u32, u32), &f64))| {
            let rid = is_simulcast.then(|| parameters::rid(size));
            let rtx = Some((*rtx, parameters::RTX_PAYLOAD_TYPE));
            let payload_type = parameters::VP8_PAYLOAD_TYPE;
            let stream = OutgoingStream::new(*ssrc, payload_type, &identity.mid, rid.as_deref(), rtx, random.random());
            VideoLayer::new(stream, *bitrate_bps, is_simulcast)
        };
        let layers = identity.ssrcs.iter().zip(&bitrates_bps).enumerate().map(layer).collect();
        video = Some(VideoSource::new(layers, now + FRAME_INTERVAL.mul_f64(random.random())));
    }
    let id = shared.next_endpoint();
    let publisher = Publisher::new(now, video, audio, setup.room < plan.active_rooms);
    shared.thread(id).publish(id, producers, association, publisher);
    Ok(id)
}

/// Makes a transport from the server, which may also be called by its id there.
async fn connect_receiving(shared: &Shared, call: &Call, setup: PeerSetup) -> Result<(EndpointId, String), PeerError> {
    let transport = call.create_transport(Direction::Receive).await?;
    call.connect_transport(&transport.id, &shared.identity.0.fingerprint).await?;
    let endpoint = shared.next_endpoint();
    let association = Association::connect(&transport, &shared.identity.0, !endpoint).await?;
    let reception = Reception { gro: shared.plan.gro, time_stamps: setup.is_sampled };
    shared.thread(endpoint).subscribe(endpoint, association, shared.next_ssrc(), reception);
    Ok((endpoint, transport.id))
}

/// The receiving half of a peer.
struct Receiver {
    shared: Arc<Shared>,
    call: Call,
    capabilities: Value,
    transport_id: String,
    endpoint: EndpointId,
    known: HashSet<String>,
    is_sampled: bool,
    joining_since: Instant,
}

impl Receiver {
    async fn connect(
        shared: &Arc<Shared>,
        call: Call,
        capabilities: Value,
        setup: PeerSetup,
        joining_since: Instant,
    ) -> Result<Self, PeerError> {
        let (endpoint, transport_id) = connect_receiving(shared, &call, setup).await?;
        Ok(Self {
            shared: Arc::clone(shared),
            call,
            capabilities,
            transport_id,
            endpoint,
            known: HashSet::new(),
            is_sampled: setup.is_sampled,
            joining_since,
        })
    }

    async fn consume_all(&mut self, producers: Vec<RemoteProducer>) -> Result<(), PeerError> {
        let new: Vec<RemoteProducer> =
            producers.into_iter().filter(|producer| self.known.insert(producer.producer_id.clone())).collect();
        let this = &*self;
        let consuming = stream::iter(new).map(|producer| this.consume(producer));
        consuming.buffer_unordered(CONCURRENT_CONSUMES).try_collect().await
    }

    /// The stream is announced before the first packet can come.
    async fn consume(&self, producer: RemoteProducer) -> Result<(), PeerError> {
        // What is neither audio nor video is none of ours.
        let Some(kind) = MediaKind::parse(&producer.kind) else { return Ok(()) };
        let known = self.shared.producer(&producer.producer_id);
        let is_thumbnail = self.shared.plan.thumbnails
            && kind == MediaKind::Video
            && !known.is_some_and(|producer| producer.is_on_stage);
        let size = is_thumbnail.then_some(0);
        let consumer = self.call.consume(&self.transport_id, &producer.producer_id, &self.capabilities, size).await?;
        let stream = StreamSetup {
            id: self.shared.next_stream(),
            producer: known.map(|producer| producer.number),
            kind,
            ssrc: consumer.ssrc().ok_or(PeerError::NoSsrc)?,
            rtx_ssrc: consumer.rtx_ssrc(),
            transport_cc_id: consumer.transport_cc_id(),
            is_sampled: self.is_sampled,
            asks: self.shared.plan.nack,
            joining_since: self.joining_since,
        };
        self.shared.thread(self.endpoint).add_stream(self.endpoint, stream);
        self.call.resume(&consumer.id).await?;
        Ok(())
    }

    /// Receives what others begin to send. A producer that is gone again before it was consumed is no failure.
    async fn follow(mut self, mut events: mpsc::UnboundedReceiver<Event>) {
        while let Some((name, payload)) = events.recv().await {
            if name == "newProducer"
                && let Ok(producer) = serde_json::from_value(payload)
            {
                drop(self.consume_all(vec![producer]).await);
            }
        }
    }
}
