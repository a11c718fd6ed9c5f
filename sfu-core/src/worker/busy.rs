//! How much of its time a worker is busy, by its turns: what packets wait for, and whether there is room for more, depends on it.
//! And when it was not: what waited then did not wait for its work.

use std::time::{Duration, Instant};

/// Over which time that is looked at.
const WINDOW: Duration = Duration::from_millis(100);

/// Less time than this without a turn is nothing to tell.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// Adds up turns.
#[derive(Debug, Default)]
pub(super) struct BusyMeter {
    began: Option<Instant>,
    busy: Duration,
    /// When the last turn ended.
    ended: Option<Instant>,
}

impl BusyMeter {
    /// A turn of work begins. If it is a while since the last one ended: since when nothing was done.
    pub(super) fn begin_turn(&self, now: Instant) -> Option<Instant> {
        self.ended.filter(|ended| now.saturating_duration_since(*ended) >= PAUSE_MIN)
    }

    /// Takes note of a turn of work. At the end of a window: how much of it was work, in percent.
    pub(super) fn handle_turn(&mut self, from: Instant, until: Instant) -> Option<u32> {
        self.ended = Some(until);
        let began = *self.began.get_or_insert(from);
        self.busy += until.saturating_duration_since(from);
        let elapsed = until.saturating_duration_since(began);
        if elapsed < WINDOW {
            return None;
        }
        let percent = self.busy.as_micros() * 100 / elapsed.as_micros().max(1);
        (self.began, self.busy) = (Some(until), Duration::ZERO);
        Some(u32::try_from(percent).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    #[test]
    fn each_window_says_how_much_of_it_was_work() {
        let mut meter = BusyMeter::default();
        let said: Vec<u32> = (0..100_u64)
            .filter_map(|at| meter.handle_turn(origin() + ms(10 * at), origin() + ms(10 * at + 3)))
            .collect();
        assert!(said.len() >= 8 && said.iter().all(|percent| (29..=33).contains(percent)), "{said:?}");
    }

    /// Harm prevented: a quiet worker's first packets after a pause are counted against the time just before.
    #[test]
    fn a_pause_is_time_without_work() {
        let mut meter = BusyMeter::default();
        assert_eq!(meter.handle_turn(origin(), origin() + ms(50)), None);
        assert_eq!(meter.handle_turn(origin() + ms(5000), origin() + ms(5050)), Some(1));
    }

    #[test]
    fn a_pause_is_told_when_the_next_turn_begins() {
        let mut meter = BusyMeter::default();
        assert_eq!(meter.begin_turn(origin()), None, "the first turn of all");
        meter.handle_turn(origin(), origin() + ms(5));
        assert_eq!(meter.begin_turn(origin() + ms(14)), None);
        assert_eq!(meter.begin_turn(origin() + ms(15)), Some(origin() + ms(5)));
    }
}
