//! How much of its time a worker is busy, by its turns: what packets wait for, and whether there is room for more, depends on it.

use std::time::{Duration, Instant};

/// Over which time that is looked at.
const WINDOW: Duration = Duration::from_millis(100);

/// Adds up turns.
#[derive(Debug, Default)]
pub(super) struct BusyMeter {
    began: Option<Instant>,
    busy: Duration,
}

impl BusyMeter {
    /// Takes note of a turn of work. At the end of a window: how much of it was work, in percent.
    pub(super) fn handle_turn(&mut self, from: Instant, until: Instant) -> Option<u32> {
        let began = *self.began.get_or_insert(from);
        self.busy += until.saturating_duration_since(from);
        let elapsed = until.saturating_duration_since(began);
        if elapsed < WINDOW {
            return None;
        }
        let percent = self.busy.as_micros() * 100 / elapsed.as_micros().max(1);
        *self = Self { began: Some(until), busy: Duration::ZERO };
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
}
