//! Which packets were seen.

use super::DUPLICATE_WINDOW_PACKETS;

/// Which of the last [`DUPLICATE_WINDOW_PACKETS`] numbers were seen, a bit each.
#[derive(Debug, Clone)]
pub(super) struct SeenWindow {
    bits: [u64; WINDOW_WORDS],
}

const WINDOW_WORDS: usize = (DUPLICATE_WINDOW_PACKETS / 64) as usize;

impl Default for SeenWindow {
    fn default() -> Self {
        Self { bits: [0; WINDOW_WORDS] }
    }
}

impl SeenWindow {
    /// Moves the window's head from `from` to `to`, which is marked; the numbers between are unseen.
    pub(super) fn advance(&mut self, from: u64, to: u64) {
        for extended in from + 1..to {
            let (word, bit) = Self::place(extended);
            if let Some(word) = self.bits.get_mut(word) {
                *word &= !bit;
            }
        }
        let (word, bit) = Self::place(to);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
        }
    }

    /// Marks a number within the window; false if it was marked already.
    pub(super) fn mark(&mut self, extended: u64) -> bool {
        let (word, bit) = Self::place(extended);
        let Some(word) = self.bits.get_mut(word) else { return false };
        let unseen = *word & bit == 0;
        *word |= bit;
        unseen
    }

    fn place(extended: u64) -> (usize, u64) {
        let position = extended % DUPLICATE_WINDOW_PACKETS;
        ((position / 64) as usize, 1 << (position % 64))
    }
}
