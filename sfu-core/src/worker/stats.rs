//! What is told about transports, producers and consumers: `getStats`, scores, trace events.

use std::time::Instant;

use super::core::{ConsumerKey, Core, ProducerKey, TransportKey};
use super::errors::ObjectClosed;
use super::media::{Incoming, Route};
use crate::consumer::Consumer;
use crate::ids::{ConsumerId, ProducerId, RouterId, Ssrc, TransportId};
use crate::parameters::MediaKind;
use crate::producer::{Encoding, Producer};
use crate::router::RouterEvent;
use crate::rtp::extensions::ExtensionKind;
use crate::rtp::layers::Layers;
use crate::rtp::writer::HeaderRewrite;
use crate::stats::{
    Bandwidth, IceRole, Interval, ProducerScore, RtpTrace, StreamCounts, StreamDirection, StreamStat, StreamTraceType,
    TraceDirection, TraceInfo, Traces, TransportStat, TransportTotals, TransportTraceType,
};
use crate::transport::WebRtcTransport;

impl Core {
    /// What a transport carries and has carried.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn transport_stats(&self, now: Instant, id: TransportId) -> Result<TransportStat, ObjectClosed> {
        let transport = self.transport_ids.get(&id).and_then(|key| self.transports.get(*key)).ok_or(ObjectClosed)?;
        let totals = transport.counters.totals();
        let rate = |counter: fn(&TransportTotals) -> u64| transport.counters.bitrate_bps(now, counter);
        let inbound = transport
            .producers
            .iter()
            .filter_map(|key| self.producers.get(*key))
            .flat_map(|producer| &producer.encodings)
            .filter_map(|encoding| encoding.stream.as_ref())
            .map(|stream| stream.receive.last_interval());
        let outbound = transport
            .consumers
            .iter()
            .filter_map(|key| self.consumers.get(*key))
            .map(|consumer| consumer.stats.last_interval());
        Ok(TransportStat {
            transport_id: id,
            timestamp: self.clock.ntp(now).unix_ms(),
            bytes_received: totals.bytes_received,
            recv_bitrate: rate(|totals| totals.bytes_received),
            bytes_sent: totals.bytes_sent,
            send_bitrate: rate(|totals| totals.bytes_sent),
            rtp_bytes_received: totals.rtp_bytes_received,
            rtp_recv_bitrate: rate(|totals| totals.rtp_bytes_received),
            rtp_bytes_sent: totals.rtp_bytes_sent,
            rtp_send_bitrate: rate(|totals| totals.rtp_bytes_sent),
            rtx_bytes_received: totals.rtx_bytes_received,
            rtx_recv_bitrate: rate(|totals| totals.rtx_bytes_received),
            rtx_bytes_sent: totals.rtx_bytes_sent,
            rtx_send_bitrate: rate(|totals| totals.rtx_bytes_sent),
            probation_bytes_sent: totals.probation_bytes_sent,
            probation_send_bitrate: rate(|totals| totals.probation_bytes_sent),
            bandwidth: bandwidth(transport),
            rtp_packet_loss_received: lost_share(inbound),
            rtp_packet_loss_sent: lost_share(outbound),
            ice_role: IceRole::Controlled,
            ice_state: transport.ice.state(),
            ice_selected_tuple: transport.ice.selected().map(Into::into),
            dtls_state: transport.dtls.state(),
        })
    }

    /// How a producer's streams arrive: one entry for each that has sent something, in the order of its encodings.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn producer_stats(&self, now: Instant, id: ProducerId) -> Result<Vec<StreamStat>, ObjectClosed> {
        let producer = self.producer_ids.get(&id).and_then(|key| self.producers.get(*key)).ok_or(ObjectClosed)?;
        let timestamp = self.clock.ntp(now).unix_ms();
        let streams = 0..producer.encodings.len();
        Ok(streams.filter_map(|encoding| inbound_stat(now, timestamp, producer, encoding)).collect())
    }

    /// How a consumer's stream leaves and arrives, and after it how the producer's stream arrives that it is made of, if one
    /// is.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn consumer_stats(&self, now: Instant, id: ConsumerId) -> Result<Vec<StreamStat>, ObjectClosed> {
        let consumer = self.consumer_ids.get(&id).and_then(|key| self.consumers.get(*key)).ok_or(ObjectClosed)?;
        let producer = self.producers.get(consumer.producer).ok_or(ObjectClosed)?;
        let timestamp = self.clock.ntp(now).unix_ms();
        let inbound = consumer.selector.source().and_then(|encoding| inbound_stat(now, timestamp, producer, encoding));
        Ok(std::iter::once(outbound_stat(now, timestamp, producer, consumer)).chain(inbound).collect())
    }

    /// Tells its owner from now on what happens on a transport, as [`RouterEvent::Trace`]: these types and no others.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn trace_transport(&mut self, id: TransportId, types: &[TransportTraceType]) -> Result<(), ObjectClosed> {
        let (_, transport) = self.transport_mut(id)?;
        transport.traces = Traces::of_transport(types);
        Ok(())
    }

    /// The same of a producer.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn trace_producer(&mut self, id: ProducerId, types: &[StreamTraceType]) -> Result<(), ObjectClosed> {
        let producer = self.producer_ids.get(&id).and_then(|key| self.producers.get_mut(*key)).ok_or(ObjectClosed)?;
        producer.traces = Traces::of_stream(types);
        Ok(())
    }

    /// The same of a consumer.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn trace_consumer(&mut self, id: ConsumerId, types: &[StreamTraceType]) -> Result<(), ObjectClosed> {
        let consumer = self.consumer_ids.get(&id).and_then(|key| self.consumers.get_mut(*key)).ok_or(ObjectClosed)?;
        consumer.traces = Traces::of_stream(types);
        Ok(())
    }

    /// Takes note of a transport's streams that stopped, and tells the scores of those producers whose scores changed.
    pub(super) fn tell_producer_scores(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get(key) else { return };
        let mut piped = Vec::new();
        for key in &transport.producers {
            let Some(producer) = self.producers.get_mut(*key) else { continue };
            let mut is_news = false;
            for stream in producer.encodings.iter_mut().filter_map(|encoding| encoding.stream.as_mut()) {
                // What is paused may stop coming: that is no fault of the path.
                if !producer.paused {
                    stream.receive.check_activity(now);
                }
                is_news |= stream.receive.has_score_news();
            }
            if is_news {
                let scores = producer.encodings.iter_mut().enumerate().filter_map(tell_score).collect();
                let event = RouterEvent::ProducerScore { producer_id: producer.id, scores };
                self.events.push_back((producer.router, event));
                if !producer.pipes.is_empty() {
                    piped.extend((0..producer.encodings.len()).map(|encoding| (*key, encoding)));
                }
            }
        }
        for (producer, encoding) in piped {
            self.pipe_stream(producer, encoding);
        }
    }

    /// Tells that a producer's packet came, if its owner asked for that.
    pub(super) fn trace_received(&mut self, now: Instant, route: Route, incoming: &Incoming<'_>) {
        let Some(producer) = self.producers.get(route.producer) else { return };
        let Some(ssrc) = producer.encodings.get(route.encoding).and_then(|encoding| encoding.ssrc) else { return };
        let info = producer.traces.packet(received_packet(producer.kind, ssrc, incoming), route.is_rtx);
        self.traces.tell(producer.traced(), self.clock.ntp(now), TraceDirection::In, info);
    }

    /// Tells what a transport's path is estimated to carry, if its owner asked for that.
    pub(super) fn trace_estimate(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get(key).filter(|transport| !transport.traces.is_empty()) else { return };
        if let Some(trace) = transport.downlink.trace() {
            self.traces.tell(transport.traced(), self.clock.ntp(now), TraceDirection::Out, TraceInfo::Bwe(trace));
        }
    }

    /// Tells what a producer's peer said, if its owner asked for that.
    pub(super) fn trace_producer_feedback(&mut self, now: Instant, key: ProducerKey, info: TraceInfo) {
        if let Some(producer) = self.producers.get(key) {
            self.traces.tell(producer.traced(), self.clock.ntp(now), TraceDirection::In, info);
        }
    }

    /// Tells what a consumer's peer said, if its owner asked for that.
    pub(super) fn trace_consumer_feedback(&mut self, now: Instant, key: ConsumerKey, info: TraceInfo) {
        let Some(consumer) = self.consumers.get(key) else { return };
        if let Some(transport) = self.transports.get(consumer.transport) {
            let traced = consumer.traced(transport.router);
            self.traces.tell(traced, self.clock.ntp(now), TraceDirection::In, info);
        }
    }
}

/// A consumer's score, if it changed or its producer's did. Told with its regular reports and no more often: a producer that
/// falters has a thousand consumers, and they are not to be told of in one instant.
pub(super) fn score_news(producer: &Producer, consumer: &mut Consumer) -> Option<(RouterId, RouterEvent)> {
    let scores = producer.encodings.iter().map(score_of);
    let score = consumer.stats.score_news(consumer.selector.source(), scores)?;
    Some((producer.router, RouterEvent::ConsumerScore { consumer_id: consumer.id, score }))
}

/// What is known of a transport's path.
fn bandwidth(transport: &WebRtcTransport) -> Bandwidth {
    Bandwidth {
        available_outgoing_bitrate: transport.downlink.estimate_bps(),
        // With transport-wide feedback it is the peer who estimates, and does not tell.
        available_incoming_bitrate: transport.remb.as_ref().map(|remb| remb.estimate_bps()),
        max_incoming_bitrate: transport.incoming_cap.bps(),
        max_outgoing_bitrate: transport.downlink.max_bps(),
    }
}

fn lost_share(intervals: impl Iterator<Item = Interval>) -> Option<f64> {
    let (expected, lost) =
        intervals.fold((0, 0), |(expected, lost), interval| (expected + interval.expected, lost + interval.lost));
    (expected > 0).then(|| (lost as f64 / expected as f64).min(1.0))
}

fn score_of(encoding: &Encoding) -> u8 {
    encoding.stream.as_ref().map_or(0, |stream| stream.receive.score())
}

fn tell_score((encoding_idx, encoding): (usize, &mut Encoding)) -> Option<ProducerScore> {
    let stream = encoding.stream.as_mut()?;
    let (ssrc, score) = (stream.receive.ssrc(), stream.receive.tell_score());
    Some(ProducerScore { encoding_idx, ssrc, rid: encoding.rid.clone(), score })
}

fn inbound_stat(now: Instant, timestamp: u64, producer: &Producer, encoding_idx: usize) -> Option<StreamStat> {
    let encoding = producer.encodings.get(encoding_idx)?;
    let stream = encoding.stream.as_ref()?;
    let (receive, stats) = (&stream.receive, stream.receive.stats());
    let by_layer = producer.rates_of(now, encoding_idx);
    let name = |(layers, rate): (Layers, u64)| (format!("{}.{}", layers.spatial, layers.temporal), rate);
    let codecs = &producer.consumable.codecs;
    Some(StreamStat {
        direction: StreamDirection::Inbound {
            jitter: stats.jitter,
            bitrate_by_layer: by_layer.into_iter().map(name).collect(),
        },
        timestamp,
        ssrc: receive.ssrc(),
        rtx_ssrc: encoding.rtx_ssrc,
        rid: encoding.rid.clone(),
        kind: producer.kind,
        mime_type: codecs.first().map_or_else(String::new, |codec| codec.mime_type.to_string()),
        score: receive.score(),
        round_trip_time: None,
        bitrate: receive.bitrate_bps(now),
        counts: StreamCounts {
            packets_lost: stats.packets_lost,
            fraction_lost: stats.fraction_lost,
            packets_discarded: stats.packets_discarded,
            packets_retransmitted: stats.packets_retransmitted,
            packets_repaired: stats.packets_recovered,
            nack_count: stats.nack_count,
            nack_packet_count: stats.nacked_packets,
            pli_count: encoding.plis_sent,
            fir_count: encoding.firs_sent,
            packet_count: stats.packets_received + stats.packets_recovered,
            byte_count: stats.bytes_received,
            rtx_packets_discarded: stream.rtx.as_ref().map(|rtx| rtx.stats().packets_discarded),
        },
    })
}

fn outbound_stat(now: Instant, timestamp: u64, producer: &Producer, consumer: &Consumer) -> StreamStat {
    let (totals, report) = (consumer.stats.totals(), consumer.stats.peer_report().unwrap_or_default());
    let codec = producer.consumable.codecs.iter().find(|codec| consumer.takes(codec.payload_type));
    StreamStat {
        direction: StreamDirection::Outbound,
        timestamp,
        ssrc: consumer.ssrc,
        rtx_ssrc: consumer.rtx.as_ref().map(|rtx| rtx.ssrc),
        rid: None,
        kind: consumer.kind,
        mime_type: codec.map_or_else(String::new, |codec| codec.mime_type.to_string()),
        score: consumer.stats.score(),
        round_trip_time: consumer.stats.rtt().map(|rtt| rtt.as_secs_f64() * 1000.0),
        bitrate: consumer.stats.bitrate_bps(now),
        counts: StreamCounts {
            packets_lost: report.packets_lost.into(),
            fraction_lost: report.fraction_lost,
            packets_discarded: 0,
            packets_retransmitted: totals.packets_retransmitted,
            packets_repaired: totals.packets_repaired,
            nack_count: totals.nack_count,
            nack_packet_count: totals.nacked_packets,
            pli_count: totals.pli_count,
            fir_count: totals.fir_count,
            packet_count: totals.packets_sent,
            byte_count: totals.bytes_sent,
            rtx_packets_discarded: None,
        },
    }
}

/// A producer's packet as a trace has it.
fn received_packet(kind: MediaKind, ssrc: Ssrc, incoming: &Incoming<'_>) -> RtpTrace {
    let source = &incoming.source;
    let text = |kind| {
        let bytes = source.extensions.bytes(kind, source.packet)?;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    };
    RtpTrace {
        // The lower seven bits of the second byte (RFC 3550 section 5.1).
        payload_type: source.packet.get(1).map_or(0, |byte| byte & 0x7f),
        // The low half of the unwrapped number is the number on the wire.
        sequence_number: incoming.extended as u16,
        timestamp: incoming.timestamp,
        marker: incoming.marker,
        ssrc,
        is_key_frame: is_key_frame(kind, incoming),
        size: source.packet.len(),
        payload_size: source.payload.len(),
        spatial_layer: incoming.frame.layers.spatial,
        temporal_layer: incoming.frame.layers.temporal,
        mid: text(ExtensionKind::Mid),
        rid: text(ExtensionKind::Rid),
        wide_sequence_number: source.extensions.transport_cc,
    }
}

/// A consumer's packet as a trace has it. `rewrite` are the numbers that it had when it was sent first.
pub(super) fn sent_packet(
    kind: MediaKind,
    rewrite: &HeaderRewrite,
    size: usize,
    wide_sequence_number: Option<u16>,
    incoming: &Incoming<'_>,
) -> RtpTrace {
    RtpTrace {
        payload_type: rewrite.payload_type.0,
        sequence_number: rewrite.sequence_number,
        timestamp: rewrite.timestamp,
        marker: rewrite.marker,
        ssrc: rewrite.ssrc,
        is_key_frame: is_key_frame(kind, incoming),
        size,
        payload_size: incoming.source.payload.len(),
        spatial_layer: incoming.frame.layers.spatial,
        temporal_layer: incoming.frame.layers.temporal,
        mid: None,
        rid: None,
        wide_sequence_number,
    }
}

/// A decoder can start with every packet of audio, and none is a key frame.
fn is_key_frame(kind: MediaKind, incoming: &Incoming<'_>) -> bool {
    kind == MediaKind::Video && incoming.frame.key_frame
}
