//! Writing, stamping and sealing one consumer's packet.

use std::time::Instant;

use super::media::{Incoming, Taken};
use super::stats::sent_packet;
use super::transmit::{TransmitClass, TransmitQueue};
use crate::congestion::estimator::ProbeId;
use crate::consumer::send_history::Sent;
use crate::consumer::{Admission, Consumer, RtxTarget};
use crate::parameters::MediaKind;
use crate::rtcp::ntp::NtpTime;
use crate::rtp::extensions::AbsSendTime;
use crate::rtp::rtx::{write_padding_packet, write_rtx_packet};
use crate::rtp::writer::{ExtensionPlan, HeaderRewrite, StampOffsets, WrittenPacket, write_packet};
use crate::stats::{SentKind, TraceDirection, TraceQueue};
use crate::transport::Lane;

/// Where packets leave.
pub(super) struct Outlet<'a> {
    transmits: &'a mut TransmitQueue,
    traces: &'a mut TraceQueue,
    pub(super) now: Instant,
    ntp: NtpTime,
    abs_send_time: AbsSendTime,
    /// What they are sent for, when that is to probe the path.
    pub(super) probe: Option<ProbeId>,
    /// Packets that left.
    pub(super) sent: u64,
}

/// A packet that left.
struct Left {
    /// Its bytes before it was sealed.
    written_len: usize,
    /// Its transport-wide number, if it has one.
    wide_sequence: Option<u16>,
    /// Its bytes on the wire.
    len: usize,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(
        transmits: &'a mut TransmitQueue,
        traces: &'a mut TraceQueue,
        now: Instant,
        ntp: NtpTime,
    ) -> Self {
        Self { transmits, traces, now, ntp, abs_send_time: AbsSendTime::from_ntp(ntp), probe: None, sent: 0 }
    }

    /// Whether so much waits that it is to be sent before more is written.
    pub(super) fn is_full(&self) -> bool {
        self.transmits.is_full()
    }

    /// Sends a packet for the first time, under the numbers that it was admitted with.
    pub(super) fn send(
        &mut self,
        lane: &mut Lane<'_>,
        consumer: &mut Consumer,
        encoding: usize,
        incoming: &Incoming<'_>,
        admission: Admission,
    ) {
        let taken = incoming.as_taken_by(consumer);
        let rewrite = HeaderRewrite {
            ssrc: consumer.ssrc,
            payload_type: taken.payload_type,
            sequence_number: admission.sequence_number,
            timestamp: admission.timestamp,
            marker: admission.marker,
        };
        let stamps = self.fresh_stamps(lane);
        let slot = self.transmits.slot();
        let Ok(written) = write_packet(slot, &rewrite, &consumer.plan, &taken.source, incoming.padding) else { return };
        stamps.write(&written.stamps, slot);
        number_payload(slot, &written, incoming, &taken, admission.numbers);
        let Ok(len) = lane.seal.seal_rtp(&mut consumer.seal, slot, written.header_len, written.len) else { return };
        let left = self.leave(lane, class(consumer.kind), &written, len, SentKind::Rtp);
        let sent = Sent {
            source_extended: incoming.extended,
            timestamp: admission.timestamp,
            // At most eight encodings.
            generation: encoding as u8,
            abs_send_time: stamps.abs_send_time,
            wide_sequence: stamps.wide_sequence,
            marker: admission.marker,
            numbers: admission.numbers,
        };
        consumer.history.record(self.now, admission.sequence_number, sent);
        consumer.stats.handle_sent(self.now, admission.timestamp, taken.source.payload.len(), written.len);
        self.trace(lane, consumer, &rewrite, &left, incoming, false);
    }

    /// Sends a packet again because the peer asked for it: in the RTX stream, or, when the peer has none, as the very bytes that
    /// were sent first.
    pub(super) fn resend(
        &mut self,
        lane: &mut Lane<'_>,
        consumer: &mut Consumer,
        sequence_number: u16,
        sent: &Sent,
        incoming: &Incoming<'_>,
    ) {
        let taken = incoming.as_taken_by(consumer);
        let original = original(consumer, sequence_number, sent, &taken);
        let left = match &mut consumer.rtx {
            Some(rtx) => {
                self.resend_in_rtx(lane, rtx, &consumer.plan, (&original, sent), (incoming, &taken), SentKind::Rtx)
            }
            None => self.repeat(lane, consumer, (&original, sent), (incoming, &taken)),
        };
        let Some(left) = left else { return };
        // Looking it up for the NACK has counted this time.
        consumer.stats.handle_resent(consumer.history.resends(sequence_number) <= 1);
        self.trace(lane, consumer, &original, &left, incoming, consumer.rtx.is_some());
    }

    /// Sends a packet again in the RTX stream to probe the path. Returns its bytes on the wire, 0 when it could not be sent.
    pub(super) fn probe_with(
        &mut self,
        lane: &mut Lane<'_>,
        consumer: &mut Consumer,
        sequence_number: u16,
        sent: &Sent,
        incoming: &Incoming<'_>,
    ) -> usize {
        let taken = incoming.as_taken_by(consumer);
        let original = original(consumer, sequence_number, sent, &taken);
        let Some(rtx) = &mut consumer.rtx else { return 0 };
        let kind = SentKind::Probation;
        let left = self.resend_in_rtx(lane, rtx, &consumer.plan, (&original, sent), (incoming, &taken), kind);
        left.map_or(0, |left| left.len)
    }

    /// Sends a packet of padding alone in the RTX stream, which receivers count for the path and otherwise ignore. Returns its
    /// bytes on the wire, 0 when none could be sent.
    pub(super) fn probe_with_padding(
        &mut self,
        lane: &mut Lane<'_>,
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
        let stamps = self.fresh_stamps(lane);
        let slot = self.transmits.slot();
        let Ok(written) = write_padding_packet(slot, &rewrite, &consumer.plan, padding_bytes) else { return 0 };
        stamps.write(&written.stamps, slot);
        let Ok(len) = lane.seal.seal_rtp(&mut rtx.seal, slot, written.header_len, written.len) else { return 0 };
        rtx.next_sequence = rtx.next_sequence.wrapping_add(1);
        self.leave(lane, TransmitClass::Video, &written, len, SentKind::Probation).len
    }

    fn resend_in_rtx(
        &mut self,
        lane: &mut Lane<'_>,
        rtx: &mut RtxTarget,
        plan: &ExtensionPlan,
        (original, sent): (&HeaderRewrite, &Sent),
        (incoming, taken): (&Incoming<'_>, &Taken<'_>),
        kind: SentKind,
    ) -> Option<Left> {
        let &(_, payload_type) = rtx.payload_types.iter().find(|(of, _)| *of == original.payload_type)?;
        let rewrite = HeaderRewrite { ssrc: rtx.ssrc, payload_type, sequence_number: rtx.next_sequence, ..*original };
        let stamps = self.fresh_stamps(lane);
        let slot = self.transmits.slot();
        let written = write_rtx_packet(slot, &rewrite, plan, &taken.source, original.sequence_number).ok()?;
        stamps.write(&written.stamps, slot);
        number_payload(slot, &written, incoming, taken, sent.numbers);
        let len = lane.seal.seal_rtp(&mut rtx.seal, slot, written.header_len, written.len).ok()?;
        rtx.next_sequence = rtx.next_sequence.wrapping_add(1);
        Some(self.leave(lane, TransmitClass::Video, &written, len, kind))
    }

    fn repeat(
        &mut self,
        lane: &mut Lane<'_>,
        consumer: &Consumer,
        (original, sent): (&HeaderRewrite, &Sent),
        (incoming, taken): (&Incoming<'_>, &Taken<'_>),
    ) -> Option<Left> {
        // Nothing may differ from what was sealed under this number before.
        let stamps = Stamps { abs_send_time: sent.abs_send_time, wide_sequence: sent.wide_sequence };
        let slot = self.transmits.slot();
        let written = write_packet(slot, original, &consumer.plan, &taken.source, incoming.padding).ok()?;
        stamps.write(&written.stamps, slot);
        number_payload(slot, &written, incoming, taken, sent.numbers);
        let len = lane.seal.repeat_rtp(&consumer.seal, slot, written.header_len, written.len).ok()?;
        lane.run = self.transmits.commit_behind(lane.run, &lane.tuple, class(consumer.kind), len);
        self.sent += 1;
        lane.counters.handle_sent(len, SentKind::Rtp);
        let wide_sequence = written.stamps.transport_cc.map(|_| sent.wide_sequence);
        Some(Left { written_len: written.len, wide_sequence, len })
    }

    fn fresh_stamps(&self, lane: &Lane<'_>) -> Stamps {
        let wide_sequence = lane.downlink.next_wide_sequence;
        Stamps { abs_send_time: self.abs_send_time, wide_sequence }
    }

    /// Queues and counts what is in the slot. Its transport-wide number was used if it had a place for one.
    #[inline(always)]
    fn leave(
        &mut self,
        lane: &mut Lane<'_>,
        class: TransmitClass,
        written: &WrittenPacket,
        len: usize,
        kind: SentKind,
    ) -> Left {
        lane.run = self.transmits.commit_behind(lane.run, &lane.tuple, class, len);
        self.sent += 1;
        lane.counters.handle_sent(len, kind);
        let used = lane.downlink.next_wide_sequence;
        let wide_sequence = written.stamps.transport_cc.map(|_| used);
        if wide_sequence.is_some() {
            lane.downlink.handle_sent(self.now, len, self.probe);
        } else {
            lane.downlink.handle_sent_untracked(self.now, len, self.probe);
        }
        Left { written_len: written.len, wide_sequence, len }
    }

    fn trace(
        &mut self,
        lane: &Lane<'_>,
        consumer: &Consumer,
        rewrite: &HeaderRewrite,
        left: &Left,
        incoming: &Incoming<'_>,
        is_rtx: bool,
    ) {
        if consumer.traces.wants_packets() {
            let packet = sent_packet(consumer.kind, rewrite, left.written_len, left.wide_sequence, incoming);
            let info = consumer.traces.packet(packet, is_rtx);
            self.traces.tell(consumer.traced(lane.router), self.ntp, TraceDirection::Out, info);
        }
    }
}

fn class(kind: MediaKind) -> TransmitClass {
    match kind {
        MediaKind::Audio => TransmitClass::Audio,
        MediaKind::Video => TransmitClass::Video,
    }
}

/// The header that a packet was first sent with.
fn original(consumer: &Consumer, sequence_number: u16, sent: &Sent, taken: &Taken<'_>) -> HeaderRewrite {
    HeaderRewrite {
        ssrc: consumer.ssrc,
        payload_type: taken.payload_type,
        sequence_number,
        timestamp: sent.timestamp,
        marker: sent.marker,
    }
}

/// Writes the consumer's own numbers into the payload: picture id and TL0PICIDX, or the payload type of redundant blocks.
fn number_payload(
    packet: &mut [u8],
    written: &WrittenPacket,
    incoming: &Incoming<'_>,
    taken: &Taken<'_>,
    numbers: Option<(u16, u8)>,
) {
    let payload_end = written.payload_start + taken.source.payload.len();
    let Some(payload) = packet.get_mut(written.payload_start..payload_end) else { return };
    if let (Some(places), Some((picture_id, tl0_picture_index))) = (incoming.frame.numbers, numbers) {
        places.write(payload, picture_id, tl0_picture_index);
    }
    if let Some(red) = taken.red {
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
