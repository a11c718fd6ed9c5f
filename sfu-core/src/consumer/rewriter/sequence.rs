//! Sequence numbers (RFC 3550 section 5.1).

/// How many of the latest input sequence numbers are remembered, each as forwarded, skipped or not seen yet. A packet
/// that comes later than that many behind the newest is refused: whether it was sent already, and how many skips lie
/// after it, is forgotten. 1024 packets are seconds of video at any usual rate, where a receiver has long given up;
/// the number of skips is not limited, for older ones are part of the offset.
pub const SEQUENCE_HISTORY: u16 = 1024;

/// Gives a producer's packets the sequence numbers of a consumer's stream.
///
/// What is lost before us stays a gap of the same size, so that the receiver can ask for it; what we chose not to
/// forward ([`Self::skip`]) leaves none. A reordered packet gets the number of its place. No two packets get the same
/// number and none gets one twice: SRTP under a number already used would repeat a nonce with other stamps in the
/// packet, which gives AEAD keys away. A retransmission is therefore the store's business, not a second rewrite.
///
/// Numbers are taken as forward of the newest when less than 2^15 ahead (RFC 1982), else as late. A producer whose
/// numbering starts anew must be followed by a [`Self::resync`]; until then its packets may all look late.
#[derive(Clone, Debug)]
pub struct SequenceRewriter {
    /// Whether there was a resync; without one the rest says nothing about inputs.
    synced: bool,
    /// The newest input that was forwarded or skipped; after a resync the one before its point.
    newest: u16,
    /// Input minus output, for inputs after `newest`.
    offset: u16,
    /// The highest output handed out.
    last_output: u16,
    /// Inputs up to `newest` that can no longer be forwarded: sent, or from before the resync point, or skipped when
    /// their number was lost already.
    spent: History,
    /// Inputs up to `newest` that were skipped without leaving a gap.
    skipped: History,
}

impl SequenceRewriter {
    /// A stream whose first packet gets the number `first_output`, which the caller draws at random (RFC 3550 section
    /// 5.1). It refuses every packet until the first [`Self::resync`].
    pub fn new(first_output: u16) -> Self {
        Self {
            synced: false,
            newest: 0,
            offset: 0,
            last_output: first_output.wrapping_sub(1),
            spent: History::full(),
            skipped: History::empty(),
        }
    }

    /// Starts with `next_input`, or goes on with it after a pause or on another stream: it gets the number after the
    /// last one handed out. Packets before it are refused from now on.
    pub fn resync(&mut self, next_input: u16) {
        self.synced = true;
        self.newest = next_input.wrapping_sub(1);
        self.offset = self.newest.wrapping_sub(self.last_output);
        self.spent = History::full();
        self.skipped = History::empty();
    }

    /// The number that the packet `input` gets. `None` when it must not be forwarded: it was already, or it was skipped,
    /// or it is from before the resync point, or more than [`SEQUENCE_HISTORY`] behind the newest.
    #[inline]
    pub fn rewrite(&mut self, input: u16) -> Option<u16> {
        let next = self.last_output.wrapping_add(1);
        // One after the other, as most come: there is nothing to be worked out.
        if self.synced && input == self.newest.wrapping_add(1) && input.wrapping_sub(self.offset) == next {
            (self.newest, self.last_output) = (input, next);
            self.spent.insert(input);
            self.skipped.remove_one(input);
            return Some(next);
        }
        self.rewrite_any(input)
    }

    fn rewrite_any(&mut self, input: u16) -> Option<u16> {
        if !self.synced {
            return None;
        }
        let new = self.is_new(input);
        if new {
            self.advance(input);
        } else if self.is_spent(input) || self.skipped.contains(input) {
            return None;
        }
        self.spent.insert(input);
        let output = input.wrapping_sub(self.offset).wrapping_add(self.skips_after(input));
        // A late packet too may be the highest sent, when those after it were all skipped.
        if new || is_after(output, self.last_output) {
            self.last_output = output;
        }
        Some(output)
    }

    /// Leaves the packet `input` out. When a packet after it was forwarded already, its number is lost and stays a gap.
    /// Has no effect on a packet that was forwarded, skipped or refused before.
    pub fn skip(&mut self, input: u16) {
        if !self.synced {
            return;
        }
        if self.is_new(input) {
            self.advance(input);
        } else if self.is_spent(input) || self.skipped.contains(input) {
            return;
        } else if input != self.newest && self.spent.count(input.wrapping_add(1), self.newest) > 0 {
            self.spent.insert(input);
            return;
        }
        self.skipped.insert(input);
        self.offset = self.offset.wrapping_add(1);
    }

    fn is_new(&self, input: u16) -> bool {
        is_after(input, self.newest)
    }

    /// Whether an `input` that is not new is refused for good.
    fn is_spent(&self, input: u16) -> bool {
        self.newest.wrapping_sub(input) >= SEQUENCE_HISTORY || self.spent.contains(input)
    }

    /// Makes the new `input` the newest; those stepped over are not seen yet. A gap of 2^15 numbers or more since the
    /// last one handed out, which several jumps with skips between them can add up to, is closed: to the receiver's
    /// and to SRTP's arithmetic (RFC 3711 section 3.3.1) the next number would be an old one.
    fn advance(&mut self, input: u16) {
        if !is_after(input.wrapping_sub(self.offset), self.last_output) {
            self.resync(input);
        }
        let first = self.newest.wrapping_add(1);
        self.newest = input;
        if first == input {
            self.spent.remove_one(input);
            self.skipped.remove_one(input);
        } else {
            self.spent.remove(first, input);
            self.skipped.remove(first, input);
        }
    }

    /// How many of the inputs after `input` were skipped.
    fn skips_after(&self, input: u16) -> u16 {
        if input == self.newest { 0 } else { self.skipped.count(input.wrapping_add(1), self.newest) }
    }
}

/// Whether `a` is after `b` in serial number arithmetic (RFC 1982 section 3.2).
fn is_after(a: u16, b: u16) -> bool {
    (1..0x8000).contains(&a.wrapping_sub(b))
}

/// A set of inputs among the latest [`SEQUENCE_HISTORY`], a ring of bits.
#[derive(Clone, Debug)]
struct History([u64; WORDS]);

const WORDS: usize = SEQUENCE_HISTORY as usize / 64;
// A ring indexed by a number modulo its length stays consistent over the wrap of 2^16.
const _: () = assert!(SEQUENCE_HISTORY.is_power_of_two() && SEQUENCE_HISTORY >= 64 && SEQUENCE_HISTORY < 0x8000);

impl History {
    const fn empty() -> Self {
        Self([0; WORDS])
    }

    const fn full() -> Self {
        Self([u64::MAX; WORDS])
    }

    fn contains(&self, input: u16) -> bool {
        self.0[word(input)] >> (input % 64) & 1 != 0
    }

    fn insert(&mut self, input: u16) {
        self.0[word(input)] |= 1 << (input % 64);
    }

    fn remove_one(&mut self, input: u16) {
        self.0[word(input)] &= !(1 << (input % 64));
    }

    /// Removes the inputs from `first` to `last`, over the wrap; all when there are more than the ring holds.
    fn remove(&mut self, first: u16, last: u16) {
        for (word, mask) in masks(first, last) {
            self.0[word] &= !mask;
        }
    }

    /// How many inputs from `first` to `last`, over the wrap, are in the set.
    fn count(&self, first: u16, last: u16) -> u16 {
        // At most SEQUENCE_HISTORY bits.
        masks(first, last).map(|(word, mask)| (self.0[word] & mask).count_ones() as u16).sum()
    }
}

fn word(input: u16) -> usize {
    usize::from(input % SEQUENCE_HISTORY / 64)
}

/// The words of the ring that the inputs from `first` to `last` touch, with their bits: at most one word more than the
/// ring has.
fn masks(first: u16, last: u16) -> impl Iterator<Item = (usize, u64)> {
    let mut at = first;
    let mut left = last.wrapping_sub(first).saturating_add(1).min(SEQUENCE_HISTORY);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let bits = (64 - at % 64).min(left);
        let item = (word(at), u64::MAX >> (64 - bits) << (at % 64));
        at = at.wrapping_add(bits);
        left -= bits;
        Some(item)
    })
}

#[cfg(test)]
mod tests;
