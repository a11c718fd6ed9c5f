//! What came of one stream: received, missing, and what to ask for again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets of one stream that are waited for at most; libwebrtc's limit too. Beyond it the oldest are given up.
const MISSING_MAX: usize = 1000;
/// How often a packet is asked for at most (libwebrtc).
const NACKS_MAX: u8 = 10;
/// From one request for a packet to the next: more than any round trip of a load test.
pub const NACK_INTERVAL: Duration = Duration::from_millis(50);
/// A gap larger than this is the stream starting afresh and no loss.
const JUMP_MAX: u64 = 3000;
/// How long a packet that nobody asks for is waited for.
const LATE_MAX: Duration = Duration::from_millis(500);

/// Counts one stream's packets.
#[derive(Debug)]
pub struct Tally {
    highest: Option<u64>,
    expected: u64,
    received: u64,
    duplicates: u64,
    missing: VecDeque<Missing>,
    /// Whether what is missing is asked for.
    asks: bool,
    gave_up: bool,
}

#[derive(Debug)]
struct Missing {
    index: u64,
    since: Instant,
    asked_at: Option<Instant>,
    asked: u8,
}

/// What a packet turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Newer than all others; so many before it are missing.
    New {
        /// The packets that were left out.
        gap: u64,
    },
    /// It was missing.
    Late,
    /// It was there already, or was given up.
    Duplicate,
}

impl Tally {
    /// Nothing came yet. `asks`: whether what is missing is asked for.
    pub fn new(asks: bool) -> Self {
        Self { highest: None, expected: 0, received: 0, duplicates: 0, missing: VecDeque::new(), asks, gave_up: false }
    }

    /// The sequence number with its rounds, as SRTP counts them (RFC 3711 section 3.3.1).
    pub fn index_of(&self, sequence_number: u16) -> u64 {
        match self.highest {
            Some(highest) => {
                let step = i64::from(sequence_number.wrapping_sub(highest as u16) as i16);
                highest.saturating_add_signed(step)
            }
            None => u64::from(sequence_number),
        }
    }

    /// Takes a packet.
    pub fn handle(&mut self, now: Instant, index: u64) -> Arrival {
        let Some(highest) = self.highest else {
            self.highest = Some(index);
            self.expected += 1;
            self.received += 1;
            return Arrival::New { gap: 0 };
        };
        if index > highest {
            let gap = index - highest - 1;
            self.highest = Some(index);
            self.received += 1;
            self.expected += 1;
            if gap > JUMP_MAX {
                return Arrival::New { gap: 0 };
            }
            self.expected += gap;
            for index in highest + 1..index {
                self.missing.push_back(Missing { index, since: now, asked_at: None, asked: 0 });
            }
            while self.missing.len() > MISSING_MAX {
                self.missing.pop_front();
                self.gave_up |= self.asks;
            }
            return Arrival::New { gap };
        }
        match self.missing.binary_search_by_key(&index, |missing| missing.index) {
            Ok(at) => {
                self.missing.remove(at);
                self.received += 1;
                Arrival::Late
            }
            Err(_) => {
                self.duplicates += 1;
                Arrival::Duplicate
            }
        }
    }

    /// Whether anything is waited for.
    pub fn is_waiting(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Adds the sequence numbers that are to be asked for now to `requests`; gives up what was asked for long enough.
    pub fn poll_nacks(&mut self, now: Instant, requests: &mut Vec<u16>) {
        if !self.asks {
            self.missing.retain(|missing| now.duration_since(missing.since) < LATE_MAX);
            return;
        }
        let before = self.missing.len();
        self.missing.retain(|missing| missing.asked < NACKS_MAX);
        self.gave_up |= self.missing.len() < before;
        for missing in &mut self.missing {
            if missing.asked_at.is_none_or(|at| now.duration_since(at) >= NACK_INTERVAL) {
                missing.asked_at = Some(now);
                missing.asked += 1;
                requests.push(missing.index as u16);
            }
        }
    }

    /// Whether packets were given up since the last call: a decoder would need a key frame.
    pub fn poll_gave_up(&mut self) -> bool {
        std::mem::take(&mut self.gave_up)
    }

    /// The packets that there should have been, from the first that came to the newest.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// The packets that came, each counted once.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The packets that came again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// The newest packet's sequence number with its rounds (RFC 3550 section 6.4.1).
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds sequence numbers.
    fn fed(tally: &mut Tally, now: Instant, numbers: impl IntoIterator<Item = u16>) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for number in numbers {
            let index = tally.index_of(number);
            arrivals.push(tally.handle(now, index));
        }
        arrivals
    }

    #[test]
    fn a_gap_is_loss_until_it_is_filled() {
        let (mut tally, now) = (Tally::new(true), Instant::now());
        assert_eq!(fed(&mut tally, now, [10, 13])[1], Arrival::New { gap: 2 });
        assert_eq!((tally.expected(), tally.received()), (4, 2));
        assert_eq!(fed(&mut tally, now, [12, 12]), [Arrival::Late, Arrival::Duplicate]);
        assert_eq!((tally.expected(), tally.received(), tally.duplicates()), (4, 3, 1));
    }

    #[test]
    fn rounds_are_counted_across_the_wrap() {
        let (mut tally, now) = (Tally::new(true), Instant::now());
        let arrivals = fed(&mut tally, now, [65_534, 65_535, 1, 0]);
        assert_eq!(arrivals[2..], [Arrival::New { gap: 1 }, Arrival::Late]);
        assert_eq!((tally.highest(), tally.expected(), tally.received()), (Some(65_537), 4, 4));
    }

    #[test]
    fn what_is_missing_is_asked_for_again_and_given_up_in_the_end() {
        let (mut tally, mut now) = (Tally::new(true), Instant::now());
        fed(&mut tally, now, [1, 3]);
        let mut asked = 0;
        for _ in 0..100 {
            let mut requests = Vec::new();
            tally.poll_nacks(now, &mut requests);
            tally.poll_nacks(now, &mut requests);
            asked += requests.len();
            now += NACK_INTERVAL;
        }
        assert_eq!(asked, usize::from(NACKS_MAX));
        assert!(tally.poll_gave_up() && !tally.poll_gave_up());
        assert_eq!(fed(&mut tally, now, [2]), [Arrival::Duplicate], "what was given up stays lost");
        assert_eq!((tally.expected(), tally.received()), (3, 2));
    }

    #[test]
    fn nothing_is_asked_for_that_nobody_wants_repeated() {
        let (mut tally, now) = (Tally::new(false), Instant::now());
        fed(&mut tally, now, [1, 3]);
        let mut requests = Vec::new();
        tally.poll_nacks(now, &mut requests);
        assert!(requests.is_empty() && tally.is_waiting());
        tally.poll_nacks(now + LATE_MAX, &mut requests);
        assert!(requests.is_empty() && !tally.is_waiting() && !tally.poll_gave_up());
    }

    /// Harm prevented: a generator that grows while a server drops everything.
    #[test]
    fn what_is_waited_for_is_bounded() {
        let (mut tally, now) = (Tally::new(true), Instant::now());
        fed(&mut tally, now, (0..40_000).step_by(4));
        assert_eq!(tally.missing.len(), MISSING_MAX);
        assert!(tally.poll_gave_up());
        assert_eq!(tally.expected() - tally.received(), 3 * 9_999);
    }

    #[test]
    fn a_stream_that_starts_afresh_has_lost_nothing() {
        let (mut tally, now) = (Tally::new(true), Instant::now());
        assert_eq!(fed(&mut tally, now, [1, 10_000])[1], Arrival::New { gap: 0 });
        assert_eq!((tally.expected(), tally.received()), (2, 2));
    }
}
