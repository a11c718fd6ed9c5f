//! What was sent and is not yet accounted for, by transport-wide sequence number.

use std::collections::VecDeque;

use super::cluster::ProbeId;

/// Packets remembered at most: one and a half seconds at 50 Mbit/s. Beyond it the oldest are forgotten, and what is
/// told of them later is ignored. The memory grows only as far as a path's round trip needs it.
pub const MAX_SENT_PACKETS: usize = 8192;

/// How long a packet that nothing was heard of is remembered: longer than any round trip worth a call, and enough for
/// the queue of a path that was interrupted.
const MAX_AGE_US: i64 = 10_000_000;

/// Numbers that the sender may leave out. A wider jump starts the history anew.
const MAX_SKIPPED_NUMBERS: u16 = 64;

/// One packet sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentPacket {
    pub(super) sent_us: i64,
    pub(super) bytes: u32,
    /// Bytes of all packets up to this one.
    pub(super) total_bytes: u64,
    pub(super) probe: Option<ProbeId>,
    pub(super) fate: Fate,
}

/// What is known of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// No feedback covered it: in flight, most likely.
    Unknown,
    /// Later packets were covered by feedback and it was not: its feedback was lost.
    Untold,
    /// Feedback covered it and had not seen it. It may still be late.
    Missing,
    Received,
    /// The number was never sent.
    Skipped,
}

/// Packets in the order of their numbers, which is that of sending.
#[derive(Debug, Clone, Default)]
pub(super) struct SentHistory {
    packets: VecDeque<SentPacket>,
    /// The unwrapped number of the first packet in `packets`.
    first: u64,
    total_bytes: u64,
}

impl SentHistory {
    pub(super) fn handle_sent(&mut self, sent_us: i64, wide_sequence: u16, bytes: u32, probe: Option<ProbeId>) {
        let end = self.end();
        let skipped = wide_sequence.wrapping_sub(end as u16);
        if self.first == 0 {
            // One cycle above zero, so that a base number below the first sent one does not fall below it.
            self.first = (1 << 16) + u64::from(wide_sequence);
        } else if self.packets.is_empty() || skipped > MAX_SKIPPED_NUMBERS {
            self.packets.clear();
            self.first = end + u64::from(skipped);
        } else {
            for _ in 0..skipped {
                self.push(sent_us, 0, None, Fate::Skipped);
            }
        }
        self.push(sent_us, bytes, probe, Fate::Unknown);
    }

    /// Bytes of all packets sent.
    pub(super) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// The unwrapped number after the last one sent.
    pub(super) fn end(&self) -> u64 {
        self.first + self.packets.len() as u64
    }

    /// The unwrapped number of `wide_sequence`, taken as one not later than the last sent.
    pub(super) fn unwrap(&self, wide_sequence: u16) -> u64 {
        let last = self.end().saturating_sub(1);
        last.saturating_sub(u64::from((last as u16).wrapping_sub(wide_sequence)))
    }

    /// Marks a packet as received. The packet as it was before, if it was sent and not already known as received.
    pub(super) fn receive(&mut self, sequence: u64) -> Option<SentPacket> {
        let packet = self.get_mut(sequence)?;
        if matches!(packet.fate, Fate::Received | Fate::Skipped) {
            return None;
        }
        let before = *packet;
        packet.fate = Fate::Received;
        Some(before)
    }

    /// Marks a packet as missing, unless it is known as received.
    pub(super) fn miss(&mut self, sequence: u64) {
        if let Some(packet) = self.get_mut(sequence).filter(|packet| packet.fate == Fate::Unknown) {
            packet.fate = Fate::Missing;
        }
    }

    /// Marks those of which nothing is known below `until` as packets whose feedback was lost, and hands them to `each`.
    pub(super) fn mark_untold(&mut self, from: u64, until: u64, mut each: impl FnMut(&SentPacket)) {
        let start = from.saturating_sub(self.first);
        let end = until.saturating_sub(self.first).min(self.packets.len() as u64);
        if start >= end {
            return;
        }
        for packet in self.packets.range_mut(start as usize..end as usize) {
            if packet.fate == Fate::Unknown {
                packet.fate = Fate::Untold;
                each(packet);
            }
        }
    }

    /// Hands every packet sent until `until_us` to `each`, with what is known of it, and forgets it.
    pub(super) fn settle(&mut self, until_us: i64, mut each: impl FnMut(&SentPacket)) {
        while let Some(packet) = self.packets.front().filter(|packet| packet.sent_us <= until_us) {
            each(packet);
            self.pop();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    fn push(&mut self, sent_us: i64, bytes: u32, probe: Option<ProbeId>, fate: Fate) {
        let too_old = sent_us - MAX_AGE_US;
        while self.packets.len() >= MAX_SENT_PACKETS || self.packets.front().is_some_and(|old| old.sent_us < too_old) {
            self.pop();
        }
        self.total_bytes += u64::from(bytes);
        self.packets.push_back(SentPacket { sent_us, bytes, total_bytes: self.total_bytes, probe, fate });
    }

    fn pop(&mut self) {
        if self.packets.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn get_mut(&mut self, sequence: u64) -> Option<&mut SentPacket> {
        let index = sequence.checked_sub(self.first)?;
        self.packets.get_mut(usize::try_from(index).ok()?)
    }
}
