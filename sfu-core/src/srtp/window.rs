//! Which of the latest indices have been used (RFC 3711 section 3.3.2).

/// How many indices back a stream remembers what has been used. Packets further behind are refused. Far more
/// than a network reorders (half a second of a 1 Mbit/s video is some 60 packets, and retransmissions of a second or
/// two stay inside), for 128 bytes a stream.
pub const REPLAY_WINDOW: u64 = 1024;

const WORDS: usize = (REPLAY_WINDOW / 64) as usize;

/// Why an index may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has been.
    Used,
    /// It may have been.
    TooOld,
}

/// The highest index used and, as a ring of bits, which of the [`REPLAY_WINDOW`] up to it were.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    highest: Option<u64>,
    used: [u64; WORDS],
}

impl Window {
    /// The highest index used so far.
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether `index` may be used. Changes nothing.
    pub(super) fn check(&self, index: u64) -> Result<(), Refused> {
        let Some(highest) = self.highest else { return Ok(()) };
        if index > highest {
            Ok(())
        } else if highest - index >= REPLAY_WINDOW {
            Err(Refused::TooOld)
        } else if self.word(index) & bit(index) != 0 {
            Err(Refused::Used)
        } else {
            Ok(())
        }
    }

    /// Remembers that `index` has been used. It must have passed [`Window::check`].
    pub(super) fn mark(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {}
            Some(highest) if index - highest < REPLAY_WINDOW => {
                for skipped in highest + 1..index {
                    *self.word_mut(skipped) &= !bit(skipped);
                }
                self.highest = Some(index);
            }
            Some(_) | None => {
                self.used = [0; WORDS];
                self.highest = Some(index);
            }
        }
        *self.word_mut(index) |= bit(index);
    }

    fn word(&self, index: u64) -> u64 {
        self.used[slot(index)]
    }

    fn word_mut(&mut self, index: u64) -> &mut u64 {
        &mut self.used[slot(index)]
    }
}

fn slot(index: u64) -> usize {
    (index / 64) as usize % WORDS
}

fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn agrees_with_a_set_of_all_used_indices() {
        let mut rng = StdRng::seed_from_u64(7);
        for _ in 0..20 {
            let mut window = Window::default();
            let mut used = HashSet::new();
            let mut at: u64 = rng.random_range(0..100_000);
            for _ in 0..3000 {
                at += *[0, 1, 1, 1, 2, 63, 64, 900, 1023, 1024, 1025, 5000].get(rng.random_range(0..12)).unwrap();
                let index = at.saturating_sub(rng.random_range(0..1500));
                let highest = used.iter().max().copied();
                let expected = match highest {
                    Some(highest) if highest >= index + REPLAY_WINDOW => Err(Refused::TooOld),
                    _ if used.contains(&index) => Err(Refused::Used),
                    _ => Ok(()),
                };
                assert_eq!(window.check(index), expected, "index {index} after {highest:?}");
                if expected.is_ok() {
                    window.mark(index);
                    used.insert(index);
                    // Only what the window can still reach, so that the search for the maximum stays short.
                    let highest = used.iter().max().copied().unwrap_or_default();
                    used.retain(|index| index + 2 * REPLAY_WINDOW > highest);
                }
            }
        }
    }

    #[test]
    fn the_oldest_index_of_the_window_is_remembered_and_the_one_before_is_refused() {
        let mut window = Window::default();
        window.mark(10);
        window.mark(10 + REPLAY_WINDOW - 1);
        assert_eq!(window.check(10), Err(Refused::Used));
        assert_eq!(window.check(9), Err(Refused::TooOld));
        assert_eq!(window.check(11), Ok(()));
    }
}
