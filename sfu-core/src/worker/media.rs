//! The packet path, inward half: a producer's packet is opened in place, parsed once and stored once.

use std::time::Instant;

use super::core::{Core, ProducerKey, TransportKey};
use super::forward::CATCH_UP_PACKETS;
use crate::consumer::Consumer;
use crate::ids::PayloadType;
use crate::parameters::MediaKind;
use crate::producer::nack::NackAction;
use crate::producer::packet_store::StoredHeader;
use crate::producer::receive_stream::Arrival;
use crate::producer::{Assignment, MediaPayload, PayloadTable, RedPacket, SourceStream};
use crate::rtp::codecs::{Codec, FrameInfo, FrameReader};
use crate::rtp::extensions::{ExtensionIds, ExtensionKind, ExtensionValues};
use crate::rtp::header::RtpHeader;
use crate::rtp::layers::Layers;
use crate::rtp::rtx::unwrap_rtx;
use crate::rtp::writer::SourcePacket;
use crate::srtp::OpenStream;
use crate::transport::InboundStream;

/// The stream that an opened packet belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) producer: ProducerKey,
    pub(super) encoding: usize,
    pub(super) is_rtx: bool,
}

/// An opened media packet, retransmission or not, on its way to the consumers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incoming<'a> {
    /// Unwrapped, of the original also when the packet came as a retransmission.
    pub(super) extended: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    /// The source's sequence numbers started anew.
    pub(super) restarted: bool,
    pub(super) media: MediaPayload,
    /// The redundancy that it has.
    pub(super) red: Option<RedPacket>,
    /// The frame that it belongs to.
    pub(super) frame: FrameInfo,
    /// What frames some packets behind it are of was known with this one only: they wait in the store.
    pub(super) reveals: bool,
    /// Bytes of padding that consumers get with it.
    pub(super) padding: u8,
    pub(super) source: SourcePacket<'a>,
}

/// A packet as one consumer gets it, before its header is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken<'a> {
    pub(super) payload_type: PayloadType,
    pub(super) source: SourcePacket<'a>,
    /// The redundancy in it, whose blocks are to be given the consumer's payload type.
    pub(super) red: Option<RedPacket>,
}

impl<'a> Incoming<'a> {
    /// Of redundant audio the whole for who takes it, and its primary block for who does not.
    pub(super) fn as_taken_by(&self, consumer: &Consumer) -> Taken<'a> {
        match self.red {
            Some(red) if consumer.takes(red.mapped()) => {
                Taken { payload_type: red.mapped(), source: self.source, red: Some(red) }
            }
            Some(red) => {
                let payload = red.primary(self.source.payload);
                let source = SourcePacket { payload, ..self.source };
                Taken { payload_type: self.media.mapped, source, red: None }
            }
            None => Taken { payload_type: self.media.mapped, source: self.source, red: None },
        }
    }
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
        if let Some(incoming) = self.receive(now, route, packet, header, &extensions) {
            self.observe(now, route, &incoming);
            // First, so that the other workers are at it meanwhile.
            self.pipe(now, route, &incoming);
            self.give(now, route, &incoming);
        }
        self.serve_after_packet(now, key, route.producer, route.encoding);
    }

    /// Gives a packet to its producer's consumers: sound at once, a picture's packets together.
    pub(super) fn give(&mut self, now: Instant, route: Route, incoming: &Incoming<'_>) {
        match self.producers.get(route.producer).map(|producer| producer.kind) {
            Some(MediaKind::Video) => self.gather(now, route, incoming),
            Some(MediaKind::Audio) | None => self.forward(now, route, incoming),
        }
    }

    /// Takes note of what a packet says beside its media: that a layer is alive, that somebody speaks.
    pub(super) fn observe(&mut self, now: Instant, route: Route, incoming: &Incoming<'_>) {
        let Some(producer) = self.producers.get_mut(route.producer) else { return };
        match producer.kind {
            MediaKind::Video => {
                let layers = producer.layers_of(route.encoding, incoming.frame.layers);
                producer.rates.handle_packet(now, layers, incoming.source.packet.len());
                if producer.liveness.handle_packet(now, layers.spatial, incoming.frame.starts_frame) {
                    self.handle_live_layers(now, route.producer);
                }
            }
            MediaKind::Audio => {
                producer.rates.handle_packet(now, Layers::default(), incoming.source.packet.len());
                if let Some(level) = incoming.source.extensions.audio_level.filter(|_| !producer.paused) {
                    let router = producer.router_key;
                    self.hear(now, router, route.producer, level);
                }
            }
        }
    }

    /// Authenticates a packet and finds its stream. `None`: refused; an authentic packet of nobody still counts for the path.
    fn open_packet(
        &mut self,
        now: Instant,
        key: TransportKey,
        datagram: &mut [u8],
    ) -> Option<(RtpHeader, ExtensionValues, Route, usize)> {
        let transport = self.transports.get_mut(key)?;
        transport.counters.handle_received(datagram.len());
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
        let packet = datagram.get(..len)?;
        let route = match known {
            Ok(route) => Some(route),
            Err(open) => {
                let extensions = transport.extension_ids.parse(packet, &header);
                self.learn(key, &header, packet, &extensions, open)
            }
        };
        let transport = self.transports.get_mut(key)?;
        // A producer's packets are always read with its own ids: a repeat from the store must come out the same.
        let ids = match route {
            Some(route) => &self.producers.get(route.producer)?.extension_ids,
            None => &transport.extension_ids,
        };
        let extensions = ids.parse(packet, &header);
        // The path carried it, whoever it was for.
        if let (Some(feedback), Some(wide_sequence)) = (&mut transport.transport_feedback, extensions.transport_cc) {
            feedback.handle_packet(now, wide_sequence);
        }
        if let Some(remb) = &mut transport.remb {
            remb.handle_packet(now, len);
        }
        if let Some(route) = route {
            transport.counters.handle_rtp_received(datagram.len(), route.is_rtx);
        }
        Some((header, extensions, route?, len))
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
        let (payload, arrival) = if route.is_rtx {
            stream.rtx(rtx_ssrc?, media.clock_rate_hz).handle_packet(
                now,
                header.sequence_number,
                header.timestamp,
                packet.len(),
            );
            let rtx = unwrap_rtx(packet, &header).ok()??;
            (rtx.payload, stream.receive.handle_recovered(now, rtx.original_sequence_number, packet.len()))
        } else {
            let payload = header.payload_range(packet).ok()?;
            let arrival = stream.receive.handle_packet(now, header.sequence_number, header.timestamp, packet.len());
            (payload, arrival)
        };
        let (extended, restarted) = match arrival {
            Arrival::New { extended } => (extended, false),
            Arrival::Restarted { extended } => {
                // Its frames are numbered anew too.
                stream.frames = FrameReader::default();
                (extended, true)
            }
            Arrival::Duplicate | Arrival::TooOld => return None,
        };
        let (bytes, red) = usable(&producer.payloads, header.payload_type, packet.get(payload.clone())?);
        let descriptor = extensions.bytes(ExtensionKind::DependencyDescriptor, packet);
        let frame = if bytes.is_empty() {
            FrameInfo::NONE
        } else {
            stream.frames.read(media.codec, bytes, descriptor, header.marker)
        };
        let key_frame = frame.key_frame;
        let mut give_up = false;
        if let Some(nack) = &mut stream.nack {
            if restarted {
                nack.handle_restart(extended);
            } else {
                let starts_anew = key_frame && kind == MediaKind::Video;
                give_up = nack.handle_packet(now, extended, route.is_rtx, starts_anew) == NackAction::KeyFrameNeeded;
            }
        }
        if !bytes.is_empty() {
            let stored =
                StoredHeader { timestamp: header.timestamp, marker: header.marker, frame, payload, padding: 0 };
            stream.store.insert(now, extended, stored, packet);
        }
        let reveals =
            key_frame && descriptor.is_some() && reread(now, stream, media.codec, &producer.extension_ids, extended);
        if give_up {
            encoding.key_frames.request(now);
        }
        if key_frame {
            encoding.key_frames.handle_key_frame();
        }
        if frame.is_unreadable() && descriptor.is_some() {
            // Its structure is in a packet that is late or lost. To leave it out now would be for good.
            return None;
        }
        let incoming = Incoming {
            extended,
            timestamp: header.timestamp,
            marker: header.marker,
            restarted,
            media,
            red,
            frame,
            reveals,
            padding: 0,
            source: SourcePacket { packet, extensions, payload: bytes },
        };
        if producer.traces.wants_packets() {
            self.trace_received(now, route, &incoming);
        }
        Some(incoming)
    }
}

/// Reads the packets behind a key frame's first one that overtook it, now that its structure is known. Whether there were any.
fn reread(now: Instant, stream: &mut SourceStream, codec: Codec, ids: &ExtensionIds, first: u64) -> bool {
    let mut any = false;
    for extended in first + 1..=first + CATCH_UP_PACKETS {
        let Some(stored) = stream.store.get(now, extended).filter(|stored| stored.header().frame.is_unreadable())
        else {
            continue;
        };
        let Ok(header) = RtpHeader::parse(stored.bytes()) else { continue };
        let extensions = ids.parse(stored.bytes(), &header);
        let descriptor = extensions.bytes(ExtensionKind::DependencyDescriptor, stored.bytes());
        let frame = stream.frames.read(codec, stored.payload(), descriptor, header.marker);
        stream.store.set_frame(extended, frame);
        any |= !frame.is_unreadable();
    }
    any
}

/// What of a payload is for consumers, and the redundancy that it has. Of redundant audio that is malformed, or has nothing
/// new, there is nothing, as of padding.
fn usable<'a>(payloads: &PayloadTable, payload_type: PayloadType, bytes: &'a [u8]) -> (&'a [u8], Option<RedPacket>) {
    match payloads.red(payload_type, bytes) {
        Ok(None) => (bytes, None),
        Ok(Some(red)) if !red.primary(bytes).is_empty() => (bytes, Some(red)),
        Ok(Some(_)) | Err(_) => (&[], None),
    }
}
