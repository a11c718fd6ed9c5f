//! How long a picture's packets wait for each other: not at all while the worker has time to send each as it comes, and a moment
//! when sending them together saves what it lacks.

use std::time::{Duration, Instant};

/// How much of its time a worker has to be busy for waiting to begin, and below which it ends, in percent. In between everything
/// stays as it is, for waiting itself makes the worker less busy.
const BUSY_PERCENT: u128 = 25;
const IDLE_PERCENT: u128 = 10;

/// Over which time that is looked at.
const WINDOW: Duration = Duration::from_millis(100);

/// A browser sends a picture within a fraction of this on a fast uplink; behind a slow one most pictures' last packet comes
/// later, and what was waited for that is lost. Timers are no finer either.
const WAIT: Duration = Duration::from_millis(1);

/// Decides about the wait by how busy the worker is.
#[derive(Debug, Default)]
pub(super) struct JoinWait {
    began: Option<Instant>,
    busy: Duration,
    waits: bool,
}

impl JoinWait {
    /// Takes note of a turn of work. The wait from now on, if it has changed.
    pub(super) fn handle_turn(&mut self, from: Instant, until: Instant) -> Option<Duration> {
        let began = *self.began.get_or_insert(from);
        self.busy += until.saturating_duration_since(from);
        let elapsed = until.saturating_duration_since(began);
        if elapsed < WINDOW {
            return None;
        }
        let busy_percent = self.busy.as_micros() * 100 / elapsed.as_micros().max(1);
        let waits = busy_percent >= if self.waits { IDLE_PERCENT } else { BUSY_PERCENT };
        self.began = Some(until);
        self.busy = Duration::ZERO;
        let has_changed = std::mem::replace(&mut self.waits, waits) != waits;
        has_changed.then_some(if waits { WAIT } else { Duration::ZERO })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    /// What is decided in a second in which each 10 ms begin with a turn of so many.
    fn decide(wait: &mut JoinWait, from: Instant, turn: Duration) -> Vec<Duration> {
        (0..100).filter_map(|at| wait.handle_turn(from + ms(10 * at), from + ms(10 * at) + turn)).collect()
    }

    #[test]
    fn who_is_busy_waits_and_who_is_a_little_busy_goes_on_as_before() {
        let mut wait = JoinWait::default();
        let mut from = origin();
        for (turn, expected) in [
            (ms(2), vec![]),
            (ms(3), vec![WAIT]),
            (ms(2), vec![]),
            (Duration::from_micros(500), vec![Duration::ZERO]),
            (ms(2), vec![]),
        ] {
            assert_eq!(decide(&mut wait, from, turn), expected, "{turn:?} of each 10 ms");
            from += ms(1000);
        }
    }

    /// Harm prevented: a quiet worker's first packets after a pause are counted against the time just before.
    #[test]
    fn a_pause_is_time_without_work() {
        let mut wait = JoinWait::default();
        assert_eq!(wait.handle_turn(origin(), origin() + ms(50)), None);
        assert_eq!(wait.handle_turn(origin() + ms(5000), origin() + ms(5050)), None);
    }
}
