//! Writing, stamping and sealing one consumer's packet.

use std::time::Instant;

use super::media::Incoming;
use super::transmit::TransmitQueue;
use crate::congestion::estimator::ProbeId;
use crate::consumer::send_history::Sent;
use crate::consumer::{Admission, Consumer, RtxTarget};
use crate::producer::RedPacket;
use crate::rtcp::ntp::NtpTime;
use crate::rtp::extensions::AbsSendTime;
use crate::rtp::rtx::{write_padding_packet, write_rtx_packet};
use crate::rtp::writer::{ExtensionPlan, HeaderRewrite, StampOffsets, WrittenPacket, write_packet};
use crate::transport::WebRtcTransport;
use crate::transport::tuple::Tuple;

/// Where packets leave.
pub(super) struct Outlet<'a> {
    pub(super) transmits: &'a mut TransmitQueue,
    pub(super) now: Instant,
    pub(super) ntp: NtpTime,
    /// What they are sent for, when that is to probe the path.
    pub(super) probe: Option<ProbeId>,
    /// Packets that left.
    pub(super) sent: u64,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(transmits: &'a mut TransmitQueue, now: Instant, ntp: NtpTime) -> Self {
        Self { transmits, now, ntp, probe: None, sent: 0 }
    }

    /// Sends a packet for the first time, under the numbers that it was admitted with.
    pub(super) fn send(
        &mut self,
        transport: &mut WebRtcTransport,
        consumer: &mut Consumer,
        encoding: usize,
        incoming: &Incoming<'_>,
        admission: Admission,
    ) {
        let (payload_type, source) = incoming.as_taken_by(consumer);
        let rewrite = HeaderRewrite {
            ssrc: consumer.ssrc,
            payload_type,
            sequence_number: admission.sequence_number,
            timestamp: admission.timestamp,
            marker: admission.marker,
        };
        let stamps = self.fresh_stamps(transport);
        let Some((tuple, srtp)) = transport.media_path() else { return };
        let slot = self.transmits.slot();
        let Ok(written) = write_packet(slot, &rewrite, &consumer.plan, &source) else { return };
        stamps.write(&written.stamps, slot);
        renumber(slot, written.header_len, incoming, admission.numbers);
        renumber_blocks(slot, written.header_len, incoming.red_for(consumer));
        let Ok(len) = srtp.seal.seal_rtp(&mut consumer.seal, slot, written.header_len, written.len) else { return };
        self.commit(tuple, len);
        self.account(transport, &written, len);
        let sent = Sent {
            source_extended: incoming.extended,
            timestamp: admission.timestamp,
            // At most eight encodings.
            generation: encoding as u8,
            marker: admission.marker,
            numbers: admission.numbers,
            abs_send_time: stamps.abs_send_time,
            wide_sequence: stamps.wide_sequence,
        };
        consumer.history.record(self.now, admission.sequence_number, sent);
        consumer.stats.handle_sent(self.now, admission.timestamp, source.payload.len());
    }

    /// Sends a packet again: in the RTX stream, or, when the peer has none, as the very bytes that were sent first.
    pub(super) fn resend(
        &mut self,
        transport: &mut WebRtcTransport,
        consumer: &mut Consumer,
        sequence_number: u16,
        sent: &Sent,
        incoming: &Incoming<'_>,
    ) -> usize {
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
    ) -> usize {
        let Some(&(_, payload_type)) = rtx.payload_types.iter().find(|(of, _)| *of == incoming.media.mapped) else {
            return 0;
        };
        let rewrite = HeaderRewrite {
            ssrc: rtx.ssrc,
            payload_type,
            sequence_number: rtx.next_sequence,
            timestamp: sent.timestamp,
            marker: sent.marker,
        };
        let stamps = self.fresh_stamps(transport);
        let Some((tuple, srtp)) = transport.media_path() else { return 0 };
        let slot = self.transmits.slot();
        let Ok(written) = write_rtx_packet(slot, &rewrite, plan, &incoming.source, sequence_number) else {
            return 0;
        };
        stamps.write(&written.stamps, slot);
        // Behind the original sequence number (RFC 4588 section 4).
        renumber(slot, written.header_len + 2, incoming, sent.numbers);
        let Ok(len) = srtp.seal.seal_rtp(&mut rtx.seal, slot, written.header_len, written.len) else { return 0 };
        self.commit(tuple, len);
        rtx.next_sequence = rtx.next_sequence.wrapping_add(1);
        self.account(transport, &written, len);
        len
    }

    /// Sends a packet of padding alone in the retransmission stream, which receivers count for the path and otherwise ignore.
    /// Returns its length on the wire, 0 when none could be sent.
    pub(super) fn send_padding(
        &mut self,
        transport: &mut WebRtcTransport,
        consumer: &mut Consumer,
        padding_bytes: u8,
    ) -> usize {
        let timestamp = consumer.timestamps.newest();
        let Some(rtx) = &mut consumer.rtx else { return 0 };
        let Some(&(_, payload_type)) = rtx.payload_types.first() else { return 0 };
        let rewrite = HeaderRewrite {
            ssrc: rtx.ssrc,
            payload_type,
            sequence_number: rtx.next_sequence,
            timestamp,
            marker: false,
        };
        let stamps = self.fresh_stamps(transport);
        let Some((tuple, srtp)) = transport.media_path() else { return 0 };
        let slot = self.transmits.slot();
        let Ok(written) = write_padding_packet(slot, &rewrite, &consumer.plan, padding_bytes) else { return 0 };
        stamps.write(&written.stamps, slot);
        let Ok(len) = srtp.seal.seal_rtp(&mut rtx.seal, slot, written.header_len, written.len) else { return 0 };
        self.commit(tuple, len);
        rtx.next_sequence = rtx.next_sequence.wrapping_add(1);
        self.account(transport, &written, len);
        len
    }

    fn repeat(
        &mut self,
        transport: &WebRtcTransport,
        consumer: &Consumer,
        sequence_number: u16,
        sent: &Sent,
        incoming: &Incoming<'_>,
    ) -> usize {
        let (payload_type, source) = incoming.as_taken_by(consumer);
        let rewrite = HeaderRewrite {
            ssrc: consumer.ssrc,
            payload_type,
            sequence_number,
            timestamp: sent.timestamp,
            marker: sent.marker,
        };
        // Nothing may differ from what was sealed under this number before.
        let stamps = Stamps { abs_send_time: sent.abs_send_time, wide_sequence: sent.wide_sequence };
        let Some((tuple, srtp)) = transport.media_path() else { return 0 };
        let slot = self.transmits.slot();
        let Ok(written) = write_packet(slot, &rewrite, &consumer.plan, &source) else { return 0 };
        stamps.write(&written.stamps, slot);
        renumber(slot, written.header_len, incoming, sent.numbers);
        renumber_blocks(slot, written.header_len, incoming.red_for(consumer));
        let Ok(len) = srtp.seal.repeat_rtp(&consumer.seal, slot, written.header_len, written.len) else { return 0 };
        self.commit(tuple, len);
        len
    }

    fn fresh_stamps(&self, transport: &WebRtcTransport) -> Stamps {
        Stamps { abs_send_time: AbsSendTime::from_ntp(self.ntp), wide_sequence: transport.downlink.next_wide_sequence }
    }

    /// Counts a packet for the estimate of the path. Its transport-wide number was used if it had a place for it.
    fn account(&self, transport: &mut WebRtcTransport, written: &WrittenPacket, len: usize) {
        if written.stamps.transport_cc.is_some() {
            transport.downlink.handle_sent(self.now, len, self.probe);
        }
    }

    fn commit(&mut self, tuple: Tuple, len: usize) {
        self.transmits.commit(tuple, len);
        self.sent += 1;
    }
}

/// Gives a VP8 or VP9 payload at `at` the numbers that it has for one consumer.
fn renumber(slot: &mut [u8], at: usize, incoming: &Incoming<'_>, numbers: Option<(u16, u8)>) {
    if let (Some(places), Some((picture_id, tl0_picture_index))) = (incoming.frame.numbers, numbers)
        && let Some(payload) = slot.get_mut(at..)
    {
        places.write(payload, picture_id, tl0_picture_index);
    }
}

/// Gives the blocks of redundant audio at `at` the payload type that the consumer knows their codec by.
fn renumber_blocks(slot: &mut [u8], at: usize, red: Option<RedPacket>) {
    if let (Some(red), Some(payload)) = (red, slot.get_mut(at..)) {
        red.renumber(payload);
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
