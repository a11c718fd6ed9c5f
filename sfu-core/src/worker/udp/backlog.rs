//! What waits for a socket that takes no more, and who has to give way.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use super::super::transmit::{Run, TransmitClass};
use crate::transport::tuple::Tuple;

/// When too much waits, so much of the limit is kept, as a fraction: giving way is a look at everything, and not to be repeated
/// for each datagram that follows.
const KEPT: (usize, usize) = (3, 4);

/// Runs in the order of their sending. Beyond its limit the oldest pictures of the destinations that most waits for go first; sound
/// goes when there are no pictures left, and what keeps associations going at last.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    limit_bytes: usize,
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    tuple: Tuple,
    class: TransmitClass,
    segment_len: usize,
    bytes: Vec<u8>,
}

impl Waiting {
    fn run(&self) -> Run<'_> {
        Run { tuple: self.tuple, class: self.class, bytes: &self.bytes, segment_len: self.segment_len }
    }
}

impl Backlog {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, waiting: VecDeque::new(), bytes: 0 }
    }

    /// One with the same limit and nothing in it.
    pub(super) fn empty(&self) -> Self {
        Self::new(self.limit_bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a run at the end. How many datagrams had to give way.
    pub(super) fn push(&mut self, run: Run<'_>) -> u64 {
        let Run { tuple, class, bytes, segment_len } = run;
        self.waiting.push_back(Waiting { tuple, class, segment_len, bytes: bytes.to_vec() });
        self.bytes += bytes.len();
        if self.bytes > self.limit_bytes { self.give_way() } else { 0 }
    }

    /// All of it, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        self.waiting.iter().map(Waiting::run)
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }

    fn give_way(&mut self) -> u64 {
        let kept_bytes = self.limit_bytes / KEPT.1 * KEPT.0;
        let mut dropped = 0;
        for class in [TransmitClass::Video, TransmitClass::Audio, TransmitClass::Control] {
            if self.bytes <= kept_bytes {
                break;
            }
            let mut too_much = self.excess(class, kept_bytes);
            let bytes = &mut self.bytes;
            self.waiting.retain(|waiting| {
                let Some(excess) = too_much.get_mut(&waiting.tuple.remote) else { return true };
                if waiting.class != class || *excess == 0 {
                    return true;
                }
                let len = waiting.bytes.len();
                *excess = excess.saturating_sub(len);
                *bytes = bytes.saturating_sub(len);
                dropped += waiting.run().len() as u64;
                false
            });
        }
        dropped
    }

    /// How much of a class each destination has beyond an equal allowance, which is such that `kept_bytes` remain of everything.
    fn excess(&self, class: TransmitClass, kept_bytes: usize) -> HashMap<SocketAddr, usize> {
        let mut sums = HashMap::new();
        for waiting in self.waiting.iter().filter(|waiting| waiting.class == class) {
            *sums.entry(waiting.tuple.remote).or_insert(0) += waiting.bytes.len();
        }
        let others = self.bytes - sums.values().sum::<usize>();
        let mut left_bytes = kept_bytes.saturating_sub(others);
        let mut sorted: Vec<usize> = sums.values().copied().collect();
        sorted.sort_unstable();
        let mut left_count = sorted.len();
        let mut allowance = 0;
        for sum in sorted {
            allowance = left_bytes / left_count.max(1);
            if sum > allowance {
                break;
            }
            left_bytes -= sum;
            left_count -= 1;
            allowance = usize::MAX;
        }
        sums.values_mut().for_each(|sum| *sum = sum.saturating_sub(allowance));
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tuple::Protocol;

    fn tuple(port: u16) -> Tuple {
        Tuple { protocol: Protocol::Udp, local: ([127, 0, 0, 1], 4000).into(), remote: ([127, 0, 0, 1], port).into() }
    }

    /// A run of 100 bytes in two datagrams, each of which begins with a number of its own.
    fn push(backlog: &mut Backlog, port: u16, class: TransmitClass, number: u8) -> u64 {
        backlog.push(Run { tuple: tuple(port), class, bytes: &[number; 100], segment_len: 50 })
    }

    fn waiting(backlog: &Backlog) -> Vec<(u16, u8)> {
        backlog.runs().map(|run| (run.tuple.remote.port(), run.bytes[0])).collect()
    }

    #[test]
    fn what_waits_keeps_its_order_and_form() {
        let mut backlog = Backlog::new(1000);
        for number in 0..3 {
            assert_eq!(push(&mut backlog, number.into(), TransmitClass::Video, number), 0);
        }
        assert_eq!(waiting(&backlog), [(0, 0), (1, 1), (2, 2)]);
        assert!(backlog.runs().all(|run| run.segment_len == 50 && run.len() == 2));
        backlog.clear();
        assert!(backlog.is_empty());
    }

    /// Harm prevented: one who takes nothing any more costs all others their pictures, and everybody the sound.
    #[test]
    fn the_oldest_pictures_of_who_has_most_go_first_and_sound_stays() {
        let mut backlog = Backlog::new(1200);
        push(&mut backlog, 1, TransmitClass::Audio, 100);
        push(&mut backlog, 2, TransmitClass::Video, 1);
        push(&mut backlog, 3, TransmitClass::Control, 101);
        for number in 2..11 {
            assert_eq!(push(&mut backlog, 1, TransmitClass::Video, number), 0);
        }
        // 1300 bytes are more than the limit; three quarters of it are kept.
        assert_eq!(push(&mut backlog, 1, TransmitClass::Video, 11), 8, "datagrams");
        assert_eq!(waiting(&backlog), [(1, 100), (2, 1), (3, 101), (1, 6), (1, 7), (1, 8), (1, 9), (1, 10), (1, 11)]);
    }

    #[test]
    fn without_pictures_sound_goes_and_at_last_the_rest() {
        let mut backlog = Backlog::new(400);
        push(&mut backlog, 1, TransmitClass::Control, 1);
        for number in 2..5 {
            push(&mut backlog, 1, TransmitClass::Audio, number);
        }
        assert_eq!(push(&mut backlog, 1, TransmitClass::Audio, 5), 4);
        assert_eq!(waiting(&backlog), [(1, 1), (1, 4), (1, 5)]);
        let mut backlog = Backlog::new(400);
        let dropped: u64 = (0..5).map(|number| push(&mut backlog, 1, TransmitClass::Control, number)).sum();
        assert_eq!((dropped, waiting(&backlog)), (4, vec![(1, 2), (1, 3), (1, 4)]));
    }

    #[test]
    fn of_many_with_equal_parts_each_gives_way_a_little() {
        let mut backlog = Backlog::new(1600);
        let mut dropped = 0;
        for number in 0..17 {
            dropped += push(&mut backlog, u16::from(number % 4), TransmitClass::Video, number);
        }
        assert!(backlog.bytes <= 1200 && dropped > 0);
        for port in 0..4 {
            let left = waiting(&backlog).iter().filter(|(to, _)| *to == port).count();
            assert!((2..=3).contains(&left), "{left} left for {port}");
        }
    }
}
