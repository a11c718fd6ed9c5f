//! Asking a sender for lost packets (RFC 4585 section 6.2.1).

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rtc_rtcp::transport_feedbacks::transport_layer_nack::NackPair;

use super::packet_store::MAX_STORED_AGE;
use super::receive_stream::DUPLICATE_WINDOW_PACKETS;

/// A missing packet is asked for once this many later ones have come: the reordering that TCP too tolerates before it
/// calls a segment lost (RFC 5681 section 3.2).
pub const REORDER_PACKETS: u64 = 3;

/// … or once this much time has passed since it was missed, for the tail of a burst has no later packets. Links that
/// reorder, Wi-Fi above all, do so within a few milliseconds.
pub const REORDER_WAIT: Duration = Duration::from_millis(10);

/// How often one packet is asked for in all; then it is given up. mediasoup's and libwebrtc's value.
pub const MAX_REQUESTS_PER_PACKET: u8 = 10;

/// The round trip that is assumed before one is measured.
pub const DEFAULT_RTT: Duration = Duration::from_millis(100);

/// Bounds of the time between two requests for the same packet, which is else the round trip. Less than 20 ms would ask
/// again for what is merely queued; more than half a second would be too late for the picture.
pub const REPEAT_INTERVAL_MS: RangeInclusive<u64> = 20..=500;

/// A new sample of the round trip counts one part in this many (alpha of RFC 6298 section 2).
const RTT_SMOOTHING: u32 = 8;

/// Packets that may be missing at once. Beyond it the path is down rather than lossy, and repairing packet by packet
/// costs more than it brings: the list is dropped and a key frame asked for.
pub const MAX_MISSING: usize = 1000;

/// A packet missing for longer is given up: once repaired, no consumer could be sent it.
pub const MAX_MISSING_AGE: Duration = MAX_STORED_AGE;

/// What is missing before a key frame is still asked for until this long after the key frame began. The pictures that it is
/// part of are soon of no use, but consumers have their neighbours already and wait at the hole: those that play in order for
/// as long as this (GStreamer's jitter buffer, by default), browsers until the key frame is whole, which over a thin path takes
/// longer than a round trip.
pub const ASK_BEFORE_KEY_FRAME: Duration = Duration::from_millis(200);

/// … if it is no more than this: about three pictures of a camera at 720p. Beyond it nothing before the key frame could be shown
/// in time, and it is given up at once: what is left of the path belongs to the key frame.
pub const MAX_MISSING_BEFORE_KEY_FRAME: usize = 16;

/// Pairs in one NACK: what fits a datagram of 1 200 bytes with its compound neighbours.
pub const MAX_PAIRS_PER_NACK: usize = 200;

/// What a packet's arrival calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NackAction {
    /// Nothing now.
    None,
    /// [`NackGenerator::poll_nack`] has something to send.
    NackDue,
    /// Too much is missing to be repaired: ask for a key frame, or, of audio, nothing.
    KeyFrameNeeded,
}

/// The missing packets of one received stream, asked for once upstream however many consumers miss them.
///
/// Numbers are unwrapped ones, of packets that are not duplicates (see [`super::receive_stream`]).
#[derive(Debug, Clone, Default)]
pub struct NackGenerator {
    newest: Option<u64>,
    /// In ascending order.
    missing: VecDeque<Missing>,
    /// Smoothed, from request to retransmission.
    rtt: Option<Duration>,
    /// No later than the earliest due entry; entries that leave the list do not move it.
    next_due_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    extended: u64,
    /// When it was asked for last.
    asked_at: Option<Instant>,
    due_at: Instant,
    /// It is no longer of use then.
    until: Instant,
    requests: u8,
}

impl NackGenerator {
    /// Takes a packet's arrival. `is_rtx`: it came by retransmission (RFC 4588), which tells the round trip to the sender.
    /// `is_key_frame`: it starts a key frame, before which little is worth repairing.
    pub fn handle_packet(&mut self, now: Instant, extended: u64, is_rtx: bool, is_key_frame: bool) -> NackAction {
        let Some(newest) = self.newest else {
            self.newest = Some(extended);
            return NackAction::None;
        };
        if extended <= newest {
            self.handle_late(now, extended, is_rtx);
            if is_key_frame {
                self.hurry_before(now, extended);
            }
            return NackAction::None;
        }
        self.newest = Some(extended);
        if is_key_frame && self.missing.len() as u64 + (extended - newest - 1) > MAX_MISSING_BEFORE_KEY_FRAME as u64 {
            self.remove_before(extended);
            return NackAction::None;
        }
        if self.missing.is_empty() && extended == newest + 1 {
            return NackAction::None;
        }
        self.remove_before(extended.saturating_sub(DUPLICATE_WINDOW_PACKETS - 1));
        if !self.add_gap(now, newest + 1, extended) {
            return NackAction::KeyFrameNeeded;
        }
        if is_key_frame {
            self.hurry_before(now, extended);
        }
        self.hasten_overtaken(now, extended);
        if self.next_due_at.is_some_and(|due_at| due_at <= now) { NackAction::NackDue } else { NackAction::None }
    }

    /// The sender restarted: numbers before `extended` will never come.
    pub fn handle_restart(&mut self, extended: u64) {
        self.missing.clear();
        self.next_due_at = None;
        self.newest = Some(extended);
    }

    /// What to ask for at `now`: at most [`MAX_PAIRS_PER_NACK`] pairs, so call until `None`. Counts as sent.
    pub fn poll_nack(&mut self, now: Instant) -> Option<Vec<NackPair>> {
        if self.next_due_at? > now {
            return None;
        }
        let repeat_interval = self.repeat_interval();
        self.missing.retain(|missing| {
            let exhausted = missing.requests >= MAX_REQUESTS_PER_PACKET && missing.due_at <= now;
            !exhausted && now <= missing.until
        });
        let mut pairs: Vec<NackPair> = Vec::new();
        for missing in self.missing.iter_mut().filter(|missing| missing.due_at <= now) {
            if !append(&mut pairs, missing.extended as u16) {
                break;
            }
            missing.requests += 1;
            missing.asked_at = Some(now);
            missing.due_at = now + repeat_interval;
        }
        self.next_due_at = self.missing.iter().map(|missing| missing.due_at).min();
        (!pairs.is_empty()).then_some(pairs)
    }

    /// When [`poll_nack`](Self::poll_nack) is to be called again; it may find nothing to ask for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_due_at
    }

    /// How many packets are missing and not given up.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Notes the numbers from `first` up to `end`, exclusive, as missing. False if there are too many; nothing is
    /// missing then.
    fn add_gap(&mut self, now: Instant, first: u64, end: u64) -> bool {
        let gap = end.saturating_sub(first);
        if gap.saturating_add(self.missing.len() as u64) > MAX_MISSING as u64 {
            self.missing.clear();
            self.next_due_at = None;
            return false;
        }
        let due_at = now + REORDER_WAIT;
        let until = now + MAX_MISSING_AGE;
        for extended in first..end {
            self.missing.push_back(Missing { extended, asked_at: None, due_at, until, requests: 0 });
        }
        if gap > 0 {
            self.next_due_at = Some(self.next_due_at.map_or(due_at, |next| next.min(due_at)));
        }
        true
    }

    /// Makes due at once what was not yet asked for and has been overtaken by [`REORDER_PACKETS`].
    fn hasten_overtaken(&mut self, now: Instant, newest: u64) {
        // Entries are in order, so those still waiting for their first request are at the end.
        for missing in self.missing.iter_mut().rev() {
            if missing.requests > 0 || missing.due_at <= now {
                break;
            }
            if newest - missing.extended >= REORDER_PACKETS {
                missing.due_at = now;
                self.next_due_at = Some(now);
            }
        }
    }

    /// A packet older than the newest: if it was missing, it is no more.
    fn handle_late(&mut self, now: Instant, extended: u64, is_rtx: bool) {
        let Ok(index) = self.missing.binary_search_by_key(&extended, |missing| missing.extended) else { return };
        let Some(Missing { asked_at, requests, .. }) = self.missing.remove(index) else { return };
        self.forget_deadline_if_empty();
        // After a second request nobody knows which one it answers (Karn's algorithm, RFC 6298 section 3).
        if let Some(asked_at) = asked_at
            && is_rtx
            && requests == 1
        {
            let sample = now.saturating_duration_since(asked_at);
            self.rtt = Some(self.rtt.map_or(sample, |rtt| (rtt * (RTT_SMOOTHING - 1) + sample) / RTT_SMOOTHING));
        }
    }

    /// The time between two requests for the same packet.
    fn repeat_interval(&self) -> Duration {
        let (min_ms, max_ms) = REPEAT_INTERVAL_MS.into_inner();
        self.rtt.unwrap_or(DEFAULT_RTT).clamp(Duration::from_millis(min_ms), Duration::from_millis(max_ms))
    }

    /// A key frame began with this packet: what is missing before it is wanted for a moment more, if it is little.
    fn hurry_before(&mut self, now: Instant, key_frame: u64) {
        let end = self.missing.partition_point(|missing| missing.extended < key_frame);
        if end > MAX_MISSING_BEFORE_KEY_FRAME {
            return self.remove_before(key_frame);
        }
        let until = now + ASK_BEFORE_KEY_FRAME;
        for missing in self.missing.iter_mut().take(end) {
            missing.until = missing.until.min(until);
        }
    }

    fn remove_before(&mut self, extended: u64) {
        let end = self.missing.partition_point(|missing| missing.extended < extended);
        self.missing.drain(..end);
        self.forget_deadline_if_empty();
    }

    fn forget_deadline_if_empty(&mut self) {
        if self.missing.is_empty() {
            self.next_due_at = None;
        }
    }
}

/// Adds a number, larger than those before it, to the pairs. False if there is no room.
fn append(pairs: &mut Vec<NackPair>, seq: u16) -> bool {
    if let Some(last) = pairs.last_mut() {
        let distance = seq.wrapping_sub(last.packet_id);
        if (1..=16).contains(&distance) {
            last.lost_packets |= 1 << (distance - 1);
            return true;
        }
    }
    if pairs.len() == MAX_PAIRS_PER_NACK {
        return false;
    }
    pairs.push(NackPair::new(seq));
    true
}

#[cfg(test)]
mod tests;
