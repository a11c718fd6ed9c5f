//! A pipe's end at a branch: shadows of the home's producers, and what their consumers need of the originals.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::batch::{Entry, News, PipeBatch, PipedPacket};
use super::{PipeEnd, PipeRequest, PipeTailKey, Request};
use crate::ids::{ProducerId, RouterId, Ssrc};
use crate::parameters::MediaKind;
use crate::producer::key_frame_requester::KeyFrameReason;
use crate::producer::packet_store::StoredHeader;
use crate::producer::receive_stream::{SourceReport, StreamMirror};
use crate::producer::{Producer, ProducerCopy, SourceStream};
use crate::router::{ConsumerCloseReason, RouterEvent, RouterOptions, TransportCloseReason};
use crate::rtp::header::RtpHeader;
use crate::rtp::writer::SourcePacket;
use crate::worker::core::{Core, ProducerKey, RouterKey};
use crate::worker::media::{Incoming, Route};
use crate::worker::timers::Wake;

/// How often a branch looks after its shadows. One that nobody has consumed from one time to the next is given up: who turns
/// pages must not open and close pipes.
const SHADOW_INTERVAL: Duration = Duration::from_secs(2);

/// A pipe's end at a branch.
#[derive(Debug)]
pub(in crate::worker) struct Tail {
    pub(in crate::worker) router: RouterKey,
    pub(in crate::worker) shadows: Vec<ProducerKey>,
    /// What waits for the home: of each kind one for each stream at most.
    requests: VecDeque<Request>,
    is_due: bool,
}

impl Core {
    /// Makes a branch: a router for consumers alone, and the end of the pipe from its home.
    pub fn open_pipe_tail(&mut self) -> (RouterId, PipeTailKey) {
        // Who speaks, and what is forwarded because of it, is the home's to say.
        let options = RouterOptions { audio_levels: None, active_speaker: false, last_n: None, loudest_n: None };
        let id = self.create_router(options);
        let router = self.router_ids.get(&id).copied().unwrap_or_default();
        let tail = Tail { router, shadows: Vec::new(), requests: VecDeque::new(), is_due: false };
        let key = self.tails.insert(tail);
        if let Some(router) = self.routers.get_mut(router) {
            router.tail = Some(key);
        }
        (id, key)
    }

    /// Whether a branch has a shadow of this producer.
    pub fn has_shadow(&self, key: PipeTailKey, id: ProducerId) -> bool {
        let producer = self.producer_ids.get(&id).and_then(|key| self.producers.get(*key));
        producer.and_then(|producer| producer.shadow.as_ref()).is_some_and(|shadow| shadow.tail == key)
    }

    /// Makes a shadow of a producer, unless there is one. What has changed since the copy was made comes through the pipe.
    pub fn take_in_producer(&mut self, now: Instant, key: PipeTailKey, copy: ProducerCopy) {
        let id = copy.id();
        if self.producer_ids.contains_key(&id) {
            return;
        }
        let Some(router_key) = self.tails.get(key).map(|tail| tail.router) else { return };
        let Some(router) = self.routers.get(router_key).map(|router| router.id) else { return };
        let shadow = self.producers.insert(Box::new(Producer::shadow(now, copy, key, (router, router_key))));
        self.producer_ids.insert(id, shadow);
        if let Some(tail) = self.tails.get_mut(key) {
            tail.shadows.push(shadow);
        }
        self.request(key, Request::Open { producer: id, shadow });
        self.arm_tail(now, router_key);
    }

    /// Takes one entry out of a batch and does what it says. False: there was none.
    pub fn handle_piped(&mut self, now: Instant, key: PipeTailKey, batch: &mut PipeBatch) -> bool {
        let Some((Entry { shadow, news }, bytes)) = batch.pop() else { return false };
        let shadow = *shadow;
        let tail = self.producers.get(shadow).and_then(|producer| Some(producer.shadow.as_ref()?.tail));
        if tail != Some(key) {
            // It was given up a moment ago.
            return true;
        }
        match news {
            News::Packet(packet) => self.handle_piped_packet(now, shadow, packet, bytes),
            News::State { paused, selected } => self.handle_piped_state(now, shadow, *paused, *selected),
            News::Report { encoding, ssrc, report } => self.handle_piped_report(now, shadow, *encoding, *ssrc, *report),
            News::Stream { encoding, mirror } => self.handle_piped_stream(now, shadow, *encoding, mirror),
            News::Closed => self.remove_shadow(now, shadow),
        }
        true
    }

    /// Our own fault while handling what was taken out last: its shadow closes, everything else goes on.
    pub fn handle_pipe_fault(&mut self, now: Instant, batch: &PipeBatch) {
        self.stats.faults += 1;
        if let Some(shadow) = batch.last_popped() {
            self.give_up_shadow(now, shadow);
        }
    }

    /// Adds the tails that have something for their homes to `due`, each once.
    pub fn take_due_tails(&mut self, due: &mut Vec<PipeTailKey>) {
        for key in &self.due_tails {
            if let Some(tail) = self.tails.get_mut(*key) {
                tail.is_due = false;
            }
        }
        due.append(&mut self.due_tails);
    }

    /// There is no room for what a tail has: it comes up again next time.
    pub fn defer_tail(&mut self, key: PipeTailKey) {
        if let Some(tail) = self.tails.get_mut(key)
            && !std::mem::replace(&mut tail.is_due, true)
        {
            self.due_tails.push(key);
        }
    }

    /// The next thing that a branch wants of its home.
    pub fn poll_pipe_request(&mut self, key: PipeTailKey) -> Option<PipeRequest> {
        self.tails.get_mut(key)?.requests.pop_front().map(PipeRequest)
    }

    /// An end of a pipe that closed with its router; the other end is to be closed.
    pub fn poll_closed_pipe(&mut self) -> Option<PipeEnd> {
        self.closed_pipes.pop_front()
    }

    /// The end of the pipe that `router` is a branch by.
    pub(crate) fn tail_of(&self, router: RouterId) -> Option<PipeTailKey> {
        self.routers.get(*self.router_ids.get(&router)?)?.tail
    }

    /// The branches here.
    pub(crate) fn branches(&self) -> impl Iterator<Item = RouterId> {
        self.tails.values().filter_map(|tail| Some(self.routers.get(tail.router)?.id))
    }

    /// What is to be told of a branch that is lost with its worker.
    pub(crate) fn last_events(&self, router: RouterId) -> Vec<RouterEvent> {
        let router = self.router_ids.get(&router).and_then(|key| self.routers.get(*key));
        let transports = router.into_iter().flat_map(|router| &router.transports);
        let mut events = Vec::new();
        for transport in transports.filter_map(|key| self.transports.get(*key)) {
            let reason = ConsumerCloseReason::TransportClosed;
            let consumers = transport.consumers.iter().filter_map(|key| self.consumers.get(*key));
            events.extend(consumers.map(|consumer| RouterEvent::ConsumerClosed { consumer_id: consumer.id, reason }));
            let (transport_id, reason) = (transport.id, TransportCloseReason::WorkerDied);
            events.push(RouterEvent::TransportClosed { transport_id, reason });
        }
        events
    }

    /// A branch closes: its shadows with it. Its consumers are gone already.
    pub(in crate::worker) fn close_tail(&mut self, now: Instant, key: PipeTailKey) {
        let Some(tail) = self.tails.remove(key) else { return };
        self.closed_pipes.push_back(PipeEnd::Tail(key));
        let Some(router) = self.routers.get(tail.router).map(|router| router.id) else { return };
        for shadow in tail.shadows {
            self.remove_producer(now, router, shadow);
        }
    }

    /// Looks after the shadows of a branch.
    pub(in crate::worker) fn serve_tail(&mut self, now: Instant, router: RouterKey) {
        let Some(tail) = self.routers.get(router).and_then(|router| self.tails.get(router.tail?)) else { return };
        let mut unused = Vec::new();
        for &key in &tail.shadows {
            let Some(producer) = self.producers.get_mut(key) else { continue };
            for stream in producer.encodings.iter_mut().filter_map(|encoding| encoding.stream.as_mut()) {
                stream.store.release_if_idle(now);
            }
            let is_unused = producer.consumers.is_empty();
            let Some(shadow) = &mut producer.shadow else { continue };
            if std::mem::replace(&mut shadow.was_unused, is_unused) && is_unused {
                unused.push(key);
            }
        }
        for key in unused {
            self.give_up_shadow(now, key);
        }
        self.arm_tail(now, router);
    }

    /// A consumer needs a key frame of the original.
    pub(in crate::worker) fn request_key_frame_of(
        &mut self,
        now: Instant,
        key: ProducerKey,
        encoding: usize,
        reason: KeyFrameReason,
    ) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        let Some(shadow) = &mut producer.shadow else { return };
        if producer.kind == MediaKind::Video && shadow.asks(now, encoding, reason) {
            let (tail, producer) = (shadow.tail, producer.id);
            self.request(tail, Request::KeyFrame { producer, encoding, reason });
        }
    }

    /// Tells the home which layers are used here, when that has changed.
    pub(in crate::worker) fn request_used_layers(&mut self, key: ProducerKey) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        let layers = producer.users.layers();
        let Some(shadow) = &mut producer.shadow else { return };
        if std::mem::replace(&mut shadow.told_used, layers) != layers {
            let (tail, producer) = (shadow.tail, producer.id);
            self.request(tail, Request::Used { producer, layers });
        }
    }

    fn handle_piped_packet(&mut self, now: Instant, key: ProducerKey, packet: &PipedPacket, bytes: &[u8]) {
        self.stats.packets_piped_in += 1;
        let Some(producer) = self.producers.get_mut(key) else { return };
        let Ok(header) = RtpHeader::parse(bytes) else { return };
        let Some(media) = producer.payloads.media(header.payload_type) else { return };
        let Some(payload) = bytes.get(packet.payload.clone()) else { return };
        let extensions = producer.extension_ids.parse(bytes, &header);
        let red = producer.payloads.red(header.payload_type, payload).ok().flatten();
        if packet.frame.key_frame
            && let Some(shadow) = &mut producer.shadow
        {
            shadow.handle_key_frame(packet.encoding);
        }
        let Some(stream) = self.shadow_stream(now, key, packet.encoding, packet.ssrc) else { return };
        stream.receive.handle_piped(now, bytes.len(), packet.restarted);
        let PipedPacket { extended, timestamp, marker, frame, .. } = *packet;
        if !payload.is_empty() {
            let stored = StoredHeader { timestamp, marker, frame, payload: packet.payload.clone(), padding: 0 };
            stream.store.insert(now, extended, stored, bytes);
        }
        if packet.is_revealed {
            return;
        }
        let source = SourcePacket { packet: bytes, extensions: &extensions, payload };
        let PipedPacket { restarted, reveals, encoding, .. } = *packet;
        let incoming =
            Incoming { extended, timestamp, marker, restarted, media, red, frame, reveals, padding: 0, source };
        let route = Route { producer: key, encoding, is_rtx: packet.is_rtx };
        self.observe(now, route, &incoming);
        self.give(now, route, &incoming);
    }

    fn handle_piped_state(&mut self, now: Instant, key: ProducerKey, paused: bool, selected: bool) {
        let Some(kind) = self.producers.get(key).map(|producer| producer.kind) else { return };
        match kind {
            MediaKind::Audio => self.set_audio_selected(key, selected),
            MediaKind::Video => self.set_video_selected(now, key, selected),
        }
        self.set_producer_paused(now, key, paused);
    }

    fn handle_piped_report(
        &mut self,
        now: Instant,
        key: ProducerKey,
        encoding: usize,
        ssrc: Ssrc,
        report: SourceReport,
    ) {
        if let Some(stream) = self.shadow_stream(now, key, encoding, ssrc) {
            stream.receive.set_source_report(report);
        }
    }

    fn handle_piped_stream(&mut self, now: Instant, key: ProducerKey, encoding: usize, mirror: &StreamMirror) {
        if let Some(stream) = self.shadow_stream(now, key, encoding, mirror.ssrc) {
            stream.receive.mirror(mirror.stats, mirror.score);
            if let Some((ssrc, stats)) = mirror.rtx {
                // Only its counts are of interest here, and they are the original's.
                stream.rtx(ssrc, 0).mirror(stats, mirror.score);
            }
        }
        let encoding = self.producers.get_mut(key).and_then(|producer| producer.encodings.get_mut(encoding));
        if let Some(encoding) = encoding {
            (encoding.plis_sent, encoding.firs_sent) = (mirror.plis_sent, mirror.firs_sent);
            encoding.rtx_ssrc = mirror.rtx.map(|(ssrc, _)| ssrc).or(encoding.rtx_ssrc);
        }
    }

    /// The stream of a shadow's encoding, which is made with the first that is heard of it.
    fn shadow_stream(
        &mut self,
        now: Instant,
        key: ProducerKey,
        encoding: usize,
        ssrc: Ssrc,
    ) -> Option<&mut SourceStream> {
        let producer = self.producers.get_mut(key)?;
        let media = producer.payloads.first_media()?;
        let encoding = producer.encodings.get_mut(encoding)?;
        encoding.ssrc = Some(ssrc);
        encoding.stream(now, producer.kind, media, &mut self.rng)
    }

    /// The home is told that nobody consumes a producer here any more.
    pub(in crate::worker) fn give_up_shadow(&mut self, now: Instant, key: ProducerKey) {
        let Some(producer) = self.producers.get(key) else { return };
        if let Some(tail) = producer.shadow.as_ref().map(|shadow| shadow.tail) {
            let producer = producer.id;
            self.request(tail, Request::Close { producer, shadow: key });
            self.remove_shadow(now, key);
        }
    }

    fn remove_shadow(&mut self, now: Instant, key: ProducerKey) {
        let Some(producer) = self.producers.get(key) else { return };
        let (router, tail) = (producer.router, producer.shadow.as_ref().map(|shadow| shadow.tail));
        if let Some(tail) = tail.and_then(|tail| self.tails.get_mut(tail)) {
            tail.shadows.retain(|other| *other != key);
        }
        self.remove_producer(now, router, key);
    }

    fn request(&mut self, key: PipeTailKey, request: Request) {
        let Some(tail) = self.tails.get_mut(key) else { return };
        let is_unheard_of = match request {
            Request::Close { producer, shadow } => tail.requests.contains(&Request::Open { producer, shadow }),
            _ => false,
        };
        tail.requests.retain(|before| !request.replaces(before));
        if !is_unheard_of {
            tail.requests.push_back(request);
            self.defer_tail(key);
        }
    }

    fn arm_tail(&mut self, now: Instant, key: RouterKey) {
        let Some(router) = self.routers.get_mut(key) else { return };
        if router.tail.and_then(|tail| self.tails.get(tail)).is_some_and(|tail| !tail.shadows.is_empty()) {
            self.timers.arm(Wake::Router(key), &mut router.armed, now + SHADOW_INTERVAL);
        }
    }
}

impl Request {
    /// Whether the home need not hear of `before` any more.
    fn replaces(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Used { producer, .. }, Self::Used { producer: other, .. }) => producer == other,
            (
                Self::KeyFrame { producer, encoding, reason },
                Self::KeyFrame { producer: other, encoding: of, reason: weaker },
            ) => (producer, encoding) == (other, of) && reason >= weaker,
            // A life of a shadow that the home has not heard of is none.
            (
                Self::Close { producer, .. },
                Self::Used { producer: other, .. } | Self::KeyFrame { producer: other, .. },
            ) => producer == other,
            (Self::Close { shadow, .. }, Self::Open { shadow: other, .. }) => shadow == other,
            _ => false,
        }
    }
}
