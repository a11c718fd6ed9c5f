//! Writing, stamping and sealing one consumer's packet.

use std::time::Instant;

use super::media::Incoming;
use super::transmit::TransmitQueue;
use crate::consumer::send_history::Sent;
use crate::consumer::{Admission, Consumer, RtxTarget};
use crate::rtcp::ntp::NtpTime;
use crate::rtp::extensions::AbsSendTime;
use crate::rtp::rtx::write_rtx_packet;
use crate::rtp::writer::{ExtensionPlan, HeaderRewrite, StampOffsets, WrittenPacket, write_packet};
use crate::transport::WebRtcTransport;
use crate::transport::tuple::Tuple;

/// Where packets leave.
pub(super) struct Outlet<'a> {
    pub(super) transmits: &'a mut TransmitQueue,
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
            marker: admission.marker,
        };
        let stamps = self.fresh_stamps(transport);
        let Some((tuple, srtp)) = transport.media_path() else { return };
        let slot = self.transmits.slot();
        let Ok(written) = write_packet(slot, &rewrite, &consumer.plan, &incoming.source) else { return };
        number_picture(slot, &written, incoming, admission.numbers);
        stamps.write(&written.stamps, slot);
        let Ok(len) = srtp.seal.seal_rtp(&mut consumer.seal, slot, written.header_len, written.len) else { return };
        self.commit(tuple, len);
        advance_wide_sequence(transport, &written);
        let sent = Sent {
            source_extended: incoming.extended,
            timestamp: admission.timestamp,
            // At most eight encodings.
            generation: encoding as u16,
            abs_send_time: stamps.abs_send_time,
            wide_sequence: stamps.wide_sequence,
            marker: admission.marker,
            numbers: admission.numbers,
        };
        consumer.history.record(self.now, admission.sequence_number, sent);
        consumer.stats.handle_sent(self.now, admission.timestamp, incoming.source.payload.len());
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
        match &mut consumer.rtx {
            Some(rtx) => self.resend_in_rtx(transport, rtx, &consumer.plan, sequence_number, sent, incoming),
            None => self.repeat(transport, consumer, sequence_number, sent, incoming),
        }
    }

    fn resend_in_rtx(
        &mut self,
        transport: &mut WebRtcTransport,
        rtx: &mut RtxTarget,
        plan: &ExtensionPlan,
        sequence_number: u16,
        sent: &Sent,
        incoming: &Incoming<'_>,
    ) {
        let Some(&(_, payload_type)) = rtx.payload_types.iter().find(|(of, _)| *of == incoming.media.mapped) else {
            return;
        };
        let rewrite = HeaderRewrite {
            ssrc: rtx.ssrc,
            payload_type,
            sequence_number: rtx.next_sequence,
            timestamp: sent.timestamp,
            marker: sent.marker,
        };
        let stamps = self.fresh_stamps(transport);
        let Some((tuple, srtp)) = transport.media_path() else { return };
        let slot = self.transmits.slot();
        let Ok(written) = write_rtx_packet(slot, &rewrite, plan, &incoming.source, sequence_number) else {
            return;
        };
        number_picture(slot, &written, incoming, sent.numbers);
        stamps.write(&written.stamps, slot);
        let Ok(len) = srtp.seal.seal_rtp(&mut rtx.seal, slot, written.header_len, written.len) else { return };
        self.commit(tuple, len);
        rtx.next_sequence = rtx.next_sequence.wrapping_add(1);
        advance_wide_sequence(transport, &written);
    }

    fn repeat(
        &mut self,
        transport: &WebRtcTransport,
        consumer: &Consumer,
        sequence_number: u16,
        sent: &Sent,
        incoming: &Incoming<'_>,
    ) {
        let rewrite = HeaderRewrite {
            ssrc: consumer.ssrc,
            payload_type: incoming.media.mapped,
            sequence_number,
            timestamp: sent.timestamp,
            marker: sent.marker,
        };
        // Nothing may differ from what was sealed under this number before.
        let stamps = Stamps { abs_send_time: sent.abs_send_time, wide_sequence: sent.wide_sequence };
        let Some((tuple, srtp)) = transport.media_path() else { return };
        let slot = self.transmits.slot();
        let Ok(written) = write_packet(slot, &rewrite, &consumer.plan, &incoming.source) else { return };
        number_picture(slot, &written, incoming, sent.numbers);
        stamps.write(&written.stamps, slot);
        if let Ok(len) = srtp.seal.repeat_rtp(&consumer.seal, slot, written.header_len, written.len) {
            self.commit(tuple, len);
        }
    }

    fn fresh_stamps(&self, transport: &WebRtcTransport) -> Stamps {
        Stamps { abs_send_time: AbsSendTime::from_ntp(self.ntp), wide_sequence: transport.next_wide_sequence }
    }

    fn commit(&mut self, tuple: Tuple, len: usize) {
        self.transmits.commit(tuple, len);
        self.sent += 1;
    }
}

/// Writes the consumer's picture id and TL0PICIDX into the payload, which is the last of the packet.
fn number_picture(packet: &mut [u8], written: &WrittenPacket, incoming: &Incoming<'_>, numbers: Option<(u16, u8)>) {
    let payload_at = written.len - incoming.source.payload.len();
    if let (Some(places), Some((picture_id, tl0_picture_index)), Some(payload)) =
        (incoming.frame.numbers, numbers, packet.get_mut(payload_at..written.len))
    {
        places.write(payload, picture_id, tl0_picture_index);
    }
}

/// A number was used if the packet had a place for it.
fn advance_wide_sequence(transport: &mut WebRtcTransport, written: &WrittenPacket) {
    if written.stamps.transport_cc.is_some() {
        transport.next_wide_sequence = transport.next_wide_sequence.wrapping_add(1);
    }
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
