//! Which producer packet went out under which sequence number, so that a NACK can be answered from the shared store.

use std::time::{Duration, Instant};

use crate::producer::packet_store::{AUDIO_STORE_PACKETS, MAX_STORED_AGE, VIDEO_STORE_PACKETS};
use crate::rtp::extensions::AbsSendTime;

/// Entries for a video consumer: as many as the store has packets. A power of two.
pub const VIDEO_HISTORY_PACKETS: usize = VIDEO_STORE_PACKETS;

/// Entries for an audio consumer. A power of two.
pub const AUDIO_HISTORY_PACKETS: usize = AUDIO_STORE_PACKETS;

/// How often one packet is sent again. libwebrtc asks ten times at most; a peer that asks more often gets nothing.
pub const MAX_RESENDS: u8 = 10;

/// The least time between two resends of a packet, whatever the round trip: two NACKs that crossed are one wish.
pub const MIN_RESEND_INTERVAL: Duration = Duration::from_millis(10);

/// Where a sent packet came from and how it was rewritten: enough to write the same bytes again, for a peer without
/// RTX must be sent nothing else under the same number (see [`crate::srtp::SealContext::repeat_rtp`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The producer's unwrapped sequence number, which the packet store is asked for.
    pub source_extended: u64,
    /// The RTP timestamp that the packet was sent with.
    pub timestamp: u32,
    /// Which of the producer's streams it came from, as the caller numbers them; a stored packet of another stream
    /// may have the same sequence number.
    pub generation: u8,
    /// The time of sending that was stamped; anything where the peer takes none.
    pub abs_send_time: AbsSendTime,
    /// The transport-wide sequence number that was stamped (draft-holmer-rmcat-transport-wide-cc-extensions-01
    /// section 2); anything where the peer takes none.
    pub wide_sequence: u16,
    /// The marker bit.
    pub marker: bool,
    /// The picture id, of at most 15 bits, and the TL0PICIDX that were written into the payload.
    pub numbers: Option<(u16, u8)>,
}

/// Why a packet is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResendRefusal {
    /// It never went out, or so long ago that another has taken its place.
    #[error("the peer asked for a packet that was not sent to it lately")]
    Unknown,
    /// It went out longer ago than [`MAX_STORED_AGE`].
    #[error("the peer asked for a packet that is too old")]
    TooOld,
    /// It was sent again less than a round trip ago: the copy is on its way.
    #[error("the peer asked again within a round trip")]
    InFlight,
    /// It was sent again [`MAX_RESENDS`] times.
    #[error("the peer asked too often for one packet")]
    TooOften,
}

/// A consumer's latest packets by their outgoing sequence number: no payloads, 40 bytes a packet. Memory grows with
/// use up to the capacity.
#[derive(Debug, Clone)]
pub struct SendHistory {
    capacity: usize,
    entries: Vec<Entry>,
    /// The sequence number and the time of the first packet: the ring's phase and the origin of its millisecond times.
    first: Option<(u16, Instant)>,
    /// The highest sequence number recorded, once there is a first.
    newest: u16,
}

/// [`Sent`] and its times, field by field: as a field of its own it would end in padding.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    source_extended: u64,
    timestamp: u32,
    abs_send_time: AbsSendTime,
    sent_at_ms: u32,
    resent_at_ms: u32,
    /// The outgoing sequence number.
    sequence: u16,
    generation: u8,
    wide_sequence: u16,
    /// [`NO_PICTURE`] where none was written.
    picture_id: u16,
    tl0_picture_index: u8,
    resends: u8,
    marker: bool,
    /// False where nothing was sent yet.
    is_used: bool,
}

/// No picture id has the highest bit.
const NO_PICTURE: u16 = u16::MAX;

impl Entry {
    fn new(sequence: u16, sent: Sent, sent_at_ms: u32) -> Self {
        let Sent { source_extended, timestamp, generation, abs_send_time, wide_sequence, marker, numbers } = sent;
        let (picture_id, tl0_picture_index) = numbers.unwrap_or((NO_PICTURE, 0));
        Self {
            source_extended,
            timestamp,
            abs_send_time,
            sent_at_ms,
            resent_at_ms: 0,
            sequence,
            generation,
            wide_sequence,
            picture_id,
            tl0_picture_index,
            resends: 0,
            marker,
            is_used: true,
        }
    }

    fn sent(&self) -> Sent {
        let &Self { source_extended, timestamp, generation, abs_send_time, wide_sequence, marker, .. } = self;
        let numbers = (self.picture_id != NO_PICTURE).then_some((self.picture_id, self.tl0_picture_index));
        Sent { source_extended, timestamp, generation, abs_send_time, wide_sequence, marker, numbers }
    }
}

impl SendHistory {
    /// A history of at most `capacity` packets, rounded up to a power of two and to at most half of all numbers.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.clamp(1, 1 << 15).next_power_of_two(), entries: Vec::new(), first: None, newest: 0 }
    }

    /// Notes a packet that was sent for the first time.
    pub fn record(&mut self, now: Instant, sequence: u16, sent: Sent) {
        if self.first.is_none() || sequence.wrapping_sub(self.newest) < 1 << 15 {
            self.newest = sequence;
        }
        let (_, origin) = *self.first.get_or_insert((sequence, now));
        let Some(index) = self.index(sequence) else { return };
        if index >= self.entries.len() {
            self.entries.resize(index + 1, Entry::default());
        }
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = Entry::new(sequence, sent, ms_since(origin, now));
        }
    }

    /// Looks up a packet that the peer asked for, and counts it as sent again. `rtt` is the round trip to the peer.
    pub fn lookup_for_nack(&mut self, now: Instant, sequence: u16, rtt: Duration) -> Result<Sent, ResendRefusal> {
        let (_, origin) = self.first.ok_or(ResendRefusal::Unknown)?;
        let index = self.index(sequence).ok_or(ResendRefusal::Unknown)?;
        let entry = self
            .entries
            .get_mut(index)
            .filter(|entry| entry.is_used && entry.sequence == sequence)
            .ok_or(ResendRefusal::Unknown)?;
        let now_ms = ms_since(origin, now);
        let ms_ago = |at_ms: u32| Duration::from_millis(u64::from(now_ms.wrapping_sub(at_ms)));
        if ms_ago(entry.sent_at_ms) > MAX_STORED_AGE {
            return Err(ResendRefusal::TooOld);
        }
        if entry.resends >= MAX_RESENDS {
            return Err(ResendRefusal::TooOften);
        }
        if entry.resends > 0 && ms_ago(entry.resent_at_ms) < rtt.max(MIN_RESEND_INTERVAL) {
            return Err(ResendRefusal::InFlight);
        }
        entry.resends += 1;
        entry.resent_at_ms = now_ms;
        Ok(entry.sent())
    }

    /// The packet `back` numbers before the newest, with its number: something to repeat in order to probe the path. `None`:
    /// not sent, too old, or forgotten.
    pub fn latest(&self, now: Instant, back: u16) -> Option<(u16, Sent)> {
        let (_, origin) = self.first?;
        let sequence = self.newest.wrapping_sub(back);
        let entry = self.entries.get(self.index(sequence)?)?;
        let age = Duration::from_millis(u64::from(ms_since(origin, now).wrapping_sub(entry.sent_at_ms)));
        (entry.is_used && entry.sequence == sequence && age <= MAX_STORED_AGE).then(|| (sequence, entry.sent()))
    }

    /// How often a packet was sent again; 0 for one that is not known.
    pub fn resends(&self, sequence: u16) -> u8 {
        let entry = self.index(sequence).and_then(|index| self.entries.get(index));
        entry.filter(|entry| entry.is_used && entry.sequence == sequence).map_or(0, |entry| entry.resends)
    }

    fn index(&self, sequence: u16) -> Option<usize> {
        let (first, _) = self.first?;
        Some(usize::from(sequence.wrapping_sub(first)) & (self.capacity - 1))
    }
}

/// Wraps after 49 days: times are only compared within seconds of each other, for a packet's entry has been
/// overwritten long before, or its sequence number would match one of 49 days ago to the second.
fn ms_since(origin: Instant, now: Instant) -> u32 {
    now.saturating_duration_since(origin).as_millis() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::ntp::NtpTime;
    use crate::test_support::{ms, origin};

    const RTT: Duration = Duration::from_millis(50);

    fn sent(source_extended: u64) -> Sent {
        // Unlike in every field, so that none is lost or exchanged.
        let seed = source_extended as u16;
        Sent {
            source_extended,
            timestamp: u32::from(seed) << 16 | 9,
            generation: seed as u8 ^ 1,
            abs_send_time: AbsSendTime::from_ntp(NtpTime(source_extended << 20)),
            wide_sequence: seed ^ 0xff00,
            marker: !seed.is_multiple_of(2),
            numbers: (!seed.is_multiple_of(3)).then_some((seed ^ 0x5555, seed as u8 ^ 0x77)),
        }
    }

    #[test]
    fn an_outgoing_number_leads_back_to_its_source_across_the_wrap() {
        let now = origin();
        let mut history = SendHistory::new(8);
        for i in 0..6_u16 {
            history.record(now, 65533_u16.wrapping_add(i), sent(1000 + u64::from(i)));
        }
        assert_eq!(history.lookup_for_nack(now, 65533, RTT), Ok(sent(1000)));
        assert_eq!(history.lookup_for_nack(now, 2, RTT), Ok(sent(1005)));
    }

    #[test]
    fn unknown_numbers_are_refused() {
        let now = origin();
        let mut history = SendHistory::new(8);
        assert_eq!(history.lookup_for_nack(now, 0, RTT), Err(ResendRefusal::Unknown));
        for i in 0..20_u16 {
            history.record(now, i, sent(u64::from(i)));
        }
        for (sequence, known) in [(11, false), (12, true), (19, true), (20, false), (65535, false)] {
            assert_eq!(history.lookup_for_nack(now, sequence, RTT).is_ok(), known, "{sequence}");
        }
    }

    #[test]
    fn numbers_that_were_skipped_are_unknown() {
        let now = origin();
        let mut history = SendHistory::new(8);
        history.record(now, 0, sent(0));
        history.record(now, 2, sent(2));
        assert_eq!(history.lookup_for_nack(now, 1, RTT), Err(ResendRefusal::Unknown));
    }

    #[test]
    fn a_packet_is_sent_again_once_a_round_trip() {
        let now = origin();
        let mut history = SendHistory::new(8);
        history.record(now, 7, sent(7));
        let outcomes: Vec<bool> = [10, 20, 59, 60, 100, 110]
            .iter()
            .map(|&at| history.lookup_for_nack(now + ms(at), 7, RTT).is_ok())
            .collect();
        assert_eq!(outcomes, [true, false, false, true, false, true]);
    }

    #[test]
    fn crossing_nacks_are_one_wish_even_without_a_round_trip() {
        let now = origin();
        let mut history = SendHistory::new(8);
        history.record(now, 7, sent(7));
        assert!(history.lookup_for_nack(now, 7, Duration::ZERO).is_ok());
        assert_eq!(history.lookup_for_nack(now + ms(9), 7, Duration::ZERO), Err(ResendRefusal::InFlight));
        assert!(history.lookup_for_nack(now + ms(10), 7, Duration::ZERO).is_ok());
    }

    #[test]
    fn a_greedy_peer_gets_a_packet_only_so_often() {
        let now = origin();
        let mut history = SendHistory::new(8);
        history.record(now, 7, sent(7));
        let outcomes: Vec<_> = (1..=12).map(|i| history.lookup_for_nack(now + ms(i * 60), 7, RTT)).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), usize::from(MAX_RESENDS));
        assert_eq!(outcomes.last(), Some(&Err(ResendRefusal::TooOften)));
    }

    #[test]
    fn a_slots_next_packet_does_not_inherit_the_last_ones_resends() {
        let now = origin();
        let mut history = SendHistory::new(8);
        history.record(now, 7, sent(7));
        assert!(history.lookup_for_nack(now, 7, RTT).is_ok());
        history.record(now, 15, sent(15));
        assert_eq!(history.lookup_for_nack(now, 15, RTT), Ok(sent(15)));
    }

    #[test]
    fn an_old_packet_is_refused() {
        let now = origin();
        let mut history = SendHistory::new(8);
        history.record(now, 7, sent(7));
        assert!(history.lookup_for_nack(now + MAX_STORED_AGE, 7, RTT).is_ok());
        assert_eq!(history.lookup_for_nack(now + MAX_STORED_AGE + ms(1), 7, RTT), Err(ResendRefusal::TooOld));
    }

    #[test]
    fn memory_is_small_grows_with_use_and_stops_at_the_capacity() {
        assert!(size_of::<Entry>() <= 40);
        let now = origin();
        let mut history = SendHistory::new(VIDEO_HISTORY_PACKETS);
        history.record(now, 40_000, sent(1));
        assert_eq!(history.entries.len(), 1);
        for sequence in 0..=u16::MAX {
            history.record(now, sequence.wrapping_add(40_001), sent(1));
        }
        assert_eq!(history.entries.len(), VIDEO_HISTORY_PACKETS);
    }

    #[test]
    fn resends_are_counted_by_packet() {
        let now = origin();
        let mut history = SendHistory::new(8);
        history.record(now, 5, sent(1));
        history.record(now, 6, sent(2));
        for resends in 0..3 {
            assert_eq!(history.resends(5), resends);
            history.lookup_for_nack(now + RTT * u32::from(resends), 5, RTT).unwrap();
        }
        assert_eq!((history.resends(6), history.resends(7)), (0, 0));
        history.record(now, 13, sent(3));
        assert_eq!((history.resends(5), history.resends(13)), (0, 0), "another took its place");
    }
}
