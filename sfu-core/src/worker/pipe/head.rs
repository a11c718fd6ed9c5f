//! A pipe's end at a room's home: what is collected for a branch, and what a branch asks for.

use std::time::Instant;

use super::batch::{News, PipeBatch, PipedPacket};
use super::{PipeEnd, PipeHeadKey, PipeRequest, Piped, Request};
use crate::ids::{ProducerId, RouterId};
use crate::parameters::MediaKind;
use crate::producer::key_frame_requester::KeyFrameReason;
use crate::producer::packet_store::StoredHeader;
use crate::producer::receive_stream::StreamMirror;
use crate::producer::{Producer, ProducerCopy, SourceStream};
use crate::rtp::header::RtpHeader;
use crate::worker::core::{Core, ProducerKey};
use crate::worker::errors::ObjectClosed;
use crate::worker::forward::CATCH_UP_PACKETS;
use crate::worker::media::{Incoming, Route};

/// A pipe's end at a room's home.
#[derive(Debug)]
pub(in crate::worker) struct Head {
    router: RouterId,
    /// What waits for the other worker.
    pending: PipeBatch,
    /// Whether it is in the list of those that have something.
    is_due: bool,
    /// What goes into the pipe, with its shadow.
    given: Vec<(ProducerKey, ProducerKey)>,
    /// Encodings that lost packets here: their consumers need key frames once there is room again.
    lost: Vec<(ProducerKey, usize)>,
    /// Streams of which a packet was dropped that said that they start anew: the next one says it.
    restarts: Vec<(ProducerKey, usize)>,
}

impl Head {
    /// Adds a packet, for which others may have to go. How many did.
    fn push(&mut self, shadow: ProducerKey, mut packet: PipedPacket, bytes: &[u8]) -> usize {
        let dropped = if self.pending.is_full() { self.make_room() } else { 0 };
        let key = (shadow, packet.encoding);
        if let Some(index) = self.restarts.iter().position(|restart| *restart == key) {
            self.restarts.swap_remove(index);
            packet.restarted = true;
        }
        self.pending.push_packet(shadow, packet, bytes);
        dropped
    }

    fn make_room(&mut self) -> usize {
        let Self { pending, lost, restarts, .. } = self;
        let mut note = |shadow, packet: &PipedPacket| {
            let key = (shadow, packet.encoding);
            if packet.is_video && !lost.contains(&key) {
                lost.push(key);
            }
            if packet.restarted && !restarts.contains(&key) {
                restarts.push(key);
            }
        };
        let mut dropped = pending.drop_older_half(true, &mut note);
        if pending.is_full() {
            dropped += pending.drop_older_half(false, &mut note);
        }
        for (shadow, packet) in pending.packets_mut() {
            let key = (shadow, packet.encoding);
            if let Some(index) = restarts.iter().position(|restart| *restart == key) {
                restarts.swap_remove(index);
                packet.restarted = true;
            }
        }
        dropped
    }

    fn forget(&mut self, shadow: ProducerKey) {
        self.given.retain(|(_, known)| *known != shadow);
        self.lost.retain(|(known, _)| *known != shadow);
        self.restarts.retain(|(known, _)| *known != shadow);
    }
}

impl Core {
    /// Makes a pipe's end for a branch of `router`, which is a room's home.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn open_pipe_head(&mut self, router: RouterId) -> Result<PipeHeadKey, ObjectClosed> {
        let key = *self.router_ids.get(&router).ok_or(ObjectClosed)?;
        let router_state = self.routers.get_mut(key).ok_or(ObjectClosed)?;
        let (pending, given, lost, restarts) = Default::default();
        let head = self.heads.insert(Head { router, pending, is_due: false, given, lost, restarts });
        router_state.heads.push(head);
        Ok(head)
    }

    /// Ends a pipe: the branch is gone. Idempotent.
    pub fn close_pipe_head(&mut self, now: Instant, key: PipeHeadKey) {
        let Some(head) = self.heads.remove(key) else { return };
        self.closed_pipes.push_back(PipeEnd::Head(key));
        if let Some(router) = self.router_ids.get(&head.router).and_then(|key| self.routers.get_mut(*key)) {
            router.heads.retain(|other| *other != key);
        }
        for (producer_key, _) in head.given {
            if let Some(producer) = self.producers.get_mut(producer_key) {
                producer.pipes.retain(|piped| piped.head != key);
                self.update_wanted(now, producer_key);
            }
        }
    }

    /// The room's home whose pipe this is.
    pub(crate) fn home_of(&self, key: PipeHeadKey) -> Option<RouterId> {
        self.heads.get(key).map(|head| head.router)
    }

    /// What another worker must know of a producer of `router` to serve consumers of it. `None`: there is no such producer.
    pub fn copy_producer(&self, router: RouterId, id: ProducerId) -> Option<ProducerCopy> {
        let producer = self.producers.get(*self.producer_ids.get(&id)?)?;
        (producer.router == router).then(|| producer.copy())
    }

    /// Adds the heads that have something for their branches to `due`, each once.
    pub fn take_due_heads(&mut self, due: &mut Vec<PipeHeadKey>) {
        for key in &self.due_heads {
            if let Some(head) = self.heads.get_mut(*key) {
                head.is_due = false;
            }
        }
        due.append(&mut self.due_heads);
    }

    /// There is no room for what a head has: it comes up again next time.
    pub fn defer_head(&mut self, key: PipeHeadKey) {
        if let Some(head) = self.heads.get_mut(key).filter(|head| !head.pending.is_empty())
            && !std::mem::replace(&mut head.is_due, true)
        {
            self.due_heads.push(key);
        }
    }

    /// Gives what a head has for its branch, in exchange for an empty batch. False: it has nothing.
    pub fn take_batch(&mut self, now: Instant, key: PipeHeadKey, batch: &mut PipeBatch) -> bool {
        let Some(head) = self.heads.get_mut(key).filter(|head| !head.pending.is_empty()) else { return false };
        batch.clear();
        std::mem::swap(&mut head.pending, batch);
        // What comes now gets through: it may as well be something that a decoder can start with.
        for (shadow, encoding) in std::mem::take(&mut head.lost) {
            let given = self.heads.get(key).and_then(|head| head.given.iter().find(|(_, known)| *known == shadow));
            if let Some(&(producer, _)) = given {
                self.ask_key_frame(now, producer, encoding, KeyFrameReason::CannotDecode);
            }
        }
        true
    }

    /// Does what a branch asks for.
    pub fn handle_pipe_request(&mut self, now: Instant, key: PipeHeadKey, PipeRequest(request): PipeRequest) {
        let Some(head) = self.heads.get_mut(key) else { return };
        let id = match request {
            Request::Open { producer, .. }
            | Request::Close { producer, .. }
            | Request::KeyFrame { producer, .. }
            | Request::Used { producer, .. } => producer,
        };
        let router = head.router;
        let known = self.producer_ids.get(&id).copied();
        let known = known.filter(|key| self.producers.get(*key).is_some_and(|producer| producer.router == router));
        let Some(producer_key) = known else {
            // It closed while the branch took note of it.
            if let Request::Open { shadow, .. } = request {
                self.push_news(key, shadow, News::Closed);
            }
            return;
        };
        match request {
            Request::Open { shadow, .. } => self.open_piped(producer_key, key, shadow),
            Request::Close { shadow, .. } => {
                head.forget(shadow);
                if let Some(producer) = self.producers.get_mut(producer_key) {
                    producer.pipes.retain(|piped| piped.head != key || piped.shadow != shadow);
                }
                self.update_wanted(now, producer_key);
            }
            Request::KeyFrame { encoding, reason, .. } => self.ask_key_frame(now, producer_key, encoding, reason),
            Request::Used { layers, .. } => {
                let producer = self.producers.get_mut(producer_key);
                let mut pipes = producer.into_iter().flat_map(|producer| &mut producer.pipes);
                if let Some(piped) = pipes.find(|piped| piped.head == key) {
                    piped.used = layers;
                    self.update_wanted(now, producer_key);
                }
            }
        }
    }

    /// A producer's packets go into a pipe from now on, after what there is to know of it at this moment.
    fn open_piped(&mut self, producer_key: ProducerKey, key: PipeHeadKey, shadow: ProducerKey) {
        let Some(producer) = self.producers.get_mut(producer_key) else { return };
        if let Some(head) = self.heads.get_mut(key) {
            head.given.retain(|(known, _)| *known != producer_key);
            head.given.push((producer_key, shadow));
        }
        producer.pipes.retain(|piped| piped.head != key);
        producer.pipes.push(Piped { head: key, shadow, used: 0 });
        self.pipe_state(producer_key);
        for encoding in 0..self.producers.get(producer_key).map_or(0, |producer| producer.encodings.len()) {
            self.pipe_report(producer_key, encoding);
            self.pipe_stream(producer_key, encoding);
        }
    }

    /// Gives a packet that came, and was stored, to the branches where anybody consumes its producer.
    pub(in crate::worker) fn pipe(&mut self, now: Instant, route: Route, incoming: &Incoming<'_>) {
        let Some(producer) = self.producers.get(route.producer).filter(|producer| !producer.pipes.is_empty()) else {
            return;
        };
        // As for consumers here.
        if producer.paused || !producer.is_selected {
            return;
        }
        let Some(encoding) = producer.encodings.get(route.encoding) else { return };
        let (Some(ssrc), Some(stream)) = (encoding.ssrc, encoding.stream.as_ref()) else { return };
        let is_video = producer.kind == MediaKind::Video;
        let entry =
            |extended: u64, header: &StoredHeader| PipedPacket::new(route.encoding, ssrc, extended, header, is_video);
        for piped in &producer.pipes {
            let Some(head) = self.heads.get_mut(piped.head) else { continue };
            let (mut sent, mut dropped) = (0, 0);
            let mut push = |packet: PipedPacket, bytes: &[u8]| {
                sent += 1;
                dropped += head.push(piped.shadow, packet, bytes) as u64;
            };
            if incoming.reveals {
                for (extended, header, bytes) in revealed(now, stream, incoming.extended) {
                    push(PipedPacket { is_revealed: true, ..entry(extended, header) }, bytes);
                }
            }
            let (restarted, reveals) = (incoming.restarted, incoming.reveals);
            if let Some(stored) = stream.store.get(now, incoming.extended) {
                let packet = entry(incoming.extended, stored.header());
                push(PipedPacket { restarted, reveals, is_rtx: route.is_rtx, ..packet }, stored.bytes());
            } else if let Some(header_len) = header_len(incoming) {
                // Padding alone: nothing but its number counts.
                let Incoming { extended, timestamp, marker, frame, .. } = *incoming;
                let packet = entry(extended, &StoredHeader { timestamp, marker, frame, payload: 0..0, padding: 0 });
                let bytes = incoming.source.packet.get(..header_len).unwrap_or_default();
                push(PipedPacket { restarted, ..packet }, bytes);
            }
            self.stats.packets_piped_out += sent;
            self.stats.packets_piped_dropped += dropped;
            if !std::mem::replace(&mut head.is_due, true) {
                self.due_heads.push(piped.head);
            }
        }
    }

    /// Tells the branches whether a producer is paused, and whether the room forwards it.
    pub(in crate::worker) fn pipe_state(&mut self, key: ProducerKey) {
        self.pipe_news(key, |producer| Some(News::State { paused: producer.paused, selected: producer.is_selected }));
    }

    /// Tells them how an encoding's timestamps and the clock relate.
    pub(in crate::worker) fn pipe_report(&mut self, key: ProducerKey, encoding: usize) {
        self.pipe_news(key, |producer| {
            let receive = &producer.encodings.get(encoding)?.stream.as_ref()?.receive;
            Some(News::Report { encoding, ssrc: receive.ssrc(), report: receive.source_report()? })
        });
    }

    /// Tells them how an encoding's stream arrives.
    pub(in crate::worker) fn pipe_stream(&mut self, key: ProducerKey, encoding: usize) {
        self.pipe_news(key, |producer| {
            let source = producer.encodings.get(encoding)?;
            let stream = source.stream.as_ref()?;
            let mirror = StreamMirror {
                ssrc: stream.receive.ssrc(),
                stats: stream.receive.stats(),
                score: stream.receive.score(),
                rtx: stream.rtx.as_ref().map(|rtx| (rtx.ssrc(), rtx.stats())),
                plis_sent: source.plis_sent,
                firs_sent: source.firs_sent,
            };
            Some(News::Stream { encoding, mirror: Box::new(mirror) })
        });
    }

    /// Tells them that a producer is gone, which it is.
    pub(in crate::worker) fn pipe_closing(&mut self, producer: &Producer) {
        for piped in &producer.pipes {
            if let Some(head) = self.heads.get_mut(piped.head) {
                head.forget(piped.shadow);
            }
            self.push_news(piped.head, piped.shadow, News::Closed);
        }
    }

    fn pipe_news(&mut self, key: ProducerKey, news: impl Fn(&Producer) -> Option<News>) {
        let pipes = self.producers.get(key).map_or(0, |producer| producer.pipes.len());
        for index in 0..pipes {
            let Some(producer) = self.producers.get(key) else { return };
            let Some(&Piped { head, shadow, .. }) = producer.pipes.get(index) else { return };
            if let Some(news) = news(producer) {
                self.push_news(head, shadow, news);
            }
        }
    }

    fn push_news(&mut self, key: PipeHeadKey, shadow: ProducerKey, news: News) {
        if let Some(head) = self.heads.get_mut(key) {
            head.pending.push_news(shadow, news);
            if !std::mem::replace(&mut head.is_due, true) {
                self.due_heads.push(key);
            }
        }
    }
}

/// What a packet's coming has revealed to be of which frame: packets behind it, which overtook it.
fn revealed(now: Instant, stream: &SourceStream, first: u64) -> impl Iterator<Item = (u64, &StoredHeader, &[u8])> {
    let stored = (first + 1..=first + CATCH_UP_PACKETS).filter_map(move |extended| stream.store.get(now, extended));
    stored
        .filter(|stored| !stored.header().frame.is_unreadable())
        .map(|stored| (stored.extended(), stored.header(), stored.bytes()))
}

/// The length of the header of a packet without payload; `None` if it has one.
fn header_len(incoming: &Incoming<'_>) -> Option<usize> {
    let header = RtpHeader::parse(incoming.source.packet).ok()?;
    incoming.source.payload.is_empty().then_some(header.header_len)
}
