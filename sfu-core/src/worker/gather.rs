//! The packet path between its halves: a picture's packets are gathered until the last of them has come, so that they leave for
//! each consumer together. They wait in the producer's store; sound does not wait at all.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::core::{Core, ProducerKey};
use super::forward::{KeyFrameNeeds, Room};
use super::media::{Incoming, Route};
use super::pieces::{Piece, StoredPiece, source_report};
use super::service::TIMER_STEP;
use super::timers::Wake;
use crate::producer::{Arrived, MAX_GATHERED, Producer, Progress};

/// Padding that a packet gets at most, in bytes, to be as long as the others of its picture. Encoders split a picture into
/// packets that differ by a byte or two; beyond this a send of its own is the cheaper.
const PADDING_MAX: usize = 16;

/// How packets of one picture and destination are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Joining {
    /// How long a picture's first packets wait for the last at most. Zero: no longer than the turn in which they came.
    pub wait: Duration,
    /// Whether packets are padded to equal lengths: for a kernel that takes such as one.
    pub pads: bool,
}

impl Core {
    /// How packets are joined from now on.
    pub fn set_joining(&mut self, joining: Joining) {
        self.joining = joining;
    }

    /// How they are joined now.
    pub fn joining(&self) -> Joining {
        self.joining
    }

    /// Takes a picture's packet for [`Self::forward_gathered`].
    pub(super) fn gather(&mut self, now: Instant, route: Route, incoming: &Incoming<'_>) {
        let Some(producer) = self.producers.get_mut(route.producer) else { return };
        if producer.consumers.is_empty() {
            return;
        }
        if producer.gathered.is_full() {
            self.stats.packets_late += producer.gathered.drop_behind();
        }
        if producer.gathered.is_empty() {
            self.gathering.push_back(route.producer);
        }
        let arrived = Arrived {
            encoding: route.encoding,
            media: incoming.media,
            extended: incoming.extended,
            timestamp: incoming.timestamp,
            is_empty: incoming.source.payload.is_empty(),
            restarted: incoming.restarted,
            reveals: incoming.reveals,
        };
        let came_at = now.checked_sub(self.lag).unwrap_or(now);
        // What was missing is waited for already.
        let is_last = incoming.marker || route.is_rtx;
        producer.gathered.push(came_at, arrived, is_last);
        self.has_batch |= producer.gathered.has_batch();
    }

    /// Whether packets are better forwarded before more datagrams are taken in: as many wait as are given out together.
    pub fn has_batch(&self) -> bool {
        self.has_batch
    }

    /// Forwards what was gathered and need not wait any longer, as far as the queue of transmits takes it. True: there is more, to
    /// be asked for again once [`Self::transmits`] has been drained. Datagrams may be taken in before that: sound goes first.
    pub fn forward_gathered(&mut self, now: Instant) -> bool {
        if self.gathering.is_empty() {
            return false;
        }
        let is_more = self.give_out_gathered(now);
        self.carry_out_step(now);
        is_more
    }

    fn give_out_gathered(&mut self, now: Instant) -> bool {
        self.has_batch = false;
        // Whom it is the turn of gives out one batch, and goes to the end of the row when there is another.
        for _ in 0..self.gathering.len() {
            let Some(key) = self.gathering.pop_front() else { break };
            let wait = self.joining.wait;
            let Some(producer) = self.producers.get_mut(key) else { continue };
            match producer.gathered.due_at(wait) {
                None => {}
                Some(at) if at > now => {
                    self.timers.arm(Wake::Producer(key), &mut producer.armed, at.max(now + TIMER_STEP));
                    self.gathering.push_back(key);
                }
                Some(_) => {
                    if !self.give_out(now, key) {
                        self.gathering.push_front(key);
                        return true;
                    }
                    if self.producers.get(key).is_some_and(|producer| !producer.gathered.is_empty()) {
                        self.gathering.push_back(key);
                    }
                }
            }
        }
        let is_due = |key: &ProducerKey| {
            let at = self.producers.get(*key).and_then(|producer| producer.gathered.due_at(self.joining.wait));
            at.is_some_and(|at| at <= now)
        };
        self.gathering.iter().any(is_due)
    }

    /// A panic of ours while a producer's packets were given out: they are dropped, and its transport closes.
    pub(crate) fn handle_forward_fault(&mut self, now: Instant) {
        let Some(key) = self.giving_out.take() else { return };
        self.gathering.clear();
        for (_, producer) in &mut self.producers {
            producer.gathered.clear();
        }
        self.stats.faults += 1;
        if let Some(transport) = self.producers.get(key).map(|producer| producer.transport) {
            self.fail_transport(now, transport, crate::router::TransportCloseReason::Fault);
        }
        // Of a shadow it is another worker's: what is consumed of it here closes.
        self.give_up_shadow(now, key);
    }

    /// Gives a producer's packets to its consumers, until the queue of transmits is full. Whether all have them.
    fn give_out(&mut self, now: Instant, key: ProducerKey) -> bool {
        let Some(producer) = self.producers.get_mut(key) else { return true };
        if producer.paused || !producer.is_selected {
            producer.gathered.clear();
            return true;
        }
        self.giving_out = Some(key);
        if let Some(since) = producer.gathered.begin() {
            if self.joining.pads {
                pad(now, producer);
            }
            self.overload.handle_wait(now, since);
        }
        let mut progress = producer.gathered.progress;
        let Some((is_finished, needs)) = self.give_stored(now, key, &mut progress) else { return true };
        if let Some(producer) = self.producers.get_mut(key) {
            if is_finished {
                producer.gathered.finish();
            } else {
                producer.gathered.progress = progress;
            }
        }
        if is_finished {
            self.after_giving(now, key, needs, progress.held_until);
        }
        self.giving_out = None;
        is_finished
    }

    /// Reads a producer's packets from its store and gives them to consumers. Whether all have them, and what that asks for.
    fn give_stored(
        &mut self,
        now: Instant,
        key: ProducerKey,
        progress: &mut Progress,
    ) -> Option<(bool, KeyFrameNeeds)> {
        let (producers, mut fan) = self.fan(now);
        let producer = producers.get(key)?;
        let read: ArrayVec<Option<StoredPiece<'_>>, MAX_GATHERED> =
            producer.gathered.batch().map(|arrived| StoredPiece::read(now, producer, arrived)).collect();
        let reports = |encoding: usize| source_report(producer, encoding);
        let pieces = Piece::row(read.iter().flatten(), &reports);
        fan.give(producer, &pieces, progress, Room::UntilFull);
        Some((progress.consumers >= producer.consumers.len(), KeyFrameNeeds::of(&pieces, progress)))
    }
}

/// Makes packets that follow each other in an encoding equally long, where little is missing for that. The last of such a run
/// may stay shorter.
fn pad(now: Instant, producer: &mut Producer) {
    let Producer { gathered, encodings, .. } = producer;
    for (index, encoding) in encodings.iter_mut().enumerate() {
        let Some(store) = encoding.stream.as_mut().map(|stream| &mut stream.store) else { continue };
        let lengths: ArrayVec<(u64, usize), MAX_GATHERED> = gathered
            .batch()
            .filter(|arrived| arrived.encoding == index)
            .filter_map(|arrived| Some((arrived.extended, store.get(now, arrived.extended)?.payload().len())))
            .collect();
        for (extended, padding) in paddings(&lengths) {
            store.set_padding(extended, padding);
        }
    }
}

/// How much padding each packet gets, by its number, from the packets' lengths in bytes.
fn paddings(lengths: &[(u64, usize)]) -> impl Iterator<Item = (u64, u8)> {
    let mut rest = lengths;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (mut least, mut most, mut count) = (usize::MAX, 0, 0);
        for &(_, len) in rest {
            let (next_least, next_most) = (least.min(len), most.max(len));
            if next_most - next_least > PADDING_MAX {
                break;
            }
            (least, most, count) = (next_least, next_most, count + 1);
        }
        let (run, after) = rest.split_at(count);
        rest = after;
        // The last may be shorter, unless a run was cut off behind it that could have gone on.
        let padded = run.split_last().map_or(&[][..], |(_, padded)| padded);
        Some(padded.iter().map(move |&(extended, len)| (extended, (most - len) as u8)))
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(lengths: &[usize]) -> Vec<usize> {
        let numbered: Vec<(u64, usize)> = (0..).zip(lengths.iter().copied()).collect();
        let mut padded = lengths.to_vec();
        for (number, padding) in paddings(&numbered) {
            padded[number as usize] += usize::from(padding);
        }
        padded
    }

    #[test]
    fn packets_of_a_picture_become_equally_long_where_little_is_missing() {
        for (lengths, expected) in [
            (vec![], vec![]),
            (vec![100], vec![100]),
            // As VP8, VP9 and H264 are split: the shorter ones come first.
            (vec![1100, 1100, 1101, 1101], vec![1101, 1101, 1101, 1101]),
            // As AV1 is split: the last one is what is left.
            (vec![1200, 1200, 300], vec![1200, 1200, 300]),
            (vec![1200, 1195], vec![1200, 1195]),
            (vec![1195, 1200], vec![1200, 1200]),
            // More than padding is for.
            (vec![1183, 1200], vec![1183, 1200]),
            (vec![1184, 1200], vec![1200, 1200]),
            // Two layers' pictures.
            (vec![500, 501, 900, 901, 900], vec![501, 501, 901, 901, 900]),
        ] {
            assert_eq!(padded(&lengths), expected, "{lengths:?}");
        }
    }
}
