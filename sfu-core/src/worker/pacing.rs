//! What leaves later than it came: packets that the pacer held back, and probes of the path.

use std::time::Instant;

use super::core::{Core, TransportKey};
use super::forward::OVERHEAD_BYTES;
use super::outlet::Outlet;
use super::pieces::with_stored;
use crate::congestion::estimator::ProbeId;
use crate::congestion::pacer::ProbeSender;
use crate::parameters::MediaKind;
use crate::stats::{TraceDirection, TraceInfo};
use crate::transport::Paced;

/// Padding of a probe packet that repeats nothing, at most: all that its last byte can count (RFC 3550 section 5.1).
const PADDING_BYTES_MAX: usize = 255;

/// Packets that a probe looks back for in one consumer's history before it takes padding.
const REPEATS_MAX: u16 = 64;

impl Core {
    /// Sends what the pacer lets go.
    pub(super) fn send_due_paced(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let mut outlet = Outlet::new(&mut self.transmits, &mut self.traces, now, self.clock.ntp(now));
        while let Some((paced, _)) = transport.downlink.pacer.pop(now) {
            // A consumer that closed meanwhile needs nothing any more.
            let Some(consumer) = self.consumers.get_mut(paced.consumer()) else { continue };
            let Some(producer) = self.producers.get(consumer.producer) else { continue };
            let Some(mut lane) = transport.lane() else { continue };
            let stream = |encoding: usize| producer.encodings.get(encoding)?.stream.as_ref();
            match paced {
                Paced::Media { encoding, extended, admission, .. } => {
                    if let Some(stored) = stream(encoding).and_then(|stream| stream.store.get(now, extended)) {
                        with_stored(producer, stored, |incoming| {
                            outlet.send(&mut lane, consumer, encoding, incoming, admission);
                        });
                    }
                }
                Paced::Resend { sequence_number, sent, .. } => {
                    let stored = stream(usize::from(sent.generation))
                        .and_then(|stream| stream.store.get(now, sent.source_extended));
                    if let Some(stored) = stored {
                        with_stored(producer, stored, |incoming| {
                            outlet.resend(&mut lane, consumer, sequence_number, &sent, incoming);
                        });
                    }
                }
            }
        }
        self.stats.packets_sent += outlet.sent;
    }

    /// Sends what is due of a probe: what was sent lately once more, which may even repair something, else padding.
    pub(super) fn send_due_probe(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key).filter(|transport| transport.media_path().is_some()) else {
            return;
        };
        if transport.downlink.probe.is_none()
            && let Some(estimator) = &mut transport.downlink.estimator
            && let Some(probe) = estimator.poll_probe(now)
        {
            transport.downlink.probe =
                Some((probe.id, ProbeSender::new(now, probe.rate_bps, probe.bytes, probe.min_packets)));
            let info = TraceInfo::Probation { target_bitrate: probe.rate_bps };
            self.traces.tell(transport.traced(), self.clock.ntp(now), TraceDirection::Out, info);
        }
        let Some((id, sender)) = &mut transport.downlink.probe else { return };
        let (id, packet_bytes) = (*id, sender.packet_bytes_max());
        let due_bytes = sender.poll(now);
        let (sent_packets, sent_bytes) =
            if due_bytes > 0 { self.send_probe_packets(now, key, id, due_bytes, packet_bytes) } else { (0, 0) };
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.downlink.pacer.account(now, sent_bytes);
        if let Some((_, sender)) = &mut transport.downlink.probe {
            sender.handle_sent(sent_packets, sent_bytes);
            // Nothing that a probe could be made of: no video consumer with a retransmission stream.
            if sender.is_finished(now) || (due_bytes > 0 && sent_bytes == 0) {
                transport.downlink.probe = None;
            }
        }
    }

    /// Sends so many bytes in packets of at most `packet_bytes`, if that is any more than their headers. Returns how many packets and
    /// bytes were sent.
    fn send_probe_packets(
        &mut self,
        now: Instant,
        key: TransportKey,
        id: ProbeId,
        due_bytes: usize,
        packet_bytes: usize,
    ) -> (usize, usize) {
        let Some(transport) = self.transports.get_mut(key) else { return (0, 0) };
        let mut outlet = Outlet::new(&mut self.transmits, &mut self.traces, now, self.clock.ntp(now));
        outlet.probe = Some(id);
        let mut sent_bytes = 0;
        let with_rtx = transport.consumers.iter().copied().find(|consumer| {
            self.consumers
                .get(*consumer)
                .is_some_and(|consumer| consumer.rtx.is_some() && consumer.kind == MediaKind::Video)
        });
        let Some(consumer) = with_rtx.and_then(|consumer| self.consumers.get_mut(consumer)) else { return (0, 0) };
        let Some(producer) = self.producers.get(consumer.producer) else { return (0, 0) };
        let Some(mut lane) = transport.lane() else { return (0, 0) };
        for back in 0..REPEATS_MAX {
            if sent_bytes >= due_bytes {
                break;
            }
            let Some((sequence_number, sent)) = consumer.history.latest(now, back) else { break };
            let stored = producer
                .encodings
                .get(usize::from(sent.generation))
                .and_then(|encoding| encoding.stream.as_ref()?.store.get(now, sent.source_extended))
                .filter(|stored| stored.payload().len() + OVERHEAD_BYTES <= packet_bytes);
            if let Some(stored) = stored {
                with_stored(producer, stored, |incoming| {
                    sent_bytes += outlet.probe_with(&mut lane, consumer, sequence_number, &sent, incoming);
                });
            }
        }
        let padding = packet_bytes.saturating_sub(OVERHEAD_BYTES).clamp(1, PADDING_BYTES_MAX) as u8;
        while sent_bytes < due_bytes {
            match outlet.probe_with_padding(&mut lane, consumer, padding) {
                0 => break,
                bytes => sent_bytes += bytes,
            }
        }
        self.stats.packets_sent += outlet.sent;
        (usize::try_from(outlet.sent).unwrap_or(usize::MAX), sent_bytes)
    }
}
