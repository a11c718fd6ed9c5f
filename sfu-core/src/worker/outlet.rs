//! Writing, stamping and sealing one consumer's packet.

use std::time::Instant;

use super::media::Incoming;
use super::stats::sent_packet;
use super::transmit::TransmitQueue;
use crate::consumer::send_history::Sent;
use crate::consumer::{Admission, Consumer, RtxTarget};
use crate::rtcp::ntp::NtpTime;
use crate::rtp::extensions::AbsSendTime;
use crate::rtp::rtx::write_rtx_packet;
use crate::rtp::writer::{ExtensionPlan, HeaderRewrite, StampOffsets, WrittenPacket, write_packet};
use crate::stats::{SentKind, TraceDirection, TraceQueue};
use crate::transport::WebRtcTransport;
use crate::transport::tuple::Tuple;

/// Where packets leave.
pub(super) struct Outlet<'a> {
    pub(super) transmits: &'a mut TransmitQueue,
    pub(super) traces: &'a mut TraceQueue,
    pub(super) now: Instant,
    pub(super) ntp: NtpTime,
    /// Packets that left.
    pub(super) sent: u64,
}

impl Outlet<'_> {
    /// Sends a packet for the first time, under the numbers that it was admitted with.
    pub(super) fn send(
        &mut self,
        transport: &mut WebRtcTransport,
        consumer: &mut Consumer,
        encoding: usize,
        incoming: &Incoming<'_>,
        admission: Admission,
    ) {
        let rewrite = HeaderRewrite {
            ssrc: consumer.ssrc,
            payload_type: incoming.media.mapped,
            sequence_number: admission.sequence_number,
            timestamp: admission.timestamp,
            marker: incoming.marker,
        };
        let stamps = self.fresh_stamps(transport);
        let Some((tuple, srtp)) = transport.media_path() else { return };
        let slot = self.transmits.slot();
        let Ok(written) = write_packet(slot, &rewrite, &consumer.plan, &incoming.source) else { return };
        stamps.write(&written.stamps, slot);
        let Ok(len) = srtp.seal.seal_rtp(&mut consumer.seal, slot, written.header_len, written.len) else { return };
        self.commit(tuple, len);
        transport.counters.handle_sent(len, SentKind::Rtp);
        let wide_sequence = advance_wide_sequence(transport, &written);
        let sent = Sent {
            source_extended: incoming.extended,
            timestamp: admission.timestamp,
            // At most eight encodings.
            generation: encoding as u16,
            abs_send_time: stamps.abs_send_time,
            wide_sequence: stamps.wide_sequence,
        };
        consumer.history.record(self.now, admission.sequence_number, sent);
        consumer.stats.handle_sent(self.now, admission.timestamp, incoming.source.payload.len(), written.len);
        if consumer.traces.wants_packets() {
            let packet = sent_packet(consumer.kind, &rewrite, written.len, wide_sequence, incoming);
            let info = consumer.traces.packet(packet, false);
            self.traces.tell(consumer.traced(transport.router), self.ntp, TraceDirection::Out, info);
        }
    }

    /// Sends a packet again: in the RTX stream, or, when the peer has none, as the very bytes that were sent first.
    pub(super) fn resend(
        &mut self,
        transport: &mut WebRtcTransport,
        consumer: &mut Consumer,
        sequence_number: u16,
        sent: &Sent,
        incoming: &Incoming<'_>,
    ) {
        let original = HeaderRewrite {
            ssrc: consumer.ssrc,
            payload_type: incoming.media.mapped,
            sequence_number,
            timestamp: sent.timestamp,
            marker: incoming.marker,
        };
        let resent = match &mut consumer.rtx {
            Some(rtx) => self.resend_in_rtx(transport, rtx, &consumer.plan, &original, incoming),
            None => self.repeat(transport, consumer, &original, sent, incoming),
        };
        let Some((written, wide_sequence)) = resent else { return };
        // Looking it up for the NACK has counted this time.
        consumer.stats.handle_resent(consumer.history.resends(sequence_number) <= 1);
        if consumer.traces.wants_packets() {
            let packet = sent_packet(consumer.kind, &original, written.len, wide_sequence, incoming);
            let info = consumer.traces.packet(packet, consumer.rtx.is_some());
            self.traces.tell(consumer.traced(transport.router), self.ntp, TraceDirection::Out, info);
        }
    }

    fn resend_in_rtx(
        &mut self,
        transport: &mut WebRtcTransport,
        rtx: &mut RtxTarget,
        plan: &ExtensionPlan,
        original: &HeaderRewrite,
        incoming: &Incoming<'_>,
    ) -> Option<(WrittenPacket, Option<u16>)> {
        let &(_, payload_type) = rtx.payload_types.iter().find(|(of, _)| *of == original.payload_type)?;
        let rewrite = HeaderRewrite { ssrc: rtx.ssrc, payload_type, sequence_number: rtx.next_sequence, ..*original };
        let stamps = self.fresh_stamps(transport);
        let (tuple, srtp) = transport.media_path()?;
        let slot = self.transmits.slot();
        let written = write_rtx_packet(slot, &rewrite, plan, &incoming.source, original.sequence_number).ok()?;
        stamps.write(&written.stamps, slot);
        let len = srtp.seal.seal_rtp(&mut rtx.seal, slot, written.header_len, written.len).ok()?;
        self.commit(tuple, len);
        transport.counters.handle_sent(len, SentKind::Rtx);
        rtx.next_sequence = rtx.next_sequence.wrapping_add(1);
        let wide_sequence = advance_wide_sequence(transport, &written);
        Some((written, wide_sequence))
    }

    fn repeat(
        &mut self,
        transport: &mut WebRtcTransport,
        consumer: &Consumer,
        original: &HeaderRewrite,
        sent: &Sent,
        incoming: &Incoming<'_>,
    ) -> Option<(WrittenPacket, Option<u16>)> {
        // Nothing may differ from what was sealed under this number before.
        let stamps = Stamps { abs_send_time: sent.abs_send_time, wide_sequence: sent.wide_sequence };
        let (tuple, srtp) = transport.media_path()?;
        let slot = self.transmits.slot();
        let written = write_packet(slot, original, &consumer.plan, &incoming.source).ok()?;
        stamps.write(&written.stamps, slot);
        let len = srtp.seal.repeat_rtp(&consumer.seal, slot, written.header_len, written.len).ok()?;
        self.commit(tuple, len);
        transport.counters.handle_sent(len, SentKind::Rtp);
        Some((written, written.stamps.transport_cc.map(|_| sent.wide_sequence)))
    }

    fn fresh_stamps(&self, transport: &WebRtcTransport) -> Stamps {
        Stamps { abs_send_time: AbsSendTime::from_ntp(self.ntp), wide_sequence: transport.next_wide_sequence }
    }

    fn commit(&mut self, tuple: Tuple, len: usize) {
        self.transmits.commit(tuple, len);
        self.sent += 1;
    }
}

/// A number was used if the packet had a place for it: that number.
fn advance_wide_sequence(transport: &mut WebRtcTransport, written: &WrittenPacket) -> Option<u16> {
    written.stamps.transport_cc?;
    let used = transport.next_wide_sequence;
    transport.next_wide_sequence = used.wrapping_add(1);
    Some(used)
}

/// What is known only at the moment of sending.
struct Stamps {
    abs_send_time: AbsSendTime,
    wide_sequence: u16,
}

impl Stamps {
    fn write(&self, places: &StampOffsets, packet: &mut [u8]) {
        places.stamp_abs_send_time(packet, self.abs_send_time);
        places.stamp_transport_cc(packet, self.wide_sequence);
    }
}
