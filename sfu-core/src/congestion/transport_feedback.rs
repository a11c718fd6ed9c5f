//! Transport-wide feedback to a sender (draft-holmer-rmcat-transport-wide-cc-extensions-01): when each of its packets
//! arrived, from which it estimates its path.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, SymbolTypeTcc, TransportLayerCc,
};

use crate::ids::Ssrc;

mod chunks;

/// Longest time that an arrival waits to be reported: the quick end of what libwebrtc itself uses (50 to 250 ms). A
/// sender's estimate reacts no sooner than its feedback comes.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);

/// Arrivals at which feedback goes out before its time, so that one datagram holds them.
pub const FEEDBACK_PENDING_PACKETS: usize = 400;

/// Numbers remembered, received or not: 8 000 packets a second over [`HISTORY_AGE`], about 80 Mbit/s. Beyond it the
/// oldest are forgotten, reported or not; a jump of more starts anew.
pub const MAX_HISTORY_PACKETS: usize = 4096;

/// How long a reported number is remembered, in case its packet comes late: it is then reported again, received, and
/// the sender takes back the loss.
pub const HISTORY_AGE: Duration = Duration::from_millis(500);

/// The largest feedback message: leaves room for an RTCP compound's head in its datagram.
pub const MAX_FEEDBACK_BYTES: usize = 1100;

/// Arrival times are told in ticks of 250 µs, and the reference time in 64 ms, 256 of them (section 3.1).
const TICK_US: u64 = 250;
const TICKS_PER_REFERENCE: u64 = 256;

/// Header, SSRCs, base, count, reference time and feedback count.
const FIXED_BYTES: usize = 20;

/// The arrivals on one transport, by transport-wide sequence number.
#[derive(Debug, Clone, Default)]
pub struct TransportFeedback {
    /// The first packet's time, which ticks are counted from.
    origin: Option<Instant>,
    /// Slots for the numbers from `first` on.
    slots: VecDeque<Slot>,
    first: u64,
    /// The first number that no feedback has covered, or that has to be covered again.
    unreported_from: u64,
    /// Arrivals since the last feedback.
    pending: usize,
    due_at: Option<Instant>,
    /// Feedback messages so far; wraps (section 3.1, "fb pkt. count").
    count: u8,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// When the packet arrived, or when it was noticed to be missing.
    ticks: u64,
    received: bool,
}

impl TransportFeedback {
    /// Takes a packet's arrival. Duplicates, and packets later than the history reaches, are ignored.
    pub fn handle_packet(&mut self, now: Instant, wide_seq: u16) {
        let origin = *self.origin.get_or_insert(now);
        let ticks = now.saturating_duration_since(origin).as_micros() as u64 / TICK_US;
        let end = self.first + self.slots.len() as u64;
        let extended = if end == 0 { FIRST_CYCLE + u64::from(wide_seq) } else { unwrap_near(end - 1, wide_seq) };
        if extended >= end {
            self.append(extended, end, ticks);
        } else if !self.fill(extended, ticks) {
            return;
        }
        self.pending += 1;
        self.due_at.get_or_insert(now + FEEDBACK_INTERVAL);
        if self.pending >= FEEDBACK_PENDING_PACKETS {
            self.due_at = Some(now);
        }
    }

    /// The feedback to send at `now`, if it is due; call until `None`. Nothing is sent when nothing was received.
    /// `sender_ssrc` is ours, `media_ssrc` any stream of the sender.
    pub fn poll_feedback(&mut self, now: Instant, sender_ssrc: Ssrc, media_ssrc: Ssrc) -> Option<TransportLayerCc> {
        if self.due_at? > now {
            return None;
        }
        let Some(report) = self.build_report() else {
            self.pending = 0;
            self.due_at = None;
            self.trim(now);
            return None;
        };
        let Report { base, statuses, reference_time, packet_chunks, recv_deltas } = report;
        self.unreported_from = base + u64::from(statuses);
        let fb_pkt_count = self.count;
        self.count = self.count.wrapping_add(1);
        Some(TransportLayerCc {
            sender_ssrc: sender_ssrc.0,
            media_ssrc: media_ssrc.0,
            base_sequence_number: base as u16,
            packet_status_count: statuses,
            reference_time,
            fb_pkt_count,
            packet_chunks,
            recv_deltas,
        })
    }

    /// When [`poll_feedback`](Self::poll_feedback) is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due_at
    }

    /// Adds a number ahead of all others, and the missing ones between.
    fn append(&mut self, extended: u64, end: u64, ticks: u64) {
        let is_first = end == 0;
        if is_first || extended - end >= MAX_HISTORY_PACKETS as u64 {
            self.slots.clear();
            self.first = extended;
        } else {
            self.slots.extend((end..extended).map(|_| Slot { ticks, received: false }));
        }
        self.slots.push_back(Slot { ticks, received: true });
        while self.slots.len() > MAX_HISTORY_PACKETS {
            self.slots.pop_front();
            self.first += 1;
        }
        self.unreported_from = self.unreported_from.max(self.first);
    }

    /// Marks a number within the history, or a little before its beginning, as received. False if it is none, or
    /// received already.
    fn fill(&mut self, extended: u64, ticks: u64) -> bool {
        let slot = extended.checked_sub(self.first).and_then(|index| self.slots.get_mut(index as usize));
        let Some(slot) = slot.filter(|slot| !slot.received) else { return false };
        *slot = Slot { ticks, received: true };
        self.unreported_from = self.unreported_from.min(extended);
        true
    }

    /// Encodes from the first unreported number to the last received one, or as far as one message reaches.
    fn build_report(&self) -> Option<Report> {
        let start = self.unreported_from.saturating_sub(self.first) as usize;
        let first_arrival = self.slots.iter().skip(start).find(|slot| slot.received)?.ticks;
        let reference = first_arrival / TICKS_PER_REFERENCE;
        let mut symbols = Vec::new();
        let mut deltas = Vec::new();
        let mut previous = reference * TICKS_PER_REFERENCE;
        for slot in self.slots.iter().skip(start) {
            if !slot.received {
                symbols.push(SymbolTypeTcc::PacketNotReceived);
                continue;
            }
            let Some(delta) = to_delta(slot.ticks as i64 - previous as i64) else { break };
            previous = slot.ticks;
            symbols.push(delta.type_tcc_packet);
            deltas.push(delta);
        }
        // Halved until it fits: rarely more than once, for the history is short of two messages in most cases.
        loop {
            // Up to the last received one: what is missing after it may still come.
            truncate_after_received(&mut symbols, deltas.len());
            let packet_chunks = chunks::encode(&symbols);
            if deltas.len() <= 1 || encoded_bytes(&packet_chunks, &deltas) <= MAX_FEEDBACK_BYTES {
                return Some(Report {
                    base: self.unreported_from,
                    statuses: symbols.len() as u16,
                    // 24 bits: wraps after twelve days, which senders expect.
                    reference_time: (reference & 0x00ff_ffff) as u32,
                    packet_chunks,
                    recv_deltas: deltas,
                });
            }
            deltas.truncate(deltas.len() / 2);
        }
    }

    /// Forgets numbers older than [`HISTORY_AGE`]. To be called when all are reported.
    fn trim(&mut self, now: Instant) {
        let Some(origin) = self.origin else { return };
        let age_ticks = HISTORY_AGE.as_micros() as u64 / TICK_US;
        let now_ticks = now.saturating_duration_since(origin).as_micros() as u64 / TICK_US;
        while self.slots.front().is_some_and(|slot| slot.ticks + age_ticks < now_ticks) {
            self.slots.pop_front();
            self.first += 1;
        }
    }
}

struct Report {
    base: u64,
    statuses: u16,
    reference_time: u32,
    packet_chunks: Vec<PacketStatusChunk>,
    recv_deltas: Vec<RecvDelta>,
}

/// Numbers start a cycle above zero, so that those reordered around the first do not fall below it.
const FIRST_CYCLE: u64 = 1 << 16;

/// The number nearest to `newest` that ends in `wide_seq`.
fn unwrap_near(newest: u64, wide_seq: u16) -> u64 {
    let distance = wide_seq.wrapping_sub(newest as u16) as i16;
    newest.saturating_add_signed(i64::from(distance))
}

/// None if the time between two arrivals is more than a delta can tell: 8 s.
fn to_delta(ticks: i64) -> Option<RecvDelta> {
    let type_tcc_packet = if (0..=i64::from(u8::MAX)).contains(&ticks) {
        SymbolTypeTcc::PacketReceivedSmallDelta
    } else if i16::try_from(ticks).is_ok() {
        SymbolTypeTcc::PacketReceivedLargeDelta
    } else {
        return None;
    };
    Some(RecvDelta { type_tcc_packet, delta: ticks * TICK_US as i64 })
}

fn truncate_after_received(symbols: &mut Vec<SymbolTypeTcc>, received: usize) {
    let last = symbols
        .iter()
        .enumerate()
        .filter(|(_, symbol)| **symbol != SymbolTypeTcc::PacketNotReceived)
        .take(received)
        .last();
    let end = last.map_or(0, |(index, _)| index + 1);
    symbols.truncate(end);
}

fn encoded_bytes(packet_chunks: &[PacketStatusChunk], deltas: &[RecvDelta]) -> usize {
    let is_large = |delta: &&RecvDelta| delta.type_tcc_packet == SymbolTypeTcc::PacketReceivedLargeDelta;
    FIXED_BYTES + packet_chunks.len() * 2 + deltas.len() + deltas.iter().filter(is_large).count()
}

#[cfg(test)]
mod tests;
