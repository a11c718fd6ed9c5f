//! The packets of a stream, kept once for every consumer's retransmissions.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::ring::{self, Ring};
use crate::rtp::codecs::FrameInfo;

/// Packets kept of a video stream: 2 s at 500 packets a second, about 5 Mbit/s. A faster stream is kept for less time.
/// A power of two.
pub const VIDEO_STORE_PACKETS: usize = 1024;

/// Packets kept of an audio stream: more than 2 s at 50 packets a second. A power of two.
pub const AUDIO_STORE_PACKETS: usize = 128;

/// Slots that a store begins with.
const FIRST_RING: usize = 64;

/// A packet older than this is not sent again: no receiver's jitter buffer still waits for it.
pub const MAX_STORED_AGE: Duration = Duration::from_secs(2);

/// The largest packet that is kept: an Ethernet frame's payload. A larger one is forwarded but cannot be asked for
/// again.
pub const MAX_STORED_PACKET_BYTES: usize = 1500;

/// What rebuilding a packet needs to know, parsed when it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHeader {
    /// RTP timestamp.
    pub timestamp: u32,
    /// RTP marker bit.
    pub marker: bool,
    /// What was read of the frame that it belongs to.
    pub frame: FrameInfo,
    /// Where the payload without its padding is in the packet.
    pub payload: Range<usize>,
    /// Bytes of padding that consumers get with it, so that a picture's packets are equally long: every one the same, for a
    /// packet that is sent again must be the very same.
    pub padding: u8,
}

/// A packet as it was received, decrypted, from the first byte of its RTP header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPacket {
    extended: u64,
    received_at: Instant,
    header: StoredHeader,
    bytes: Vec<u8>,
}

impl StoredPacket {
    /// Its unwrapped sequence number.
    pub fn extended(&self) -> u64 {
        self.extended
    }

    /// What was parsed of it on arrival.
    pub fn header(&self) -> &StoredHeader {
        &self.header
    }

    /// The whole packet, for its header extensions.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its payload without padding; empty if the range given at insertion lay outside the packet.
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(self.header.payload.clone()).unwrap_or_default()
    }
}

/// A ring of one stream's latest packets, by unwrapped sequence number: as many as came within [`MAX_STORED_AGE`], up to its
/// capacity.
///
/// Slots are made as they are first needed and their buffers used again: no allocation in a steady stream.
#[derive(Debug)]
pub struct PacketStore {
    ring: Ring,
    slots: Vec<Option<StoredPacket>>,
    newest_at: Option<Instant>,
    /// Of all that came: what buffers are made for.
    largest_bytes: usize,
}

impl PacketStore {
    /// A store of at most `capacity` packets, rounded up to a power of two.
    pub fn new(capacity: usize) -> Self {
        Self { ring: Ring::new(FIRST_RING, capacity), slots: Vec::new(), newest_at: None, largest_bytes: 0 }
    }

    /// Keeps a copy of a packet. False if it was not kept: too large, or older than what its slot holds.
    pub fn insert(&mut self, now: Instant, extended: u64, header: StoredHeader, packet: &[u8]) -> bool {
        if packet.len() > MAX_STORED_PACKET_BYTES {
            return false;
        }
        if self.slots.is_empty() {
            self.ring.begin(extended);
        }
        let mut index = self.ring.place(extended);
        while !self.ring.is_full() && self.slots.get(index).is_some_and(|kept| is_wanted(kept, now, extended)) {
            self.grow();
            index = self.ring.place(extended);
        }
        let Some(slot) = ring::made(&mut self.slots, index) else { return false };
        self.newest_at = Some(self.newest_at.map_or(now, |newest_at| newest_at.max(now)));
        self.largest_bytes = self.largest_bytes.max(packet.len());
        match slot {
            Some(kept) if kept.extended > extended => return false,
            Some(kept) => {
                kept.extended = extended;
                kept.received_at = now;
                kept.header = header;
                kept.bytes.clear();
                if kept.bytes.capacity() < packet.len() {
                    // Exact, for the usual doubling would leave a whole ring of half-empty buffers.
                    kept.bytes.reserve_exact(self.largest_bytes);
                }
                kept.bytes.extend_from_slice(packet);
            }
            None => {
                // Sooner or later as large a packet comes to each slot: no buffer is to be made twice for it.
                let mut bytes = Vec::with_capacity(self.largest_bytes);
                bytes.extend_from_slice(packet);
                *slot = Some(StoredPacket { extended, received_at: now, header, bytes });
            }
        }
        true
    }

    /// The packet with this number, unless it is gone or older than [`MAX_STORED_AGE`].
    pub fn get(&self, now: Instant, extended: u64) -> Option<&StoredPacket> {
        let packet = self.slots.get(self.ring.place(extended))?.as_ref()?;
        let fresh = now.saturating_duration_since(packet.received_at) <= MAX_STORED_AGE;
        (packet.extended == extended && fresh).then_some(packet)
    }

    /// Says of a packet anew which frame it is of.
    pub(crate) fn set_frame(&mut self, extended: u64, frame: FrameInfo) {
        let index = self.ring.place(extended);
        if let Some(Some(packet)) = self.slots.get_mut(index)
            && packet.extended == extended
        {
            packet.header.frame = frame;
        }
    }

    /// Says how much padding a packet gets. To be called before any consumer has it.
    pub(crate) fn set_padding(&mut self, extended: u64, padding: u8) {
        let index = self.ring.place(extended);
        if let Some(Some(packet)) = self.slots.get_mut(index)
            && packet.extended == extended
        {
            packet.header.padding = padding;
        }
    }

    /// Frees the memory of a stream that has been silent for [`MAX_STORED_AGE`] (paused, muted, ended): nothing in it
    /// would be sent again. To be called now and then, e.g. with each report.
    pub fn release_if_idle(&mut self, now: Instant) {
        if self.newest_at.is_some_and(|newest_at| now.saturating_duration_since(newest_at) > MAX_STORED_AGE) {
            self.slots = Vec::new();
            self.newest_at = None;
            self.largest_bytes = 0;
        }
    }

    /// Makes twice as many slots. Happens a few times in a stream's life, while its rate is higher than ever before.
    #[cold]
    fn grow(&mut self) {
        self.ring.double();
        let slots = std::mem::take(&mut self.slots);
        self.slots = self.ring.moved(slots, |_, slot| slot.as_ref().map(StoredPacket::extended));
    }
}

/// Whether a slot has an earlier packet that may still be asked for when another is to take its place.
fn is_wanted(kept: &Option<StoredPacket>, now: Instant, extended: u64) -> bool {
    kept.as_ref().is_some_and(|kept| {
        kept.extended < extended && now.saturating_duration_since(kept.received_at) <= MAX_STORED_AGE
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::origin;

    const SECOND: Duration = Duration::from_secs(1);

    fn header(len: usize) -> StoredHeader {
        StoredHeader { timestamp: 1, marker: true, frame: FrameInfo::NONE, payload: 12..len, padding: 0 }
    }

    fn insert(store: &mut PacketStore, now: Instant, extended: u64, packet: &[u8]) -> bool {
        store.insert(now, extended, header(packet.len()), packet)
    }

    /// Bytes held, the slots' table included.
    fn memory_bytes(store: &PacketStore) -> usize {
        let buffers: usize = store.slots.iter().flatten().map(|packet| packet.bytes.capacity()).sum();
        store.slots.capacity() * size_of::<Option<StoredPacket>>() + buffers
    }

    #[test]
    fn a_packet_comes_back_as_it_went_in() {
        let now = origin();
        let mut store = PacketStore::new(8);
        assert!(insert(&mut store, now, 70_000, &[9; 20]));
        let packet = store.get(now, 70_000).unwrap();
        assert_eq!(packet.extended(), 70_000);
        assert_eq!((packet.bytes(), packet.payload()), (&[9; 20][..], &[9; 8][..]));
        assert!(packet.header().marker);
        assert_eq!(store.get(now, 70_001), None);
        assert_eq!(store.get(now, 70_008), None, "another packet of the same slot must not pass for this one");
    }

    #[test]
    fn a_payload_range_outside_the_packet_reads_as_empty() {
        let now = origin();
        let mut store = PacketStore::new(8);
        store.insert(now, 1, header(2000), &[0; 20]);
        assert_eq!(store.get(now, 1).unwrap().payload(), &[] as &[u8]);
    }

    #[test]
    fn the_latest_packets_are_kept_and_the_older_fall_out() {
        let now = origin();
        let mut store = PacketStore::new(8);
        for extended in 100..120 {
            insert(&mut store, now, extended, &[0; 20]);
        }
        let kept: Vec<u64> = (90..130).filter(|&extended| store.get(now, extended).is_some()).collect();
        assert_eq!(kept, (112..120).collect::<Vec<_>>());
    }

    #[test]
    fn a_late_packet_fills_its_own_slot_but_never_a_newer_ones() {
        let now = origin();
        let mut store = PacketStore::new(8);
        for extended in [100, 102, 101, 99] {
            assert!(insert(&mut store, now, extended, &[0; 20]), "{extended}");
        }
        assert!(!insert(&mut store, now, 94, &[0; 20]));
        assert!(store.get(now, 102).is_some());
        assert!(store.get(now, 99).is_some());
    }

    #[test]
    fn an_old_packet_is_not_handed_out() {
        let now = origin();
        let mut store = PacketStore::new(8);
        insert(&mut store, now, 1, &[0; 20]);
        assert!(store.get(now + MAX_STORED_AGE, 1).is_some());
        assert!(store.get(now + MAX_STORED_AGE + Duration::from_millis(1), 1).is_none());
    }

    #[test]
    fn an_oversized_packet_is_refused() {
        let now = origin();
        let mut store = PacketStore::new(8);
        assert!(insert(&mut store, now, 1, &[0; MAX_STORED_PACKET_BYTES]));
        assert!(!insert(&mut store, now, 2, &[0; MAX_STORED_PACKET_BYTES + 1]));
    }

    #[test]
    fn memory_grows_with_use_stops_at_the_capacity_and_is_freed_when_idle() {
        let now = origin();
        let mut store = PacketStore::new(VIDEO_STORE_PACKETS);
        assert_eq!(memory_bytes(&store), 0);
        for extended in 0..10 {
            insert(&mut store, now, extended, &[0; 1200]);
        }
        assert!(memory_bytes(&store) < 30_000, "a stream that sends little must cost little");
        for extended in 10..5000 {
            insert(&mut store, now, extended, &[0; 1200]);
        }
        let full = memory_bytes(&store);
        for extended in 5000..10_000 {
            insert(&mut store, now, extended, &[0; 1200]);
        }
        assert_eq!(memory_bytes(&store), full);
        assert!(full <= VIDEO_STORE_PACKETS * (1200 + 150), "{full}");
        store.release_if_idle(now + SECOND);
        assert_eq!(memory_bytes(&store), full);
        store.release_if_idle(now + 3 * SECOND);
        assert_eq!(memory_bytes(&store), 0);
        assert!(insert(&mut store, now + 4 * SECOND, 20_000, &[0; 20]));
        assert!(store.get(now + 4 * SECOND, 20_000).is_some());
    }

    #[test]
    fn a_buffer_that_grows_grows_no_further_than_its_packet() {
        let now = origin();
        let mut store = PacketStore::new(1);
        insert(&mut store, now, 1, &[0; 1000]);
        insert(&mut store, now, 2, &[0; 1001]);
        assert_eq!(store.get(now, 2).unwrap().bytes.capacity(), 1001);
    }

    /// Harm prevented: a voice or a small picture takes the memory of a stream of 5 Mbit/s.
    #[test]
    fn a_store_has_room_for_what_comes_in_two_seconds_and_for_little_more() {
        for (per_second, slots) in [(30, 64), (50, 128), (120, 256), (500, 1024), (2_000, 1024)] {
            let mut store = PacketStore::new(VIDEO_STORE_PACKETS);
            let mut now = origin();
            let interval = SECOND / per_second;
            for extended in 0..u64::from(per_second) * 10 {
                now += interval;
                assert!(insert(&mut store, now, extended, &[0; 20]));
            }
            assert_eq!(store.slots.len(), slots, "{per_second} packets a second");
            let newest = u64::from(per_second) * 10 - 1;
            for back in 0..u64::from(per_second * 2).min(VIDEO_STORE_PACKETS as u64) {
                assert!(store.get(now, newest - back).is_some(), "{per_second} a second, {back} before the newest");
            }
        }
    }

    /// Harm prevented: a stream's last packets of its frames are small, and for minutes each slot would be made anew when a large one
    /// comes to it.
    #[test]
    fn a_small_packets_buffer_has_room_for_one_as_large_as_any_before() {
        let now = origin();
        let mut store = PacketStore::new(8);
        for (extended, len) in [(0, 1200), (1, 100), (2, 1200)] {
            insert(&mut store, now, extended, &vec![0; len]);
        }
        let before = store.get(now, 1).unwrap().bytes().as_ptr();
        insert(&mut store, now, 9, &[0; 1200]);
        assert_eq!(store.get(now, 9).unwrap().bytes().as_ptr(), before);
    }

    #[test]
    fn a_steady_streams_buffers_are_used_again() {
        let now = origin();
        let mut store = PacketStore::new(8);
        for extended in 0..8 {
            insert(&mut store, now, extended, &[0; 1200]);
        }
        let before: Vec<*const u8> =
            (0..8).map(|extended| store.get(now, extended).unwrap().bytes().as_ptr()).collect();
        for extended in 8..16 {
            insert(&mut store, now, extended, &[1; 1100]);
        }
        let after: Vec<*const u8> =
            (8..16).map(|extended| store.get(now, extended).unwrap().bytes().as_ptr()).collect();
        assert_eq!(before, after);
    }
}
