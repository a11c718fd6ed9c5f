//! The packet path: a producer's packet in, one packet per consumer out.
//!
//! Opened in place, parsed once, stored once; each consumer's copy is written once into the send slab and sealed there. No
//! allocation, lock or reference count per consumer.

use std::time::Instant;

use super::core::{ConsumerKey, Core, ProducerKey, TransportKey};
use super::transmit::TransmitQueue;
use crate::consumer::send_history::Sent;
use crate::consumer::{Admission, Candidate, Consumer};
use crate::ids::Ssrc;
use crate::producer::nack::NackAction;
use crate::producer::packet_store::StoredHeader;
use crate::producer::receive_stream::Arrival;
use crate::producer::{Assignment, MediaPayload};
use crate::rtcp::ntp::NtpTime;
use crate::rtp::extensions::{AbsSendTime, ExtensionKind, ExtensionValues};
use crate::rtp::header::RtpHeader;
use crate::rtp::rtx::{unwrap_rtx, write_rtx_packet};
use crate::rtp::writer::{HeaderRewrite, SourcePacket, write_packet};
use crate::srtp::OpenStream;
use crate::transport::{InboundStream, WebRtcTransport};

/// Packets after the first of a key frame that may have overtaken it and are then forwarded from the store: the reordering
/// that real paths do.
const CATCH_UP_PACKETS: u64 = 16;

/// The stream that an opened packet belongs to.
#[derive(Debug, Clone, Copy)]
struct Route {
    producer: ProducerKey,
    encoding: usize,
    is_rtx: bool,
}

/// An opened media packet, retransmission or not, on its way to the consumers.
#[derive(Debug, Clone, Copy)]
struct Incoming<'a> {
    header: RtpHeader,
    /// Of the original, also when the packet came as a retransmission.
    sequence_number: u16,
    extended: u64,
    restarted: bool,
    media: MediaPayload,
    key_frame: bool,
    source: SourcePacket<'a>,
}

impl Core {
    /// Takes in an SRTP packet from a validated tuple.
    pub(super) fn handle_rtp(&mut self, now: Instant, key: TransportKey, datagram: &mut [u8]) {
        let Some((header, extensions, route, len)) = self.open_packet(now, key, datagram) else {
            self.stats.packets_refused += 1;
            return;
        };
        self.stats.packets_received += 1;
        let Some(packet) = datagram.get(..len) else { return };
        let Some(incoming) = self.receive(now, route, packet, header, &extensions) else { return };
        self.rearm_for_packet(now, key, route.producer, route.encoding);
        self.forward(now, route, &incoming);
    }

    /// Authenticates a packet and finds its stream. `None`: refused, and nothing has changed.
    fn open_packet(
        &mut self,
        now: Instant,
        key: TransportKey,
        datagram: &mut [u8],
    ) -> Option<(RtpHeader, ExtensionValues, Route, usize)> {
        let transport = self.transports.get_mut(key)?;
        let srtp = transport.srtp.as_ref()?;
        let header = RtpHeader::parse(datagram).ok()?;
        let (len, known) = match transport.inbound.get_mut(header.ssrc) {
            Some(stream) => {
                let len = srtp.open.open_rtp(&mut stream.open, datagram, header.header_len).ok()?;
                (len, Ok(Route { producer: stream.producer, encoding: stream.encoding, is_rtx: stream.is_rtx }))
            }
            None => {
                let mut open = OpenStream::new(header.ssrc);
                (srtp.open.open_rtp(&mut open, datagram, header.header_len).ok()?, Err(open))
            }
        };
        let extensions = transport.extension_ids.parse(datagram, &header);
        if let (Some(feedback), Some(wide_sequence)) = (&mut transport.transport_feedback, extensions.transport_cc) {
            feedback.handle_packet(now, wide_sequence);
        }
        if let Some(remb) = &mut transport.remb {
            remb.handle_packet(now, len);
        }
        let route = match known {
            Ok(route) => route,
            Err(open) => self.learn(key, &header, datagram.get(..len)?, &extensions, open)?,
        };
        Some((header, extensions, route, len))
    }

    /// Finds the producer of an authentic packet of a new SSRC, by MID or RID, and keeps what was found.
    fn learn(
        &mut self,
        key: TransportKey,
        header: &RtpHeader,
        packet: &[u8],
        extensions: &ExtensionValues,
        open: OpenStream,
    ) -> Option<Route> {
        let transport = self.transports.get_mut(key)?;
        let mid = extensions.bytes(ExtensionKind::Mid, packet);
        let (producer, assignment) = transport.producers.iter().find_map(|&candidate| {
            let producer = self.producers.get(candidate)?;
            let named = match (mid, &producer.mid) {
                (Some(mid), Some(known)) => known.as_bytes() == mid,
                // Without a MID in the packet its RID must do, or there is only this one to belong to.
                (None, _) => transport.producers.len() == 1 || extensions.range(ExtensionKind::Rid).is_some(),
                (Some(_), None) => false,
            };
            if !named {
                return None;
            }
            Some((candidate, producer.assign(header.payload_type, packet, extensions)?))
        })?;
        let Assignment { encoding, is_rtx } = assignment;
        let stream = InboundStream { ssrc: header.ssrc, open, producer, encoding, is_rtx };
        if !transport.inbound.insert(stream) {
            return None;
        }
        let source = self.producers.get_mut(producer)?.encodings.get_mut(encoding)?;
        if is_rtx {
            source.rtx_ssrc = Some(header.ssrc);
        } else {
            source.ssrc = Some(header.ssrc);
        }
        Some(Route { producer, encoding, is_rtx })
    }

    /// Counts a packet in its stream, stores it, and says what it is. `None`: nothing in it for consumers.
    fn receive<'a>(
        &mut self,
        now: Instant,
        route: Route,
        packet: &'a [u8],
        header: RtpHeader,
        extensions: &'a ExtensionValues,
    ) -> Option<Incoming<'a>> {
        let producer = self.producers.get_mut(route.producer)?;
        let media = producer.payloads.media(header.payload_type)?;
        let kind = producer.kind;
        let encoding = producer.encodings.get_mut(route.encoding)?;
        let rtx_ssrc = encoding.rtx_ssrc;
        let stream = encoding.stream(now, kind, media, &mut self.rng)?;
        let (sequence_number, payload, arrival) = if route.is_rtx {
            stream.rtx(rtx_ssrc?, media.clock_rate_hz).handle_packet(
                now,
                header.sequence_number,
                header.timestamp,
                packet.len(),
            );
            let rtx = unwrap_rtx(packet, &header).ok()??;
            let arrival = stream.receive.handle_recovered(now, rtx.original_sequence_number, packet.len());
            (rtx.original_sequence_number, rtx.payload, arrival)
        } else {
            let payload = header.payload_range(packet).ok()?;
            let arrival =
                stream.receive.handle_packet(now, header.sequence_number, header.timestamp, packet.len());
            (header.sequence_number, payload, arrival)
        };
        let (extended, restarted) = match arrival {
            Arrival::New { extended } => (extended, false),
            Arrival::Restarted { extended } => (extended, true),
            Arrival::Duplicate | Arrival::TooOld => return None,
        };
        let bytes = packet.get(payload.clone())?;
        let descriptor = extensions.bytes(ExtensionKind::DependencyDescriptor, packet);
        let key_frame = !bytes.is_empty() && media.codec.frame_info(bytes, descriptor).key_frame;
        let mut give_up = false;
        if let Some(nack) = &mut stream.nack {
            if restarted {
                nack.handle_restart(extended);
            } else {
                let starts_anew = key_frame && kind == crate::parameters::MediaKind::Video;
                give_up = nack.handle_packet(now, extended, starts_anew) == NackAction::KeyFrameNeeded;
            }
        }
        if !bytes.is_empty() {
            let stored =
                StoredHeader { timestamp: header.timestamp, marker: header.marker, key_frame, payload };
            stream.store.insert(now, extended, stored, packet);
        }
        if give_up {
            encoding.key_frames.request(now);
        }
        if key_frame {
            encoding.key_frames.handle_key_frame();
        }
        Some(Incoming {
            header,
            sequence_number,
            extended,
            restarted,
            media,
            key_frame,
            source: SourcePacket { packet, extensions, payload: bytes },
        })
    }

    /// Gives a packet to every consumer that takes it.
    fn forward(&mut self, now: Instant, route: Route, incoming: &Incoming<'_>) {
        let ntp = self.clock.ntp(now);
        let Some(producer) = self.producers.get(route.producer).filter(|producer| !producer.paused) else { return };
        let candidate = Candidate {
            encoding: route.encoding,
            best: producer.best,
            media: incoming.media,
            sequence_number: incoming.sequence_number,
            timestamp: incoming.header.timestamp,
            key_frame: incoming.key_frame,
            is_empty: incoming.source.payload.is_empty(),
            restarted: incoming.restarted,
        };
        for &key in &producer.consumers {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            let Some(transport) = self.transports.get_mut(consumer.transport) else { continue };
            // Nothing is admitted before it could be sent: the first packet must be the start of a key frame.
            if transport.media_path().is_none() {
                continue;
            }
            let Some(admission) = consumer.admit(now, &candidate) else { continue };
            let sent = send(&mut self.transmits, now, ntp, transport, consumer, &candidate, incoming, admission);
            self.stats.packets_sent += u64::from(sent);
            if admission.starts
                && candidate.key_frame
                && let Some(stream) = producer.encodings.get(route.encoding).and_then(|encoding| encoding.stream.as_ref())
            {
                // What overtook the first packet was refused a moment ago, and would be missing for good.
                for extended in incoming.extended + 1..=incoming.extended + CATCH_UP_PACKETS {
                    let Some(stored) = stream.store.get(now, extended) else { continue };
                    let Ok(header) = RtpHeader::parse(stored.bytes()) else { continue };
                    let Some(media) = producer.payloads.media(header.payload_type) else { continue };
                    let Some(home) = self.transports.get(producer.transport) else { continue };
                    let extensions = home.extension_ids.parse(stored.bytes(), &header);
                    let overtaking = Incoming {
                        header,
                        sequence_number: extended as u16,
                        extended,
                        restarted: false,
                        media,
                        key_frame: stored.header().key_frame,
                        source: SourcePacket {
                            packet: stored.bytes(),
                            extensions: &extensions,
                            payload: stored.payload(),
                        },
                    };
                    let candidate = Candidate {
                        media,
                        sequence_number: overtaking.sequence_number,
                        timestamp: header.timestamp,
                        key_frame: overtaking.key_frame,
                        is_empty: false,
                        restarted: false,
                        ..candidate
                    };
                    let Some(transport) = self.transports.get_mut(consumer.transport) else { break };
                    if let Some(admission) = consumer.admit(now, &candidate) {
                        let sent =
                            send(&mut self.transmits, now, ntp, transport, consumer, &candidate, &overtaking, admission);
                        self.stats.packets_sent += u64::from(sent);
                    }
                }
            }
        }
    }

    /// Answers a NACK from the producer's store.
    pub(super) fn retransmit(&mut self, now: Instant, key: ConsumerKey, media_ssrc: Ssrc, sequences: &[u16]) {
        let ntp = self.clock.ntp(now);
        let Some(consumer) = self.consumers.get_mut(key).filter(|consumer| consumer.ssrc == media_ssrc) else { return };
        consumer.stats.handle_nack(sequences.len());
        let Some(producer) = self.producers.get(consumer.producer) else { return };
        let rtt = consumer.stats.rtt().unwrap_or(crate::producer::nack::DEFAULT_RTT);
        for &sequence in sequences {
            let Ok(sent) = consumer.history.lookup_for_nack(now, sequence, rtt) else { continue };
            let Some(stream) =
                producer.encodings.get(usize::from(sent.generation)).and_then(|encoding| encoding.stream.as_ref())
            else {
                continue;
            };
            let Some(stored) = stream.store.get(now, sent.source_extended) else { continue };
            let Ok(header) = RtpHeader::parse(stored.bytes()) else { continue };
            let Some(media) = producer.payloads.media(header.payload_type) else { continue };
            let Some(home) = self.transports.get(producer.transport) else { continue };
            let extensions = home.extension_ids.parse(stored.bytes(), &header);
            let source =
                SourcePacket { packet: stored.bytes(), extensions: &extensions, payload: stored.payload() };
            let marker = stored.header().marker;
            let Some(transport) = self.transports.get_mut(consumer.transport) else { return };
            let resent = resend(&mut self.transmits, ntp, transport, consumer, media, sequence, &sent, marker, &source);
            self.stats.packets_sent += u64::from(resent);
        }
    }
}

/// Writes, stamps and seals one consumer's copy. `false`: it could not be sent.
#[expect(clippy::too_many_arguments, reason = "the disjoint parts of a core, for one packet")]
fn send(
    transmits: &mut TransmitQueue,
    now: Instant,
    ntp: NtpTime,
    transport: &mut WebRtcTransport,
    consumer: &mut Consumer,
    candidate: &Candidate,
    incoming: &Incoming<'_>,
    admission: Admission,
) -> bool {
    let rewrite = HeaderRewrite {
        ssrc: consumer.ssrc,
        payload_type: candidate.media.mapped,
        sequence_number: admission.sequence_number,
        timestamp: admission.timestamp,
        marker: incoming.header.marker,
    };
    let wide_sequence = transport.next_wide_sequence;
    let Some((tuple, srtp)) = transport.media_path() else { return false };
    let slot = transmits.slot();
    let Ok(written) = write_packet(slot, &rewrite, &consumer.plan, &incoming.source) else { return false };
    let abs_send_time = AbsSendTime::from_ntp(ntp);
    written.stamps.stamp_abs_send_time(slot, abs_send_time);
    written.stamps.stamp_transport_cc(slot, wide_sequence);
    let Ok(len) = srtp.seal.seal_rtp(&mut consumer.seal, slot, written.header_len, written.len) else {
        return false;
    };
    transmits.commit(tuple, len);
    if written.stamps.transport_cc.is_some() {
        transport.next_wide_sequence = wide_sequence.wrapping_add(1);
    }
    let sent = Sent {
        source_extended: incoming.extended,
        timestamp: admission.timestamp,
        generation: u16::try_from(candidate.encoding).unwrap_or(u16::MAX),
        abs_send_time,
        wide_sequence,
    };
    consumer.history.record(now, admission.sequence_number, sent);
    consumer.stats.handle_sent(now, admission.timestamp, incoming.source.payload.len());
    true
}

/// Sends a stored packet again: in the RTX stream, or, when the peer has none, as the very bytes that were sent first.
#[expect(clippy::too_many_arguments, reason = "the disjoint parts of a core, for one packet")]
fn resend(
    transmits: &mut TransmitQueue,
    ntp: NtpTime,
    transport: &mut WebRtcTransport,
    consumer: &mut Consumer,
    media: MediaPayload,
    sequence_number: u16,
    sent: &Sent,
    marker: bool,
    source: &SourcePacket<'_>,
) -> bool {
    let wide_sequence = transport.next_wide_sequence;
    let Some((tuple, srtp)) = transport.media_path() else { return false };
    let slot = transmits.slot();
    let timestamp = sent.timestamp;
    let Some(rtx) = &mut consumer.rtx else {
        let rewrite =
            HeaderRewrite { ssrc: consumer.ssrc, payload_type: media.mapped, sequence_number, timestamp, marker };
        let Ok(written) = write_packet(slot, &rewrite, &consumer.plan, source) else { return false };
        // Nothing may differ from what was sealed under this number before: the stamps are those of the first time.
        written.stamps.stamp_abs_send_time(slot, sent.abs_send_time);
        written.stamps.stamp_transport_cc(slot, sent.wide_sequence);
        let Ok(len) = srtp.seal.repeat_rtp(&consumer.seal, slot, written.header_len, written.len) else {
            return false;
        };
        transmits.commit(tuple, len);
        return true;
    };
    let Some(&(_, payload_type)) = rtx.payload_types.iter().find(|(of, _)| *of == media.mapped) else { return false };
    let rewrite =
        HeaderRewrite { ssrc: rtx.ssrc, payload_type, sequence_number: rtx.next_sequence, timestamp, marker };
    let Ok(written) = write_rtx_packet(slot, &rewrite, &consumer.plan, source, sequence_number) else { return false };
    written.stamps.stamp_abs_send_time(slot, AbsSendTime::from_ntp(ntp));
    written.stamps.stamp_transport_cc(slot, wide_sequence);
    let Ok(len) = srtp.seal.seal_rtp(&mut rtx.seal, slot, written.header_len, written.len) else { return false };
    transmits.commit(tuple, len);
    rtx.next_sequence = rtx.next_sequence.wrapping_add(1);
    if written.stamps.transport_cc.is_some() {
        transport.next_wide_sequence = wide_sequence.wrapping_add(1);
    }
    true
}
