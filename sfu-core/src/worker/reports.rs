//! RTCP: what peers say, and what we tell them.

use std::time::Instant;

use rtc_rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;

use super::core::{ConsumerKey, Core, TransportKey};
use super::stats::score_news;
use super::transmit::TransmitClass;
use crate::ids::Ssrc;
use crate::producer::KeyFrameFeedback;
use crate::rtcp::incoming::{RtcpEvent, read_datagram};
use crate::rtcp::ntp::NtpTime;
use crate::rtcp::outgoing::{MAX_RTCP_DATAGRAM_BYTES, OutgoingError};
use crate::rtcp::schedule::slack;
use crate::stats::{SentKind, TraceDirection, TraceInfo};
use crate::transport::WebRtcTransport;

impl Core {
    /// Takes in an SRTCP packet from a validated tuple.
    pub(super) fn handle_rtcp(&mut self, now: Instant, key: TransportKey, datagram: &mut [u8]) {
        let Some(opened) = self.open_rtcp(key, datagram) else {
            self.stats.packets_refused += 1;
            return;
        };
        if let Err(violation) = read_datagram(opened, |event| self.handle_rtcp_event(now, key, event)) {
            tracing::debug!(%violation, "RTCP");
        }
    }

    fn open_rtcp<'a>(&mut self, key: TransportKey, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let transport = self.transports.get_mut(key)?;
        transport.counters.handle_received(datagram.len());
        let srtp = transport.srtp.as_mut()?;
        let len = srtp.open.open_rtcp(&mut srtp.rtcp_open, datagram).ok()?;
        datagram.get(..len)
    }

    fn handle_rtcp_event(&mut self, now: Instant, key: TransportKey, event: RtcpEvent<'_>) {
        match event {
            RtcpEvent::SenderReport { ssrc, ntp, rtp_timestamp, packet_count, octet_count } => {
                let Some(route) = self.transports.get_mut(key).and_then(|transport| transport.inbound.get_mut(ssrc))
                else {
                    return;
                };
                let (producer, encoding) = (route.producer, route.encoding);
                if let Some(stream) = self
                    .producers
                    .get_mut(producer)
                    .and_then(|producer| producer.encodings.get_mut(encoding))
                    .and_then(|encoding| encoding.stream.as_mut())
                {
                    stream.receiver_of(ssrc).handle_sender_report(now, ntp, rtp_timestamp);
                }
                self.pipe_report(producer, encoding);
                let info = TraceInfo::sender_report(ssrc, ntp, rtp_timestamp, packet_count, octet_count);
                self.trace_producer_feedback(now, producer, info);
            }
            RtcpEvent::ReceptionReport(report) => {
                let consumer = self.outbound(key, Ssrc(report.ssrc));
                if let Some(consumer) = consumer.and_then(|key| self.consumers.get_mut(key))
                    && consumer.ssrc.0 == report.ssrc
                {
                    consumer.stats.handle_reception_report(now, &self.clock, &report);
                    let (rtt, kind) = (consumer.stats.rtt(), consumer.kind);
                    self.handle_path_report(now, key, rtt, kind, report.fraction_lost);
                }
            }
            RtcpEvent::Nack { media_ssrc, sequences } => {
                if let Some(consumer) = self.outbound(key, media_ssrc) {
                    let info = TraceInfo::Nack { ssrc: media_ssrc, packets: sequences.len() };
                    self.trace_consumer_feedback(now, consumer, info);
                    self.retransmit(now, consumer, media_ssrc, &sequences);
                }
            }
            RtcpEvent::Pli { media_ssrc } => {
                if let Some(key) = self.outbound(key, media_ssrc) {
                    if let Some(consumer) = self.consumers.get_mut(key) {
                        consumer.stats.handle_pli();
                    }
                    let info = TraceInfo::Pli { ssrc: media_ssrc };
                    self.trace_consumer_feedback(now, key, info);
                    self.key_frame_for(now, key);
                }
            }
            RtcpEvent::Fir { media_ssrc, .. } => {
                if let Some(key) = self.outbound(key, media_ssrc) {
                    if let Some(consumer) = self.consumers.get_mut(key) {
                        consumer.stats.handle_fir();
                    }
                    let info = TraceInfo::Fir { ssrc: media_ssrc };
                    self.trace_consumer_feedback(now, key, info);
                    self.key_frame_for(now, key);
                }
            }
            RtcpEvent::TransportFeedback(feedback) => self.handle_transport_feedback(now, key, &feedback),
            RtcpEvent::Remb { bitrate_bps, .. } => self.handle_remb(now, key, bitrate_bps),
            // A source that says goodbye is closed by signalling.
            RtcpEvent::Bye { .. } => {}
        }
    }

    fn outbound(&self, key: TransportKey, ssrc: Ssrc) -> Option<ConsumerKey> {
        self.transports.get(key)?.outbound.get(&ssrc).copied()
    }

    /// Queues the NACKs that are due on a transport.
    pub(super) fn send_due_nacks(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key).filter(|transport| transport.media_path().is_some()) else {
            return;
        };
        let ntp = self.clock.ntp(now);
        for producer in &transport.producers {
            let Some(producer) = self.producers.get_mut(*producer) else { continue };
            let traced = producer.traced();
            for encoding in &mut producer.encodings {
                let Some(ssrc) = encoding.ssrc else { continue };
                let Some(stream) = encoding.stream.as_mut() else { continue };
                let Some(nack) = stream.nack.as_mut() else { continue };
                while let Some(nacks) = nack.poll_nack(now) {
                    let packets = nacks.iter().map(|pair| pair.packet_list().len()).sum();
                    stream.receive.handle_nack_sent(packets);
                    self.traces.tell(traced, ntp, TraceDirection::Out, TraceInfo::Nack { ssrc, packets });
                    let packet = TransportLayerNack { sender_ssrc: transport.rtcp_ssrc.0, media_ssrc: ssrc.0, nacks };
                    queued(transport.rtcp.push_feedback(packet));
                }
            }
        }
        self.flush_rtcp(key);
    }

    /// Queues the key frame requests that are due on a transport. Until media can flow they stay due.
    pub(super) fn send_due_key_frame_requests(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key).filter(|transport| transport.media_path().is_some()) else {
            return;
        };
        let (sender_ssrc, ntp) = (transport.rtcp_ssrc.0, self.clock.ntp(now));
        for producer in &transport.producers {
            let Some(producer) = self.producers.get_mut(*producer) else { continue };
            let (feedback, traced) = (producer.key_frame_feedback, producer.traced());
            for encoding in &mut producer.encodings {
                let Some(ssrc @ Ssrc(media_ssrc)) = encoding.ssrc else { continue };
                let Some(request) = encoding.key_frames.poll_request(now) else { continue };
                match feedback {
                    KeyFrameFeedback::Pli => {
                        encoding.plis_sent += 1;
                        self.traces.tell(traced, ntp, TraceDirection::Out, TraceInfo::Pli { ssrc });
                        queued(transport.rtcp.push_feedback(PictureLossIndication { sender_ssrc, media_ssrc }));
                    }
                    KeyFrameFeedback::Fir => {
                        encoding.firs_sent += 1;
                        self.traces.tell(traced, ntp, TraceDirection::Out, TraceInfo::Fir { ssrc });
                        let fir = vec![FirEntry { ssrc: media_ssrc, sequence_number: request.fir_sequence }];
                        queued(transport.rtcp.push_feedback(FullIntraRequest { sender_ssrc, media_ssrc, fir }));
                    }
                    KeyFrameFeedback::None => {}
                }
            }
        }
        self.flush_rtcp(key);
    }

    /// Queues the regular reports that are due on a transport, and feedback on the peer's path.
    pub(super) fn send_due_reports(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key).filter(|transport| transport.media_path().is_some()) else {
            return;
        };
        let slack = slack(transport.producers.len() + transport.consumers.len());
        let mut some_source = None;
        let mut sources = Vec::new();
        let mut piped = Vec::new();
        for &producer_key in &transport.producers {
            let Some(producer) = self.producers.get_mut(producer_key) else { continue };
            let is_piped = !producer.pipes.is_empty();
            for (index, encoding) in producer.encodings.iter_mut().enumerate() {
                some_source = some_source.or(encoding.ssrc);
                sources.extend(encoding.ssrc);
                let Some(stream) = encoding.stream.as_mut() else { continue };
                if !stream.reports.handle_timeout(now, slack, &mut self.rng) {
                    continue;
                }
                for receive in std::iter::once(&mut stream.receive).chain(stream.rtx.as_mut()) {
                    if let Some(block) = receive.reception_report(now) {
                        queued(transport.rtcp.push_reception_report(block));
                    }
                }
                stream.receive.update_score();
                if let Some(remb) = &mut transport.remb {
                    let (expected, lost) = stream.loss_since_last_time();
                    remb.handle_loss(expected, lost);
                }
                stream.store.release_if_idle(now);
                piped.extend(is_piped.then_some((producer_key, index)));
            }
        }
        for &key in &transport.consumers {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            if !consumer.reports.handle_timeout(now, slack, &mut self.rng) {
                continue;
            }
            // While there is no time for pictures there is none for thousands of events about them; the next report tells it.
            if let Some(producer) = self.producers.get(consumer.producer).filter(|_| !self.is_shedding) {
                self.events.extend(score_news(producer, consumer));
            }
            if consumer.paused || consumer.selector.current().is_none() {
                continue;
            }
            let source_report = consumer
                .selector
                .source()
                .and_then(|source| self.producers.get(consumer.producer)?.encodings.get(source)?.stream.as_ref())
                .and_then(|stream| stream.receive.source_report());
            let timestamps = &consumer.timestamps;
            let report = consumer.stats.sender_report(now, &self.clock, source_report, |input| timestamps.map(input));
            if let Some(report) = report {
                let SenderReport { ntp_time, rtp_time, packet_count, octet_count, .. } = report;
                let ntp = NtpTime(ntp_time);
                let info = TraceInfo::sender_report(consumer.ssrc, ntp, rtp_time, packet_count, octet_count);
                self.traces.tell(consumer.traced(transport.router), ntp, TraceDirection::Out, info);
                queued(transport.rtcp.push_sender_report(report, consumer.cname.clone()));
            }
        }
        let rtcp_ssrc = transport.rtcp_ssrc;
        if let Some(feedback) = &mut transport.transport_feedback {
            // Its packets belong to no stream of ours yet: the path is reported on all the same.
            let media_ssrc = some_source.unwrap_or(Ssrc(0));
            while let Some(packet) = feedback.poll_feedback(now, rtcp_ssrc, media_ssrc) {
                queued(transport.rtcp.push_feedback(packet));
            }
        }
        if let Some(remb) = &mut transport.remb {
            remb.handle_timeout(now);
            if let Some(packet) = remb.poll_remb(now, rtcp_ssrc, &sources) {
                queued(transport.rtcp.push_feedback(packet));
            }
        } else if let Some(packet) = transport.incoming_cap.poll_remb(now, rtcp_ssrc, &sources) {
            queued(transport.rtcp.push_feedback(packet));
        }
        for (producer, encoding) in piped {
            self.pipe_stream(producer, encoding);
        }
        self.flush_rtcp(key);
    }

    /// Seals and queues what a transport has to say.
    fn flush_rtcp(&mut self, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let WebRtcTransport { ice, srtp, rtcp, counters, .. } = &mut **transport;
        let (Some(tuple), Some(srtp)) = (ice.selected(), srtp.as_mut()) else { return };
        loop {
            let slot = self.transmits.slot();
            let written = slot.get_mut(..MAX_RTCP_DATAGRAM_BYTES).map(|room| rtcp.poll_datagram(room));
            match written {
                Some(Ok(Some(len))) => {
                    if let Ok(len) = srtp.seal.seal_rtcp(slot, len) {
                        self.transmits.commit(tuple, TransmitClass::Control, len);
                        counters.handle_sent(len, SentKind::Other);
                    }
                }
                Some(Ok(None)) | None => break,
                Some(Err(error)) => tracing::error!(%error, "RTCP of ours could not be written"),
            }
        }
    }
}

/// A full RTCP queue is a fault of ours (it is flushed in the same turn), and no reason to stop.
fn queued(result: Result<(), OutgoingError>) {
    if let Err(error) = result {
        tracing::error!(%error, "RTCP of ours was dropped");
    }
}
