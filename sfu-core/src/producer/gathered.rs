//! A producer's packets that have come and are not forwarded yet: those of a picture leave for each consumer together, which
//! costs a fraction of sending them one by one.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::MediaPayload;

/// Packets that are gathered at most. Joining more saves little: at 16 a datagram's share of a send is a sixth of a lone one's
/// cost already. With so many there is no more waiting.
pub(crate) const MAX_GATHERED: usize = 16;

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
    packets: ArrayVec<Arrived, MAX_GATHERED>,
    since: Option<Instant>,
    /// There is nothing to wait for.
    is_complete: bool,
    pub(crate) progress: Progress,
}

impl Gathered {
    /// Adds a packet, `is_last` of its picture if so. There must be room: see [`Self::is_full`].
    pub(crate) fn push(&mut self, now: Instant, packet: Arrived, is_last: bool) {
        let is_kept = self.packets.try_push(packet).is_ok();
        debug_assert!(is_kept, "who gathers gives out in time");
        self.since.get_or_insert(now);
        self.is_complete |= is_last || self.packets.is_full();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.packets.is_full()
    }

    pub(crate) fn packets(&self) -> &[Arrived] {
        &self.packets
    }

    /// When they are to be given out, if what is missing of the picture is waited for as long as `wait`: at once if nothing
    /// is missing, or some have been given out already.
    pub(crate) fn due_at(&self, wait: Duration) -> Option<Instant> {
        let wait = if self.is_complete || self.progress.consumers > 0 { Duration::ZERO } else { wait };
        self.since.map(|since| since + wait)
    }

    /// All have them.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
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
        let mut gathered = Gathered::default();
        for extended in 0..MAX_GATHERED as u64 {
            assert!(!gathered.is_full());
            gathered.push(origin(), packet(extended), false);
        }
        assert!(gathered.is_full());
        assert_eq!(gathered.due_at(WAIT), Some(origin()));
    }

    /// Harm prevented: half of the consumers wait for a packet that the others have had.
    #[test]
    fn what_some_have_is_not_kept_from_the_others() {
        let mut gathered = Gathered::default();
        gathered.push(origin(), packet(1), false);
        gathered.progress.consumers = 3;
        assert_eq!(gathered.due_at(WAIT), Some(origin()));
    }
}
