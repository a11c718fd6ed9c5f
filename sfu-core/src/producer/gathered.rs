//! A producer's packets that have come and are not forwarded yet: those of a picture leave for each consumer together, which
//! costs a fraction of sending them one by one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::MediaPayload;

/// Packets that are given out together at most. Joining more saves little: at 16 a datagram's share of a send is a sixth of a lone
/// one's cost already. With so many there is no more waiting.
pub(crate) const MAX_GATHERED: usize = 16;

/// Packets that wait at most, while the worker has no time for them: half a second of 10 Mbit/s. At the limit all of them are
/// dropped but those that some consumers have already, and what follows counts as a new run: consumers go on with a key frame.
pub(crate) const MAX_BEHIND: usize = 512;

/// A packet in its stream's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) encoding: usize,
    pub(crate) media: MediaPayload,
    pub(crate) extended: u64,
    pub(crate) timestamp: u32,
    /// Nothing in it for consumers: padding. It is in no store.
    pub(crate) is_empty: bool,
    /// The source's sequence numbers started anew.
    pub(crate) restarted: bool,
    /// What frames some packets behind it are of was known with this one only.
    pub(crate) reveals: bool,
}

/// How far the gathered packets have been given out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// Consumers that have them.
    pub(crate) consumers: usize,
    /// When the first of the packets that consumers hold is overdue.
    pub(crate) held_until: Option<Instant>,
    /// A layer that flowed was lost, and only a key frame brings it back.
    pub(crate) lacks_layer: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    waiting: VecDeque<Waiting>,
    /// How many of them are being given out; none: that has not begun.
    batch: usize,
    /// Encodings of which packets were dropped, a bit for each, until the next one comes.
    cut: u128,
    pub(crate) progress: Progress,
}

#[derive(Debug)]
struct Waiting {
    packet: Arrived,
    since: Instant,
    is_last: bool,
}

impl Gathered {
    /// Adds a packet, `is_last` of its picture if so. There must be room: see [`Self::is_full`].
    pub(crate) fn push(&mut self, now: Instant, mut packet: Arrived, is_last: bool) {
        debug_assert!(!self.is_full(), "who gathers makes room");
        let bit = encoding_bit(packet.encoding);
        packet.restarted |= self.cut & bit != 0;
        self.cut &= !bit;
        self.waiting.push_back(Waiting { packet, since: now, is_last });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// As many wait as may.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_BEHIND
    }

    /// Enough wait for a batch.
    pub(crate) fn has_batch(&self) -> bool {
        self.waiting.len() >= MAX_GATHERED
    }

    /// When some are to be given out, if what is missing of a picture is waited for as long as `wait`: at once if nothing
    /// is missing, or some consumers have them already.
    pub(crate) fn due_at(&self, wait: Duration) -> Option<Instant> {
        let first = self.waiting.front()?;
        let is_complete =
            self.batch > 0 || self.has_batch() || self.waiting.iter().take(MAX_GATHERED).any(|waiting| waiting.is_last);
        Some(first.since + if is_complete { Duration::ZERO } else { wait })
    }

    /// Begins giving out, unless that was begun: some packets become the batch. Since when the first of them waits.
    pub(crate) fn begin(&mut self) -> Option<Instant> {
        if self.batch > 0 {
            return None;
        }
        self.batch = self.waiting.len().min(MAX_GATHERED);
        self.waiting.front().map(|first| first.since)
    }

    /// What is being given out.
    pub(crate) fn batch(&self) -> impl Iterator<Item = &Arrived> {
        self.waiting.iter().take(self.batch).map(|waiting| &waiting.packet)
    }

    /// All consumers have the batch.
    pub(crate) fn finish(&mut self) {
        self.waiting.drain(..self.batch.min(self.waiting.len()));
        self.batch = 0;
        self.progress = Progress::default();
    }

    /// The consumer at this place is gone: who comes after it moves up.
    pub(crate) fn handle_consumer_removed(&mut self, index: usize) {
        if index < self.progress.consumers {
            self.progress.consumers -= 1;
        }
    }

    /// Drops all but the batch. How many they were.
    pub(crate) fn drop_behind(&mut self) -> u64 {
        let dropped = self.waiting.drain(self.batch.min(self.waiting.len())..);
        let mut count = 0;
        for waiting in dropped {
            self.cut |= encoding_bit(waiting.packet.encoding);
            count += 1;
        }
        count
    }

    /// Drops everything: nobody is to have it.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.batch = 0;
        self.progress = Progress::default();
    }
}

/// Producers have no more encodings than a transport may, which is fewer.
pub(crate) fn encoding_bit(encoding: usize) -> u128 {
    1 << (encoding % 128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PayloadType;
    use crate::rtp::codecs::Codec;
    use crate::test_support::{ms, origin};

    const WAIT: Duration = Duration::from_millis(1);

    fn packet(extended: u64) -> Arrived {
        let media = MediaPayload { codec: Codec::Vp8, mapped: PayloadType(96), clock_rate_hz: 90_000, nack: true };
        Arrived { encoding: 0, media, extended, timestamp: 0, is_empty: false, restarted: false, reveals: false }
    }

    /// As many packets, none the last of its picture.
    fn gathered(count: usize) -> Gathered {
        let mut gathered = Gathered::default();
        (0..count as u64).for_each(|extended| gathered.push(origin(), packet(extended), false));
        gathered
    }

    fn batch(gathered: &Gathered) -> Vec<u64> {
        gathered.batch().map(|packet| packet.extended).collect()
    }

    #[test]
    fn a_picture_waits_for_its_last_packet_and_no_longer_than_agreed() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.due_at(WAIT), None);
        gathered.push(origin(), packet(1), false);
        gathered.push(origin() + ms(5), packet(2), false);
        assert_eq!(gathered.due_at(WAIT), Some(origin() + WAIT), "the first one's wait counts");
        assert_eq!(gathered.due_at(Duration::ZERO), Some(origin()));
        gathered.push(origin() + ms(6), packet(3), true);
        assert_eq!(gathered.due_at(WAIT), Some(origin()));
        gathered.clear();
        assert!(gathered.is_empty() && gathered.due_at(WAIT).is_none());
    }

    /// Harm prevented: a key frame of hundreds of packets would be gathered whole before the first of it leaves.
    #[test]
    fn as_many_as_are_joined_wait_for_nothing() {
        let mut gathered = gathered(MAX_GATHERED - 1);
        assert_eq!(gathered.due_at(WAIT), Some(origin() + WAIT));
        gathered.push(origin(), packet(99), false);
        assert_eq!(gathered.due_at(WAIT), Some(origin()));
    }

    /// Harm prevented: half of the consumers get other packets than the rest, for more came while they were given out.
    #[test]
    fn a_batch_stays_what_it_was_until_all_have_it() {
        let mut gathered = gathered(3);
        assert_eq!(gathered.begin(), Some(origin()));
        gathered.progress.consumers = 3;
        assert_eq!(gathered.due_at(WAIT), Some(origin()), "what some have is not kept from the others");
        gathered.push(origin() + ms(1), packet(3), false);
        assert_eq!(gathered.begin(), None, "it has begun");
        assert_eq!(batch(&gathered), [0, 1, 2]);
        gathered.finish();
        assert_eq!((gathered.begin(), batch(&gathered)), (Some(origin() + ms(1)), vec![3]));
        assert_eq!(gathered.progress.consumers, 0);
    }

    /// Harm prevented: somebody leaves while packets are given out, and who comes next in the row never gets them.
    #[test]
    fn who_leaves_meanwhile_costs_nobody_a_packet() {
        let mut gathered = gathered(3);
        gathered.begin();
        gathered.progress.consumers = 5;
        gathered.handle_consumer_removed(7);
        gathered.handle_consumer_removed(5);
        assert_eq!(gathered.progress.consumers, 5);
        gathered.handle_consumer_removed(4);
        assert_eq!(gathered.progress.consumers, 4);
    }

    /// Harm prevented: a worker that is far behind holds what nobody wants to see any more.
    #[test]
    fn what_waits_has_a_limit_and_the_batch_survives_it() {
        let mut gathered = gathered(MAX_BEHIND - 1);
        gathered.begin();
        assert!(!gathered.is_full());
        gathered.push(origin(), packet(9), false);
        assert!(gathered.is_full());
        assert_eq!(gathered.drop_behind(), (MAX_BEHIND - MAX_GATHERED) as u64);
        assert_eq!(batch(&gathered).len(), MAX_GATHERED);
        gathered.finish();
        assert!(gathered.is_empty());
        let restarted = |gathered: &Gathered| gathered.waiting.back().unwrap().packet.restarted;
        gathered.push(origin(), packet(600), false);
        assert!(restarted(&gathered), "a decoder cannot go on across the hole");
        gathered.push(origin(), packet(601), false);
        assert!(!restarted(&gathered));
    }
}
