//! What publishers send: packets as a browser makes them, without a picture or a sound inside.

pub mod audio;
pub mod stream;
pub mod video;

use std::time::{Duration, Instant};

pub use audio::AudioSource;
pub use stream::{Outgoing, OutgoingStream};
pub use video::{VideoLayer, VideoSource};

/// A source that is this far behind leaves out what it did not send: it was not given the CPU, and a burst would help nobody.
const BEHIND_MAX: Duration = Duration::from_millis(200);

/// The moments of a source.
#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    next_at: Instant,
    left_out: u64,
}

impl Schedule {
    /// The first moment is `next_at`.
    pub fn new(interval: Duration, next_at: Instant) -> Self {
        Self { interval, next_at, left_out: 0 }
    }

    /// Whether it is time; then the next moment is one interval later.
    pub fn poll(&mut self, now: Instant) -> bool {
        if self.next_at > now {
            return false;
        }
        self.next_at += self.interval;
        while now.duration_since(self.next_at) > BEHIND_MAX {
            self.next_at += self.interval;
            self.left_out += 1;
        }
        true
    }

    /// The next moment.
    pub fn next_at(&self) -> Instant {
        self.next_at
    }

    /// How many moments were missed.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_catches_up_on_little_and_leaves_out_much() {
        let begun = Instant::now();
        let mut schedule = Schedule::new(Duration::from_millis(20), begun);
        let due = |schedule: &mut Schedule, at_ms| {
            let now = begun + Duration::from_millis(at_ms);
            std::iter::from_fn(|| schedule.poll(now).then_some(())).count()
        };
        assert_eq!(due(&mut schedule, 0), 1);
        assert_eq!(due(&mut schedule, 19), 0);
        assert_eq!(due(&mut schedule, 100), 5);
        assert_eq!(schedule.left_out(), 0);
        let after_a_second = due(&mut schedule, 1_100);
        assert!(after_a_second <= 12, "{after_a_second}");
        assert_eq!(after_a_second as u64 + schedule.left_out(), 50);
    }
}
