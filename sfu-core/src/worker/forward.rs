//! The packet path, outward half: one packet per consumer, written once into the send slab and sealed there.
//!
//! No allocation, lock or reference count per consumer.

use std::time::Instant;

use super::core::{ConsumerKey, Core, ProducerKey};
use super::media::{Incoming, Route};
use super::outlet::Outlet;
use crate::consumer::{Candidate, Consumer, Verdict};
use crate::ids::Ssrc;
use crate::parameters::MediaKind;
use crate::producer::Producer;
use crate::producer::nack::DEFAULT_RTT;
use crate::producer::packet_store::StoredPacket;
use crate::producer::receive_stream::SourceReport;
use crate::rtp::header::RtpHeader;
use crate::rtp::layers::Layers;
use crate::rtp::writer::SourcePacket;
use crate::transport::WebRtcTransport;

/// Packets after the first of a key frame that may have overtaken it and are then forwarded from the store: the reordering
/// that real paths do.
const CATCH_UP_PACKETS: u64 = 16;

impl Core {
    /// Gives a packet to every consumer that takes it.
    pub(super) fn forward(&mut self, now: Instant, route: Route, incoming: &Incoming<'_>) {
        let Some(producer) = self.producers.get(route.producer).filter(|producer| !producer.paused) else { return };
        let reports = |encoding| source_report(producer, encoding);
        let candidate = candidate(route.encoding, incoming, &reports);
        let mut outlet = Outlet { transmits: &mut self.transmits, now, ntp: self.clock.ntp(now), sent: 0 };
        for &key in &producer.consumers {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            let Some(transport) = self.transports.get_mut(consumer.transport) else { continue };
            // Nothing is admitted before it could be sent: the first packet must be the start of a key frame.
            if transport.media_path().is_none() {
                continue;
            }
            let starts = offer(&mut outlet, producer, transport, consumer, incoming, &candidate);
            if starts && producer.kind == MediaKind::Video {
                catch_up(&mut outlet, producer, route.encoding, incoming.extended, transport, consumer);
            }
        }
        self.stats.packets_sent += outlet.sent;
        if incoming.restarted {
            // Nothing of the old run helps a decoder with the new one.
            self.want_key_frame(now, route.producer);
        }
    }

    /// Changes to the best live encoding of a simulcast producer: consumers follow at its next key frame, which is asked for.
    pub(super) fn follow_best_encoding(&mut self, now: Instant, key: ProducerKey) {
        let Some(producer) = self.producers.get_mut(key).filter(|producer| producer.encodings.len() > 1) else {
            return;
        };
        if producer.refresh_best(now) {
            let target = Some(Layers { spatial: producer.best as u8, ..Layers::MAX });
            for &consumer in &producer.consumers {
                if let Some(consumer) = self.consumers.get_mut(consumer) {
                    consumer.selector.set_target(target);
                }
            }
            self.want_key_frame(now, key);
        }
    }

    /// Answers a NACK from the producer's store.
    pub(super) fn retransmit(&mut self, now: Instant, key: ConsumerKey, media_ssrc: Ssrc, sequences: &[u16]) {
        let Some(consumer) = self.consumers.get_mut(key).filter(|consumer| consumer.ssrc == media_ssrc) else { return };
        consumer.stats.handle_nack(sequences.len());
        let Some(producer) = self.producers.get(consumer.producer) else { return };
        let Some(transport) = self.transports.get_mut(consumer.transport) else { return };
        let mut outlet = Outlet { transmits: &mut self.transmits, now, ntp: self.clock.ntp(now), sent: 0 };
        let rtt = consumer.stats.rtt().unwrap_or(DEFAULT_RTT);
        for &sequence in sequences {
            let Ok(sent) = consumer.history.lookup_for_nack(now, sequence, rtt) else { continue };
            let encoding = producer.encodings.get(usize::from(sent.generation));
            let stored = encoding.and_then(|encoding| encoding.stream.as_ref()?.store.get(now, sent.source_extended));
            if let Some(stored) = stored {
                with_stored(producer, stored, |incoming| {
                    outlet.resend(transport, consumer, sequence, &sent, incoming);
                });
            }
        }
        self.stats.packets_sent += outlet.sent;
    }
}

/// Gives a packet to a consumer, after the one that waited for it. Whether the consumer's stream starts with it.
fn offer(
    outlet: &mut Outlet<'_>,
    producer: &Producer,
    transport: &mut WebRtcTransport,
    consumer: &mut Consumer,
    incoming: &Incoming<'_>,
    candidate: &Candidate<'_>,
) -> bool {
    if let Some(held) = consumer.take_held(candidate) {
        let stream = producer.encodings.get(held.encoding).and_then(|encoding| encoding.stream.as_ref());
        if let Some(stored) = stream.and_then(|stream| stream.store.get(outlet.now, held.extended)) {
            with_stored(producer, stored, |incoming| {
                outlet.send(transport, consumer, held.encoding, incoming, held.admission);
            });
        }
    }
    match consumer.admit(outlet.now, candidate) {
        Verdict::Drop => false,
        Verdict::Hold { starts } => starts,
        Verdict::Send(admission) => {
            outlet.send(transport, consumer, candidate.encoding, incoming, admission);
            admission.starts
        }
    }
}

/// Sends what overtook the first packet of a stream: it was refused a moment ago, and would be missing for good.
fn catch_up(
    outlet: &mut Outlet<'_>,
    producer: &Producer,
    encoding: usize,
    first: u64,
    transport: &mut WebRtcTransport,
    consumer: &mut Consumer,
) {
    let Some(stream) = producer.encodings.get(encoding).and_then(|encoding| encoding.stream.as_ref()) else { return };
    let reports = |encoding| source_report(producer, encoding);
    for extended in first + 1..=first + CATCH_UP_PACKETS {
        if let Some(stored) = stream.store.get(outlet.now, extended) {
            with_stored(producer, stored, |incoming| {
                let candidate = candidate(encoding, incoming, &reports);
                offer(outlet, producer, transport, consumer, incoming, &candidate);
            });
        }
    }
}

/// A stored packet as it was when it came.
fn with_stored(producer: &Producer, stored: &StoredPacket, act: impl FnOnce(&Incoming<'_>)) {
    let Ok(header) = RtpHeader::parse(stored.bytes()) else { return };
    let Some(media) = producer.payloads.media(header.payload_type) else { return };
    let extensions = producer.extension_ids.parse(stored.bytes(), &header);
    act(&Incoming {
        extended: stored.extended(),
        timestamp: stored.header().timestamp,
        marker: stored.header().marker,
        restarted: false,
        media,
        frame: stored.header().frame,
        source: SourcePacket { packet: stored.bytes(), extensions: &extensions, payload: stored.payload() },
    });
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

fn source_report(producer: &Producer, encoding: usize) -> Option<SourceReport> {
    producer.encodings.get(encoding)?.stream.as_ref()?.receive.source_report()
}
