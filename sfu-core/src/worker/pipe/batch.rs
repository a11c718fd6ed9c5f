//! What goes through a pipe in one go, in one buffer that is used again and again.

use std::ops::Range;

use crate::ids::Ssrc;
use crate::producer::packet_store::StoredHeader;
use crate::producer::receive_stream::{SourceReport, StreamMirror};
use crate::rtp::codecs::FrameInfo;
use crate::worker::ProducerKey;

/// Packets that wait at a pipe's head at most, while the other worker is behind: at the 3 µs that one consumer of a packet costs,
/// so many keep fifty consumers' worker busy for a third of a second. At the limit the older half of the waiting video is
/// dropped, and where there is none, of the sound.
pub const PIPE_PACKETS_MAX: usize = 2048;

/// The same in bytes, for large packets.
pub const PIPE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Packets and news of producers, in order.
#[derive(Debug, Default)]
pub struct PipeBatch {
    entries: Vec<Entry>,
    /// The packets' bytes, one after the other in the order of the entries.
    bytes: Vec<u8>,
    packets: usize,
    /// The entry that is taken out next.
    next: usize,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) shadow: ProducerKey,
    pub(super) news: News,
}

#[derive(Debug)]
pub(super) enum News {
    Packet(PipedPacket),
    State {
        paused: bool,
        selected: bool,
    },
    /// The clock of an encoding's stream.
    Report {
        encoding: usize,
        ssrc: Ssrc,
        report: SourceReport,
    },
    /// How an encoding's stream arrives.
    Stream {
        encoding: usize,
        mirror: Box<StreamMirror>,
    },
    Closed,
}

/// A packet, its bytes aside.
#[derive(Debug, Clone)]
pub(super) struct PipedPacket {
    pub(super) encoding: usize,
    /// Of the encoding, also when the packet came as a retransmission.
    pub(super) ssrc: Ssrc,
    pub(super) extended: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) frame: FrameInfo,
    /// The payload without padding; empty for padding alone.
    pub(super) payload: Range<usize>,
    pub(super) restarted: bool,
    pub(super) reveals: bool,
    /// It came as a retransmission.
    pub(super) is_rtx: bool,
    /// It waits in the store for one that reveals it.
    pub(super) is_revealed: bool,
    pub(super) is_video: bool,
    /// Where it is in the batch.
    pub(super) bytes: Range<usize>,
}

impl PipedPacket {
    pub(super) fn new(encoding: usize, ssrc: Ssrc, extended: u64, header: &StoredHeader, is_video: bool) -> Self {
        Self {
            encoding,
            ssrc,
            extended,
            timestamp: header.timestamp,
            marker: header.marker,
            frame: header.frame,
            payload: header.payload.clone(),
            restarted: false,
            reveals: false,
            is_rtx: false,
            is_revealed: false,
            is_video,
            bytes: 0..0,
        }
    }
}

impl PipeBatch {
    /// Packets in it.
    pub fn packet_count(&self) -> usize {
        self.packets
    }

    /// Whether there is nothing in it, or all of it was taken out.
    pub fn is_empty(&self) -> bool {
        self.next >= self.entries.len()
    }

    /// Empties it, for the next use of its memory.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        (self.packets, self.next) = (0, 0);
    }

    /// Whether another packet is one too many.
    pub(super) fn is_full(&self) -> bool {
        self.packets >= PIPE_PACKETS_MAX || self.bytes.len() >= PIPE_BYTES_MAX
    }

    pub(super) fn push_packet(&mut self, shadow: ProducerKey, mut packet: PipedPacket, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        packet.bytes = start..self.bytes.len();
        self.entries.push(Entry { shadow, news: News::Packet(packet) });
        self.packets += 1;
    }

    /// Adds what is no packet. Of each kind the latest of a stream replaces the one before: while the other worker is behind,
    /// there is one of each at most.
    pub(super) fn push_news(&mut self, shadow: ProducerKey, news: News) {
        self.entries.retain(|entry| entry.shadow != shadow || !news.replaces(&entry.news));
        self.entries.push(Entry { shadow, news });
    }

    /// The next entry, with the bytes of its packet.
    pub(super) fn pop(&mut self) -> Option<(&Entry, &[u8])> {
        let entry = self.entries.get(self.next)?;
        self.next += 1;
        let bytes = match &entry.news {
            News::Packet(packet) => self.bytes.get(packet.bytes.clone()).unwrap_or_default(),
            _ => &[],
        };
        Some((entry, bytes))
    }

    /// Whose the entry was that was taken out last.
    pub(super) fn last_popped(&self) -> Option<ProducerKey> {
        Some(self.entries.get(self.next.checked_sub(1)?)?.shadow)
    }

    /// The packets, to be changed.
    pub(super) fn packets_mut(&mut self) -> impl Iterator<Item = (ProducerKey, &mut PipedPacket)> {
        self.entries.iter_mut().filter_map(|entry| match &mut entry.news {
            News::Packet(packet) => Some((entry.shadow, packet)),
            _ => None,
        })
    }

    /// Drops the older half of the video, or of the sound; each is told. How many there were.
    pub(super) fn drop_older_half(&mut self, video: bool, mut told: impl FnMut(ProducerKey, &PipedPacket)) -> usize {
        let packets = self.entries.iter().filter(|entry| entry.is_packet_of(video)).count();
        let (mut left, mut end) = (packets.div_ceil(2), 0);
        let bytes = &mut self.bytes;
        self.entries.retain_mut(|entry| {
            let is_dropped = left > 0 && entry.is_packet_of(video);
            let News::Packet(packet) = &mut entry.news else { return true };
            if is_dropped {
                left -= 1;
                told(entry.shadow, packet);
                return false;
            }
            let len = packet.bytes.len();
            bytes.copy_within(packet.bytes.clone(), end);
            packet.bytes = end..end + len;
            end += len;
            true
        });
        self.bytes.truncate(end);
        self.packets -= packets.div_ceil(2);
        packets.div_ceil(2)
    }
}

impl Entry {
    fn is_packet_of(&self, video: bool) -> bool {
        matches!(&self.news, News::Packet(packet) if packet.is_video == video)
    }
}

impl News {
    fn replaces(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::State { .. }, Self::State { .. }) => true,
            (Self::Report { encoding: new, .. }, Self::Report { encoding: old, .. })
            | (Self::Stream { encoding: new, .. }, Self::Stream { encoding: old, .. }) => new == old,
            // Nothing is of interest any more.
            (Self::Closed, Self::State { .. } | Self::Report { .. } | Self::Stream { .. }) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> StoredHeader {
        StoredHeader { timestamp: 1, marker: false, frame: FrameInfo::NONE, payload: 0..1, padding: 0 }
    }

    fn push(batch: &mut PipeBatch, extended: u64, is_video: bool, bytes: &[u8]) {
        let packet = PipedPacket::new(0, Ssrc(1), extended, &header(), is_video);
        batch.push_packet(ProducerKey::default(), packet, bytes);
    }

    fn state(paused: bool) -> News {
        News::State { paused, selected: true }
    }

    /// What is in it, as packets' numbers and bytes, and states.
    fn contents(batch: &mut PipeBatch) -> Vec<(u64, Vec<u8>)> {
        let mut contents = Vec::new();
        while let Some((entry, bytes)) = batch.pop() {
            contents.push(match &entry.news {
                News::Packet(packet) => (packet.extended, bytes.to_vec()),
                News::State { paused, .. } => (u64::from(*paused), b"state".to_vec()),
                other => panic!("{other:?}"),
            });
        }
        contents
    }

    #[test]
    fn packets_and_news_come_out_in_the_order_in_which_they_went_in() {
        let mut batch = PipeBatch::default();
        for _ in 0..2 {
            push(&mut batch, 1, true, b"one");
            batch.push_news(ProducerKey::default(), state(true));
            push(&mut batch, 2, false, b"two!");
            assert_eq!(batch.packet_count(), 2);
            let expected = [(1, b"one".to_vec()), (1, b"state".to_vec()), (2, b"two!".to_vec())];
            assert_eq!(contents(&mut batch), expected);
            assert!(batch.is_empty());
            batch.clear();
        }
    }

    /// Harm prevented: a worker that is behind makes voices break up while pictures pass.
    #[test]
    fn the_older_half_of_the_video_goes_first_and_the_bytes_of_the_rest_stay_its_own() {
        let mut batch = PipeBatch::default();
        batch.push_news(ProducerKey::default(), state(false));
        for number in 0..6_u8 {
            push(&mut batch, number.into(), number % 2 == 0, &vec![number; 3 + usize::from(number)]);
        }
        let mut dropped = Vec::new();
        assert_eq!(batch.drop_older_half(true, |_, packet| dropped.push(packet.extended)), 2);
        assert_eq!((dropped, batch.packet_count()), (vec![0, 2], 4));
        push(&mut batch, 6, true, &[6; 2]);
        let expected = [1_u8, 3, 4, 5, 6]
            .map(|number| (u64::from(number), vec![number; if number == 6 { 2 } else { 3 + usize::from(number) }]));
        assert_eq!(contents(&mut batch)[1..], expected);
    }

    /// Harm prevented: a peer that reports, or an owner who pauses, without end fills the memory while the other worker is behind.
    #[test]
    fn of_news_that_repeat_the_latest_stays() {
        let mut batch = PipeBatch::default();
        for number in 0..100 {
            batch.push_news(ProducerKey::default(), state(number % 2 == 0));
        }
        push(&mut batch, 7, true, b"x");
        assert_eq!(contents(&mut batch), [(0, b"state".to_vec()), (7, b"x".to_vec())]);
    }
}
