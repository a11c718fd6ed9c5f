//! The packet path, outward half: one packet per consumer, written once into the send slab and sealed there.
//!
//! No allocation, lock or reference count per consumer.

use std::time::Instant;

use super::core::{ConsumerKey, Core, ProducerKey};
use super::media::{Incoming, Route};
use super::outlet::Outlet;
use super::service::TIMER_STEP;
use super::timers::Wake;
use crate::congestion::pacer::Class;
use crate::consumer::{Candidate, Consumer, Held, Verdict};
use crate::ids::Ssrc;
use crate::parameters::MediaKind;
use crate::producer::Producer;
use crate::producer::nack::DEFAULT_RTT;
use crate::producer::packet_store::StoredPacket;
use crate::producer::receive_stream::SourceReport;
use crate::router::RouterEvent;
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

impl Core {
    /// Gives a packet to every consumer that takes it.
    pub(super) fn forward(&mut self, now: Instant, route: Route, incoming: &Incoming<'_>) {
        let Some(producer) = self.producers.get(route.producer) else { return };
        if producer.paused || !producer.is_selected {
            return;
        }
        let reports = |encoding: usize| source_report(producer, encoding);
        let candidate = candidate(route.encoding, incoming, &reports);
        let mut outlet = Outlet::new(&mut self.transmits, &mut self.traces, now, self.clock.ntp(now));
        let (mut held_until, mut lacks_layer) = (None, false);
        for &key in &producer.consumers {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            let Some(transport) = self.transports.get_mut(consumer.transport) else { continue };
            // Nothing is admitted before it could be sent: the first packet must be the start of a key frame.
            if transport.media_path().is_none() {
                continue;
            }
            let starts = offer(&mut outlet, producer, transport, (key, &mut *consumer), &candidate, incoming);
            if (starts || incoming.reveals) && producer.kind == MediaKind::Video {
                catch_up(&mut outlet, producer, transport, (key, &mut *consumer), route.encoding, incoming.extended);
            }
            if let Some(layers) = consumer.poll_layers_changed() {
                let event = RouterEvent::ConsumerLayersChanged { consumer_id: consumer.id, layers };
                self.events.push_back((producer.router, event));
                lacks_layer |= consumer.wanted_key_frame() == Some(route.encoding);
            }
            held_until = held_until.into_iter().chain(consumer.held_until()).min();
            if let Some(at) = transport.downlink.pacer.poll_timeout() {
                self.timers.arm(Wake::Transport(consumer.transport), &mut transport.armed, at.max(now));
            }
        }
        self.stats.packets_sent += outlet.sent;
        // A key frame the first packet of which is late begins no higher layer: whoever waited for it waits for another.
        let serves_all = !incoming.frame.key_frame
            || producer.kind != MediaKind::Video
            || producer.consumers.iter().all(|key| {
                self.consumers.get(*key).is_none_or(|consumer| consumer.wanted_key_frame() != Some(route.encoding))
            });
        self.arm_held(now, route.producer, held_until);
        // Nothing of an old run helps a decoder with a new one, and a layer that was lost does not come back by itself.
        if incoming.restarted || !serves_all || lacks_layer {
            self.want_key_frame(now, route.producer);
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
            self.timers.arm(Wake::Held(key), &mut producer.armed, until.max(now + TIMER_STEP));
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

/// Sends what overtook the first packet of a stream: it was refused a moment ago, and would be missing for good.
fn catch_up(
    outlet: &mut Outlet<'_>,
    producer: &Producer,
    transport: &mut WebRtcTransport,
    (key, consumer): (ConsumerKey, &mut Consumer),
    encoding: usize,
    first: u64,
) {
    let Some(stream) = producer.encodings.get(encoding).and_then(|encoding| encoding.stream.as_ref()) else { return };
    let reports = |encoding: usize| source_report(producer, encoding);
    let mut latest = first;
    for extended in first + 1..=first + CATCH_UP_PACKETS {
        if extended > latest + CATCH_UP_GAP {
            break;
        }
        if let Some(stored) = stream.store.get(outlet.now, extended) {
            latest = extended;
            with_stored(producer, stored, |incoming| {
                let candidate = candidate(encoding, incoming, &reports);
                offer(outlet, producer, transport, (key, &mut *consumer), &candidate, incoming);
            });
        }
    }
}

/// A stored packet as it was when it came.
pub(super) fn with_stored(producer: &Producer, stored: &StoredPacket, act: impl FnOnce(&Incoming<'_>)) {
    let Ok(header) = RtpHeader::parse(stored.bytes()) else { return };
    let Some(media) = producer.payloads.media(header.payload_type) else { return };
    let extensions = producer.extension_ids.parse(stored.bytes(), &header);
    act(&Incoming {
        extended: stored.extended(),
        timestamp: stored.header().timestamp,
        marker: stored.header().marker,
        restarted: false,
        media,
        red: producer.payloads.red(header.payload_type, stored.payload()).ok().flatten(),
        frame: stored.header().frame,
        reveals: false,
        source: SourcePacket { packet: stored.bytes(), extensions: &extensions, payload: stored.payload() },
    });
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
