//! Which producer packet went out under which sequence number, so that a NACK can be answered from the shared store.

use std::time::{Duration, Instant};

use crate::producer::packet_store::{AUDIO_STORE_PACKETS, MAX_STORED_AGE, VIDEO_STORE_PACKETS};
use crate::ring::{self, Ring};
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
    /// The time of sending that was stamped; anything where the peer takes none, or takes repeats in a stream of their own.
    pub abs_send_time: AbsSendTime,
    /// The transport-wide sequence number that was stamped (draft-holmer-rmcat-transport-wide-cc-extensions-01
    /// section 2); as with the time.
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
    /// It was sent again, or late, less than a round trip ago: it is on its way.
    #[error("the peer asked within a round trip")]
    InFlight,
    /// It was sent again [`MAX_RESENDS`] times.
    #[error("the peer asked too often for one packet")]
    TooOften,
}

/// Entries that a history begins with: twice as many as the path is ever probed with.
const FIRST_RING: usize = 128;

/// A consumer's latest packets by their outgoing sequence number: no payloads, 24 bytes a packet, and 8 more where repeats have to
/// be the very same bytes. It has room for as many as were sent within [`MAX_STORED_AGE`], up to its capacity: what is older is in
/// no store.
#[derive(Debug, Clone)]
pub struct SendHistory {
    ring: Ring,
    /// Made as they are first needed.
    entries: Vec<Entry>,
    /// Of the entries; empty where no repeat will need them.
    stamps: Vec<Stamps>,
    keeps_stamps: bool,
    /// The time of the first packet: the origin of all millisecond times.
    origin: Option<Instant>,
    /// The highest sequence number recorded, once there is an origin.
    newest: u16,
    /// The producer's number of the packet that was recorded last.
    newest_source: u64,
    /// When that was, in milliseconds since the first.
    clock: Option<(Instant, u32)>,
}

/// [`Sent`] and its times, in as few bytes as they take: a thousand of these are most of what a consumer is.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// The low half of the producer's number. All that are remembered are far less than half of its range apart.
    source: u32,
    timestamp: u32,
    sent_at_ms: u32,
    /// When it was sent again last: what is sent again was sent less than [`MAX_STORED_AGE`] ago.
    resent_after_ms: u16,
    /// The outgoing sequence number.
    sequence: u16,
    /// [`NO_PICTURE`] where none was written.
    picture_id: u16,
    tl0_picture_index: u8,
    generation: u8,
    resends: u8,
    marker: bool,
    /// After one with a higher number: the peer may have missed it before it was sent at all.
    is_late: bool,
    /// False where nothing was sent yet.
    is_used: bool,
}

/// What was stamped at the moment of sending.
#[derive(Debug, Clone, Copy, Default)]
struct Stamps {
    abs_send_time: AbsSendTime,
    wide_sequence: u16,
}

/// No picture id has the highest bit.
const NO_PICTURE: u16 = u16::MAX;

impl SendHistory {
    /// A history of at most `capacity` packets, rounded up to a power of two and to at most half of all numbers.
    pub fn new(capacity: usize) -> Self {
        Self {
            ring: Ring::new(FIRST_RING, capacity.min(1 << 15)),
            entries: Vec::new(),
            stamps: Vec::new(),
            keeps_stamps: true,
            origin: None,
            newest: 0,
            newest_source: 0,
            clock: None,
        }
    }

    /// The same for packets that are sent again in a stream of their own (RFC 4588), where they are stamped anew: it forgets what
    /// was stamped.
    pub fn without_stamps(capacity: usize) -> Self {
        Self { keeps_stamps: false, ..Self::new(capacity) }
    }

    /// Notes a packet that was sent for the first time.
    #[inline]
    pub fn record(&mut self, now: Instant, sequence: u16, sent: Sent) {
        let origin = match self.origin {
            Some(origin) => origin,
            None => {
                self.newest = sequence;
                self.ring.begin(u64::from(sequence));
                *self.origin.insert(now)
            }
        };
        let is_late = sequence.wrapping_sub(self.newest) >= 1 << 15;
        if !is_late {
            self.newest = sequence;
        }
        self.newest_source = sent.source_extended;
        let now_ms = self.ms_at(origin, now);
        let index = self.ring.place(u64::from(sequence));
        let is_full = self.ring.is_full();
        let is_room = self.entries.get(index).is_some_and(|entry| is_full || !entry.is_wanted(sequence, now_ms));
        let index = if is_room { index } else { self.make_room(sequence, now_ms) };
        let (picture_id, tl0_picture_index) = sent.numbers.unwrap_or((NO_PICTURE, 0));
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = Entry {
                source: sent.source_extended as u32,
                timestamp: sent.timestamp,
                sent_at_ms: now_ms,
                resent_after_ms: 0,
                sequence,
                picture_id,
                tl0_picture_index,
                generation: sent.generation,
                resends: 0,
                marker: sent.marker,
                is_late,
                is_used: true,
            };
        }
        if let Some(stamps) = self.stamps.get_mut(index) {
            *stamps = Stamps { abs_send_time: sent.abs_send_time, wide_sequence: sent.wide_sequence };
        }
    }

    /// Where to put a packet whose place is not made yet, or has one that may still be asked for.
    #[cold]
    fn make_room(&mut self, sequence: u16, now_ms: u32) -> usize {
        let mut index = self.ring.place(u64::from(sequence));
        while !self.ring.is_full() && self.entries.get(index).is_some_and(|entry| entry.is_wanted(sequence, now_ms)) {
            self.grow();
            index = self.ring.place(u64::from(sequence));
        }
        ring::made(&mut self.entries, index);
        if self.keeps_stamps {
            ring::made(&mut self.stamps, index);
        }
        index
    }

    /// Milliseconds since the first packet: worked out once for all packets of a moment.
    fn ms_at(&mut self, origin: Instant, now: Instant) -> u32 {
        match self.clock {
            Some((at, at_ms)) if at == now => at_ms,
            _ => self.clock.insert((now, ms_since(origin, now))).1,
        }
    }

    /// Looks up a packet that the peer asked for, and counts it as sent again. `rtt` is the round trip to the peer.
    pub fn lookup_for_nack(&mut self, now: Instant, sequence: u16, rtt: Duration) -> Result<Sent, ResendRefusal> {
        let (index, now_ms) = self.find(now, sequence).ok_or(ResendRefusal::Unknown)?;
        let entry = self.entries.get_mut(index).ok_or(ResendRefusal::Unknown)?;
        let ago_ms = now_ms.wrapping_sub(entry.sent_at_ms);
        if ms(ago_ms) > MAX_STORED_AGE {
            return Err(ResendRefusal::TooOld);
        }
        if entry.resends >= MAX_RESENDS {
            return Err(ResendRefusal::TooOften);
        }
        let resent_ago_ms = ago_ms.saturating_sub(u32::from(entry.resent_after_ms));
        if (entry.resends > 0 || entry.is_late) && ms(resent_ago_ms) < rtt.max(MIN_RESEND_INTERVAL) {
            return Err(ResendRefusal::InFlight);
        }
        entry.resends += 1;
        // At most MAX_STORED_AGE.
        entry.resent_after_ms = ago_ms as u16;
        self.sent(index).ok_or(ResendRefusal::Unknown)
    }

    /// The packet `back` numbers before the newest, with its number: something to repeat in order to probe the path. `None`:
    /// not sent, too old, or forgotten.
    pub fn latest(&self, now: Instant, back: u16) -> Option<(u16, Sent)> {
        let sequence = self.newest.wrapping_sub(back);
        let (index, now_ms) = self.find(now, sequence)?;
        let age = ms(now_ms.wrapping_sub(self.entries.get(index)?.sent_at_ms));
        Some((sequence, self.sent(index)?)).filter(|_| age <= MAX_STORED_AGE)
    }

    /// How often a packet was sent again; 0 for one that is not known.
    pub fn resends(&self, sequence: u16) -> u8 {
        let entry = self.entries.get(self.ring.place(u64::from(sequence)));
        entry.filter(|entry| entry.is_used && entry.sequence == sequence).map_or(0, |entry| entry.resends)
    }

    /// Where a packet is, if it is remembered, and what time it is.
    fn find(&self, now: Instant, sequence: u16) -> Option<(usize, u32)> {
        let origin = self.origin?;
        let index = self.ring.place(u64::from(sequence));
        let entry = self.entries.get(index).filter(|entry| entry.is_used && entry.sequence == sequence);
        entry.map(|_| (index, ms_since(origin, now)))
    }

    fn sent(&self, index: usize) -> Option<Sent> {
        let &Entry { source, timestamp, generation, marker, picture_id, tl0_picture_index, .. } =
            self.entries.get(index)?;
        let Stamps { abs_send_time, wide_sequence } = self.stamps.get(index).copied().unwrap_or_default();
        let behind = (self.newest_source as u32).wrapping_sub(source) as i32;
        Some(Sent {
            source_extended: self.newest_source.wrapping_add_signed(-i64::from(behind)),
            timestamp,
            generation,
            abs_send_time,
            wide_sequence,
            marker,
            numbers: (picture_id != NO_PICTURE).then_some((picture_id, tl0_picture_index)),
        })
    }

    /// Makes twice as many places. Happens a few times in a stream's life, while its rate is higher than ever before.
    #[cold]
    fn grow(&mut self) {
        self.ring.double();
        let entries = std::mem::take(&mut self.entries);
        let stamps = std::mem::take(&mut self.stamps);
        self.stamps = self.ring.moved(stamps, |at, _| entries.get(at)?.number());
        self.entries = self.ring.moved(entries, |_, entry| entry.number());
    }
}

impl Entry {
    /// What its place goes by.
    fn number(&self) -> Option<u64> {
        self.is_used.then_some(u64::from(self.sequence))
    }

    /// Whether the packet may still be asked for when another takes its place.
    fn is_wanted(&self, sequence: u16, now_ms: u32) -> bool {
        self.is_used && self.sequence != sequence && ms(now_ms.wrapping_sub(self.sent_at_ms)) <= MAX_STORED_AGE
    }
}

fn ms(number: u32) -> Duration {
    Duration::from_millis(u64::from(number))
}

/// Wraps after 49 days: times are only compared within seconds of each other, for a packet's entry has been
/// overwritten long before, or its sequence number would match one of 49 days ago to the second.
fn ms_since(origin: Instant, now: Instant) -> u32 {
    let passed = now.saturating_duration_since(origin);
    (passed.as_secs() as u32).wrapping_mul(1000).wrapping_add(passed.subsec_millis())
}

#[cfg(test)]
mod tests;
