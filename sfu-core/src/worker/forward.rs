//! The packet path, outward half: one packet per consumer, written once into the send slab and sealed there.
//!
//! No allocation, lock or reference count per consumer.

use std::collections::VecDeque;
use std::time::Instant;

use slotmap::SlotMap;

use super::core::{ConsumerKey, Core, ProducerKey, TransportKey};
use super::media::{Incoming, Route};
use super::outlet::Outlet;
use super::service::TIMER_STEP;
use super::timers::{Timers, Wake};
use crate::congestion::pacer::Class;
use crate::consumer::{Candidate, Consumer, Held, Verdict};
use crate::ids::{RouterId, Ssrc};
use crate::parameters::MediaKind;
use crate::producer::nack::DEFAULT_RTT;
use crate::producer::packet_store::StoredPacket;
use crate::producer::receive_stream::SourceReport;
use crate::producer::{Arrived, Producer, Progress, RedPacket, encoding_bit};
use crate::router::RouterEvent;
use crate::rtp::codecs::FrameInfo;
use crate::rtp::extensions::ExtensionValues;
use crate::rtp::header::RtpHeader;
use crate::rtp::writer::SourcePacket;
use crate::transport::{Paced, WebRtcTransport};

/// Packets after the first of a key frame that may have overtaken it and are then forwarded from the store: the reordering
/// that real paths do, and the round trip that a retransmission of the first takes. At 500 packets a second half a second.
pub(super) const CATCH_UP_PACKETS: u64 = 256;

/// So many numbers without a packet end the catching up.
const CATCH_UP_GAP: u64 = 16;

/// What a packet has beside its payload, about: for the pacer, which must know before it is written.
pub(super) const OVERHEAD_BYTES: usize = 50;

/// A packet for the consumers of its producer.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) encoding: usize,
    pub(super) incoming: Incoming<'a>,
}

/// A stored packet as it was when it came.
pub(super) struct StoredPiece<'a> {
    arrived: Arrived,
    /// Padding is in no store.
    stored: Option<&'a StoredPacket>,
    red: Option<RedPacket>,
    extensions: ExtensionValues,
}

/// What giving packets out needs of a core beside its producers.
pub(super) struct Fan<'a> {
    outlet: Outlet<'a>,
    consumers: &'a mut SlotMap<ConsumerKey, Consumer>,
    transports: &'a mut SlotMap<TransportKey, WebRtcTransport>,
    timers: &'a mut Timers<Wake>,
    events: &'a mut VecDeque<(RouterId, RouterEvent)>,
    packets_sent: &'a mut u64,
}

/// How many packets the queue of transmits takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// As many as there are: it grows, by one packet for each consumer at most.
    ForAll,
    /// No more once it is full; the rest is given when it has been drained.
    UntilFull,
}

/// Whether packets that were given out leave somebody without a key frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeyFrameNeeds {
    /// Encodings that a key frame came of, a bit for each.
    key_frames: u128,
    is_lost: bool,
}

impl Core {
    /// Gives a packet to every consumer that takes it, at once.
    pub(super) fn forward(&mut self, now: Instant, route: Route, incoming: &Incoming<'_>) {
        let (producers, mut fan) = self.fan(now);
        let Some(producer) = producers.get(route.producer) else { return };
        if producer.paused || !producer.is_selected {
            return;
        }
        let pieces = [Piece { encoding: route.encoding, incoming: *incoming }];
        let mut progress = Progress::default();
        fan.give(producer, &pieces, &mut progress, Room::ForAll);
        self.after_giving(now, route.producer, KeyFrameNeeds::of(&pieces, &progress), progress.held_until);
    }

    /// The producers, and what else is needed to give out packets of them.
    pub(super) fn fan(&mut self, now: Instant) -> (&SlotMap<ProducerKey, Producer>, Fan<'_>) {
        let fan = Fan {
            outlet: Outlet::new(&mut self.transmits, &mut self.traces, now, self.clock.ntp(now)),
            consumers: &mut self.consumers,
            transports: &mut self.transports,
            timers: &mut self.timers,
            events: &mut self.events,
            packets_sent: &mut self.stats.packets_sent,
        };
        (&self.producers, fan)
    }

    /// What is to be done when all consumers have some packets.
    pub(super) fn after_giving(
        &mut self,
        now: Instant,
        key: ProducerKey,
        needs: KeyFrameNeeds,
        held_until: Option<Instant>,
    ) {
        self.arm_held(now, key, held_until);
        let Some(producer) = self.producers.get(key) else { return };
        // A key frame the first packet of which is late begins no higher layer: whoever waited for it waits for another.
        let lacks_key_frame = || {
            producer
                .consumers
                .iter()
                .filter_map(|key| self.consumers.get(*key)?.wanted_key_frame())
                .any(|wanted| needs.key_frames & encoding_bit(wanted) != 0)
        };
        // Nothing of an old run helps a decoder with a new one, and a layer that was lost does not come back by itself.
        if needs.is_lost || (producer.kind == MediaKind::Video && needs.key_frames != 0 && lacks_key_frame()) {
            self.want_key_frame(now, key);
        }
    }

    /// Sends what waits for a producer's next packet, and has done so for long enough.
    pub(super) fn send_overdue(&mut self, now: Instant, key: ProducerKey) {
        let Some(producer) = self.producers.get(key) else { return };
        let mut outlet = Outlet::new(&mut self.transmits, &mut self.traces, now, self.clock.ntp(now));
        let mut held_until = None;
        for &key in &producer.consumers {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            let Some(transport) = self.transports.get_mut(consumer.transport) else { continue };
            if let Some(held) = consumer.take_overdue(now) {
                send_held(&mut outlet, producer, transport, (key, &mut *consumer), held);
                if let Some(at) = transport.downlink.pacer.poll_timeout() {
                    self.timers.arm(
                        Wake::Transport(consumer.transport),
                        &mut transport.armed,
                        at.max(now + TIMER_STEP),
                    );
                }
            }
            held_until = held_until.into_iter().chain(consumer.held_until()).min();
        }
        self.stats.packets_sent += outlet.sent;
        self.arm_held(now, key, held_until);
    }

    fn arm_held(&mut self, now: Instant, key: ProducerKey, until: Option<Instant>) {
        if let (Some(until), Some(producer)) = (until, self.producers.get_mut(key)) {
            self.timers.arm(Wake::Producer(key), &mut producer.armed, until.max(now + TIMER_STEP));
        }
    }

    /// Answers a NACK from the producer's store.
    pub(super) fn retransmit(&mut self, now: Instant, key: ConsumerKey, media_ssrc: Ssrc, sequences: &[u16]) {
        let Some(consumer) = self.consumers.get_mut(key).filter(|consumer| consumer.ssrc == media_ssrc) else { return };
        consumer.stats.handle_nack(sequences.len());
        let Some(producer) = self.producers.get(consumer.producer) else { return };
        let transport_key = consumer.transport;
        let Some(transport) = self.transports.get_mut(transport_key) else { return };
        let mut outlet = Outlet::new(&mut self.transmits, &mut self.traces, now, self.clock.ntp(now));
        let rtt = consumer.stats.rtt().unwrap_or(DEFAULT_RTT);
        for &sequence_number in sequences {
            let Ok(sent) = consumer.history.lookup_for_nack(now, sequence_number, rtt) else { continue };
            let encoding = producer.encodings.get(usize::from(sent.generation));
            let stored = encoding.and_then(|encoding| encoding.stream.as_ref()?.store.get(now, sent.source_extended));
            let Some(stored) = stored else { continue };
            let bytes = stored.payload().len() + OVERHEAD_BYTES;
            if consumer.kind == MediaKind::Video && !transport.downlink.admit_resend(now, bytes) {
                continue;
            }
            let pacer = &mut transport.downlink.pacer;
            let waits = consumer.kind == MediaKind::Video
                && !pacer.try_send(now, bytes)
                && pacer
                    .push(now, Class::Retransmission, Paced::Resend { consumer: key, sequence_number, sent }, bytes)
                    .is_ok();
            if !waits {
                with_stored(producer, stored, |incoming| {
                    outlet.resend(transport, consumer, sequence_number, &sent, incoming);
                });
            }
        }
        self.stats.packets_sent += outlet.sent;
        self.arm_downlink(now, transport_key);
    }
}

impl Fan<'_> {
    /// Gives packets to the consumers that do not have them yet, as far as there is room.
    pub(super) fn give(&mut self, producer: &Producer, pieces: &[Piece<'_>], progress: &mut Progress, room: Room) {
        let reports = |encoding: usize| source_report(producer, encoding);
        for &key in producer.consumers.iter().skip(progress.consumers) {
            if room == Room::UntilFull && self.outlet.is_full() {
                break;
            }
            progress.consumers += 1;
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            let Some(transport) = self.transports.get_mut(consumer.transport) else { continue };
            // Nothing is admitted before it could be sent: the first packet must be the start of a key frame.
            if transport.media_path().is_none() {
                continue;
            }
            for (index, piece) in pieces.iter().enumerate() {
                let Piece { encoding, incoming } = piece;
                let candidate = candidate(*encoding, incoming, &reports);
                let starts = offer(&mut self.outlet, producer, transport, (key, &mut *consumer), &candidate, incoming);
                if (starts || incoming.reveals) && producer.kind == MediaKind::Video {
                    let later = pieces.get(index + 1..).unwrap_or_default();
                    catch_up(&mut self.outlet, producer, transport, (key, &mut *consumer), piece, later);
                }
                if let Some(layers) = consumer.poll_layers_changed() {
                    let event = RouterEvent::ConsumerLayersChanged { consumer_id: consumer.id, layers };
                    self.events.push_back((producer.router, event));
                    progress.lacks_layer |= consumer.wanted_key_frame() == Some(*encoding);
                }
            }
            progress.held_until = progress.held_until.into_iter().chain(consumer.held_until()).min();
            if let Some(at) = transport.downlink.pacer.poll_timeout() {
                let now = self.outlet.now;
                self.timers.arm(Wake::Transport(consumer.transport), &mut transport.armed, at.max(now));
            }
        }
        *self.packets_sent += std::mem::take(&mut self.outlet.sent);
    }
}

impl KeyFrameNeeds {
    pub(super) fn of(pieces: &[Piece<'_>], progress: &Progress) -> Self {
        let key_frames = pieces
            .iter()
            .filter(|piece| piece.incoming.frame.key_frame)
            .fold(0, |bits, piece| bits | encoding_bit(piece.encoding));
        let is_lost = progress.lacks_layer || pieces.iter().any(|piece| piece.incoming.restarted);
        Self { key_frames, is_lost }
    }
}

impl<'a> StoredPiece<'a> {
    /// None: it is gone.
    pub(super) fn read(now: Instant, producer: &'a Producer, arrived: &Arrived) -> Option<Self> {
        if arrived.is_empty {
            let extensions = ExtensionValues::default();
            return Some(Self { arrived: *arrived, stored: None, red: None, extensions });
        }
        let stream = producer.encodings.get(arrived.encoding)?.stream.as_ref()?;
        Self::of_stored(producer, stream.store.get(now, arrived.extended)?, arrived.encoding).map(|piece| {
            let Arrived { restarted, reveals, .. } = *arrived;
            Self { arrived: Arrived { restarted, reveals, ..piece.arrived }, ..piece }
        })
    }

    /// A packet that came some time ago.
    fn of_stored(producer: &Producer, stored: &'a StoredPacket, encoding: usize) -> Option<Self> {
        let header = RtpHeader::parse(stored.bytes()).ok()?;
        let arrived = Arrived {
            encoding,
            media: producer.payloads.media(header.payload_type)?,
            extended: stored.extended(),
            timestamp: stored.header().timestamp,
            is_empty: false,
            restarted: false,
            reveals: false,
        };
        let red = producer.payloads.red(header.payload_type, stored.payload()).ok().flatten();
        let extensions = producer.extension_ids.parse(stored.bytes(), &header);
        Some(Self { arrived, stored: Some(stored), red, extensions })
    }

    pub(super) fn piece(&self) -> Piece<'_> {
        Piece { encoding: self.arrived.encoding, incoming: self.incoming() }
    }

    fn incoming(&self) -> Incoming<'_> {
        let Self { arrived, stored, red, extensions } = self;
        let (bytes, payload) = stored.map_or((&[][..], &[][..]), |stored| (stored.bytes(), stored.payload()));
        let header = stored.map(StoredPacket::header);
        Incoming {
            extended: arrived.extended,
            timestamp: arrived.timestamp,
            marker: header.is_some_and(|header| header.marker),
            restarted: arrived.restarted,
            media: arrived.media,
            red: *red,
            frame: header.map_or(FrameInfo::NONE, |header| header.frame),
            reveals: arrived.reveals,
            padding: header.map_or(0, |header| header.padding),
            source: SourcePacket { packet: bytes, extensions, payload },
        }
    }
}

/// Offers a packet to one consumer, after what the consumer held back for want of knowing what follows. Whether the stream
/// starts with it.
fn offer(
    outlet: &mut Outlet<'_>,
    producer: &Producer,
    transport: &mut WebRtcTransport,
    (key, consumer): (ConsumerKey, &mut Consumer),
    candidate: &Candidate<'_>,
    incoming: &Incoming<'_>,
) -> bool {
    if let Some(held) = consumer.take_held(candidate) {
        send_held(outlet, producer, transport, (key, &mut *consumer), held);
    }
    match consumer.admit(outlet.now, candidate) {
        Verdict::Drop => false,
        Verdict::Hold { starts } => starts,
        Verdict::Send(admission) => {
            let (encoding, extended) = (candidate.encoding, candidate.extended);
            let media = Paced::Media { consumer: key, encoding, extended, admission };
            send_paced(outlet, transport, consumer, media, incoming);
            admission.starts
        }
    }
}

/// Sends a packet that was held from the store.
fn send_held(
    outlet: &mut Outlet<'_>,
    producer: &Producer,
    transport: &mut WebRtcTransport,
    (key, consumer): (ConsumerKey, &mut Consumer),
    held: Held,
) {
    let Held { encoding, extended, admission, .. } = held;
    let stream = producer.encodings.get(encoding).and_then(|encoding| encoding.stream.as_ref());
    if let Some(stored) = stream.and_then(|stream| stream.store.get(outlet.now, extended)) {
        with_stored(producer, stored, |incoming| {
            let media = Paced::Media { consumer: key, encoding, extended, admission };
            send_paced(outlet, transport, consumer, media, incoming);
        });
    }
}

/// Sends at once what the path takes at once; queues the rest. Sound never waits.
fn send_paced(
    outlet: &mut Outlet<'_>,
    transport: &mut WebRtcTransport,
    consumer: &mut Consumer,
    media: Paced,
    incoming: &Incoming<'_>,
) {
    let Paced::Media { encoding, admission, .. } = media else { return };
    let bytes = incoming.source.payload.len() + OVERHEAD_BYTES;
    let pacer = &mut transport.downlink.pacer;
    let waits = match consumer.kind {
        MediaKind::Audio => {
            pacer.account(outlet.now, bytes);
            false
        }
        // When the queue is full its packets leave unpaced: late is worse than a burst.
        MediaKind::Video => {
            !pacer.try_send(outlet.now, bytes) && pacer.push(outlet.now, Class::Video, media, bytes).is_ok()
        }
    };
    if !waits {
        outlet.send(transport, consumer, encoding, incoming, admission);
    }
}

/// Sends what overtook the first packet of a stream: it was refused a moment ago, and would be missing for good. What is in
/// `later` comes by itself.
fn catch_up(
    outlet: &mut Outlet<'_>,
    producer: &Producer,
    transport: &mut WebRtcTransport,
    (key, consumer): (ConsumerKey, &mut Consumer),
    first: &Piece<'_>,
    later: &[Piece<'_>],
) {
    let Piece { encoding, incoming: Incoming { extended: first, .. } } = *first;
    let Some(stream) = producer.encodings.get(encoding).and_then(|encoding| encoding.stream.as_ref()) else { return };
    let reports = |encoding: usize| source_report(producer, encoding);
    let mut latest = first;
    for extended in first + 1..=first + CATCH_UP_PACKETS {
        if extended > latest + CATCH_UP_GAP {
            break;
        }
        if let Some(stored) = stream.store.get(outlet.now, extended) {
            latest = extended;
            if later.iter().any(|piece| piece.encoding == encoding && piece.incoming.extended == extended) {
                continue;
            }
            with_stored(producer, stored, |incoming| {
                let candidate = candidate(encoding, incoming, &reports);
                offer(outlet, producer, transport, (key, &mut *consumer), &candidate, incoming);
            });
        }
    }
}

/// Does something with a stored packet as it was when it came.
pub(super) fn with_stored(producer: &Producer, stored: &StoredPacket, act: impl FnOnce(&Incoming<'_>)) {
    // Which encoding it is of only matters to who gives it out.
    if let Some(piece) = StoredPiece::of_stored(producer, stored, 0) {
        act(&piece.incoming());
    }
}

fn source_report(producer: &Producer, encoding: usize) -> Option<SourceReport> {
    producer.encodings.get(encoding)?.stream.as_ref()?.receive.source_report()
}

fn candidate<'a>(
    encoding: usize,
    incoming: &Incoming<'_>,
    reports: &'a dyn Fn(usize) -> Option<SourceReport>,
) -> Candidate<'a> {
    Candidate {
        encoding,
        media: incoming.media,
        extended: incoming.extended,
        timestamp: incoming.timestamp,
        marker: incoming.marker,
        frame: incoming.frame,
        is_empty: incoming.source.payload.is_empty(),
        restarted: incoming.restarted,
        reports,
    }
}
