//! The packet path, outward half: one packet per consumer, written once into the send slab and sealed there.
//!
//! No allocation, lock or reference count per consumer.

use std::collections::VecDeque;
use std::time::Instant;

use slotmap::SlotMap;

use super::core::{ConsumerKey, Core, ProducerKey, TransportKey};
use super::media::{Incoming, Route};
use super::outlet::Outlet;
use super::pieces::{Piece, candidate, source_report, with_stored};
use super::service::TIMER_STEP;
use super::timers::{Timers, Wake};
use crate::congestion::pacer::Class;
use crate::consumer::{Admission, Candidate, Consumer, Held, Verdict};
use crate::ids::{RouterId, Ssrc};
use crate::parameters::MediaKind;
use crate::producer::nack::DEFAULT_RTT;
use crate::producer::{Producer, Progress, encoding_bit};
use crate::router::RouterEvent;
use crate::transport::{Lane, Paced, WebRtcTransport};

/// Packets after the first of a key frame that may have overtaken it and are then forwarded from the store: the reordering
/// that real paths do, and the round trip that a retransmission of the first takes. At 500 packets a second half a second.
pub(super) const CATCH_UP_PACKETS: u64 = 256;

/// So many numbers without a packet end the catching up.
const CATCH_UP_GAP: u64 = 16;

/// What a packet has beside its payload, about: for the pacer, which must know before it is written.
pub(super) const OVERHEAD_BYTES: usize = 50;

/// What giving packets out needs of a core beside its producers.
pub(super) struct Fan<'a> {
    outlet: Outlet<'a>,
    consumers: &'a mut SlotMap<ConsumerKey, Box<Consumer>>,
    transports: &'a mut SlotMap<TransportKey, Box<WebRtcTransport>>,
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
        let Some(producer) = self.producers.get(route.producer) else { return };
        if producer.paused || !producer.is_selected {
            return;
        }
        if self.is_too_late_for_sound() {
            self.stats.packets_late += 1;
            return;
        }
        let (producers, mut fan) = self.fan(now);
        let Some(producer) = producers.get(route.producer) else { return };
        let reports = |encoding: usize| source_report(producer, encoding);
        let pieces = [Piece::of(route.encoding, *incoming, &reports)];
        let mut progress = Progress::default();
        fan.give(producer, &pieces, &mut progress, Room::ForAll);
        let needs = KeyFrameNeeds::of(&pieces, &progress);
        self.after_giving(now, route.producer, needs, progress.held_until);
    }

    /// The producers, and what else is needed to give out packets of them.
    pub(super) fn fan(&mut self, now: Instant) -> (&SlotMap<ProducerKey, Box<Producer>>, Fan<'_>) {
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
                if let Some(mut lane) = transport.lane() {
                    send_held(&mut outlet, producer, &mut lane, (key, &mut *consumer), held);
                }
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
            if let Some(mut lane) = transport.lane().filter(|_| !waits) {
                with_stored(producer, stored, |incoming| {
                    outlet.resend(&mut lane, consumer, sequence_number, &sent, incoming);
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
        for &key in producer.consumers.iter().skip(progress.consumers) {
            if room == Room::UntilFull && self.outlet.is_full() {
                break;
            }
            progress.consumers += 1;
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            let Some(transport) = self.transports.get_mut(consumer.transport) else { continue };
            // Nothing is admitted before it could be sent: the first packet must be the start of a key frame.
            let Some(mut lane) = transport.lane() else { continue };
            let mut last: Option<Admission> = None;
            for (index, piece) in pieces.iter().enumerate() {
                let Piece { candidate, incoming, goes_on } = piece;
                let followed = last.filter(|_| *goes_on).and_then(|last| consumer.follow(&last, candidate));
                if let Some(admission) = followed {
                    let encoding = candidate.encoding;
                    send_paced(&mut self.outlet, &mut lane, (key, &mut *consumer), encoding, incoming, admission);
                    last = followed;
                    continue;
                }
                let verdict = offer(&mut self.outlet, producer, &mut lane, (key, &mut *consumer), candidate, incoming);
                let starts;
                (last, starts) = match verdict {
                    Verdict::Drop => (None, false),
                    Verdict::Hold { starts } => (None, starts),
                    Verdict::Send(admission) => (Some(admission), admission.starts),
                };
                if (starts || incoming.reveals) && producer.kind == MediaKind::Video {
                    let later = pieces.get(index + 1..).unwrap_or_default();
                    catch_up(&mut self.outlet, producer, &mut lane, (key, &mut *consumer), piece, later);
                }
                if let Some(layers) = consumer.poll_layers_changed() {
                    let event = RouterEvent::ConsumerLayersChanged { consumer_id: consumer.id, layers };
                    self.events.push_back((producer.router, event));
                    progress.lacks_layer |= consumer.wanted_key_frame() == Some(candidate.encoding);
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
            .fold(0, |bits, piece| bits | encoding_bit(piece.candidate.encoding));
        let is_lost = progress.lacks_layer || pieces.iter().any(|piece| piece.incoming.restarted);
        Self { key_frames, is_lost }
    }
}

/// Offers a packet to one consumer, after what the consumer held back for want of knowing what follows, and sends it if it is to
/// be sent.
fn offer(
    outlet: &mut Outlet<'_>,
    producer: &Producer,
    lane: &mut Lane<'_>,
    (key, consumer): (ConsumerKey, &mut Consumer),
    candidate: &Candidate<'_>,
    incoming: &Incoming<'_>,
) -> Verdict {
    if let Some(held) = consumer.take_held(candidate) {
        send_held(outlet, producer, lane, (key, &mut *consumer), held);
    }
    let verdict = consumer.admit(outlet.now, candidate);
    if let Verdict::Send(admission) = verdict {
        send_paced(outlet, lane, (key, consumer), candidate.encoding, incoming, admission);
    }
    verdict
}

/// Sends a packet that was held from the store.
fn send_held(
    outlet: &mut Outlet<'_>,
    producer: &Producer,
    lane: &mut Lane<'_>,
    (key, consumer): (ConsumerKey, &mut Consumer),
    held: Held,
) {
    let Held { encoding, extended, admission, .. } = held;
    let stream = producer.encodings.get(encoding).and_then(|encoding| encoding.stream.as_ref());
    if let Some(stored) = stream.and_then(|stream| stream.store.get(outlet.now, extended)) {
        with_stored(producer, stored, |incoming| {
            send_paced(outlet, lane, (key, consumer), encoding, incoming, admission);
        });
    }
}

/// Sends at once what the path takes at once; queues the rest. Sound never waits.
fn send_paced(
    outlet: &mut Outlet<'_>,
    lane: &mut Lane<'_>,
    (key, consumer): (ConsumerKey, &mut Consumer),
    encoding: usize,
    incoming: &Incoming<'_>,
    admission: Admission,
) {
    let bytes = incoming.source.payload.len() + OVERHEAD_BYTES;
    let pacer = &mut lane.downlink.pacer;
    let waits = match consumer.kind {
        MediaKind::Audio => {
            pacer.account(outlet.now, bytes);
            false
        }
        // When the queue is full its packets leave unpaced: late is worse than a burst.
        MediaKind::Video => {
            !pacer.try_send(outlet.now, bytes) && {
                let media = Paced::Media { consumer: key, encoding, extended: incoming.extended, admission };
                pacer.push(outlet.now, Class::Video, media, bytes).is_ok()
            }
        }
    };
    if !waits {
        outlet.send(lane, consumer, encoding, incoming, admission);
    }
}

/// Sends what overtook the first packet of a stream: it was refused a moment ago, and would be missing for good. What is in
/// `later` comes by itself.
fn catch_up(
    outlet: &mut Outlet<'_>,
    producer: &Producer,
    lane: &mut Lane<'_>,
    (key, consumer): (ConsumerKey, &mut Consumer),
    first: &Piece<'_>,
    later: &[Piece<'_>],
) {
    let Candidate { encoding, extended: first, .. } = first.candidate;
    let Some(stream) = producer.encodings.get(encoding).and_then(|encoding| encoding.stream.as_ref()) else { return };
    let reports = |encoding: usize| source_report(producer, encoding);
    let mut latest = first;
    for extended in first + 1..=first + CATCH_UP_PACKETS {
        if extended > latest + CATCH_UP_GAP {
            break;
        }
        if let Some(stored) = stream.store.get(outlet.now, extended) {
            latest = extended;
            if later.iter().any(|piece| piece.candidate.encoding == encoding && piece.candidate.extended == extended) {
                continue;
            }
            with_stored(producer, stored, |incoming| {
                let candidate = candidate(encoding, incoming, &reports);
                offer(outlet, producer, lane, (key, &mut *consumer), &candidate, incoming);
            });
        }
    }
}
