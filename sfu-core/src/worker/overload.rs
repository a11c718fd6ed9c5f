//! When a worker has more to forward than it can: pictures of some consumers are suspended, so that sound, and the pictures of the
//! others, come in time. Dropping a little of everybody's would make it worse, for all of them would ask for it again.
//!
//! Overload shows as a standing queue, as in CoDel (RFC 8289): in a whole [`INTERVAL`] no picture has waited for less than
//! [`WAIT_MAX`]. How fast that grows from one interval to the next says how much too much it is: where twice as much comes as is
//! forwarded, what comes a second later waits half a second longer.

use std::time::{Duration, Instant};

/// Pictures that wait for longer are late. One of a large room's may take about that to send, and others wait for it.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// The least wait is taken over so long: longer than the bursts in which rooms' pictures come, and short enough to know of an
/// overload before it is heard.
const INTERVAL: Duration = Duration::from_millis(25);

/// After pictures were suspended, it takes as long until what waited is worked off, and to see what came of it.
const SETTLES: Duration = Duration::from_millis(100);

/// Of what the worker seems to manage, so much is kept: what already waits is to be worked off too.
const KEPT: f64 = 0.7;

/// Of the pictures that flow, so much is kept in one step, at least and at most.
const KEPT_RANGE: (f64, f64) = (0.1, 0.9);

/// When the wait falls by more than this, in seconds a second, that is left to itself.
const FALLS: f64 = 0.05;

/// While the worker is busy for less than this, in percent, and pictures are not late, some come back: as many as may make it busy for
/// [`FILLED_PERCENT`].
const CALM_PERCENT: u32 = 85;
const FILLED_PERCENT: u32 = 92;

/// The time between two steps back: a picture that comes back begins with a key frame, a round trip away.
const RETURN_INTERVAL: Duration = Duration::from_millis(200);

/// What comes back in one step, at least and at most, for each bit/s that flows.
const RETURN_RANGE: (f64, f64) = (0.1, 1.0);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Of the pictures that flow, this part remains, 0 to 1.
    Keep(f64),
    /// Of those that are suspended, as many come back as make up this part of what flows.
    Return(f64),
}

/// Decides how much flows.
#[derive(Debug, Default)]
pub(super) struct Overload {
    /// When the present interval began, and the least wait in it.
    interval: Option<(Instant, Duration)>,
    /// When the last interval ended and the least wait in it, if pictures were late.
    late: Option<(Instant, Duration)>,
    kept_at: Option<Instant>,
    returned_at: Option<Instant>,
    due: Option<Step>,
}

impl Overload {
    /// Takes note of how long pictures have waited that are being forwarded now.
    pub(super) fn handle_wait(&mut self, now: Instant, wait: Duration) {
        let is_within = |at: Option<Instant>, time| at.is_some_and(|at| now.saturating_duration_since(at) < time);
        if is_within(self.kept_at, SETTLES) {
            return;
        }
        match &mut self.interval {
            Some((from, least)) if is_within(Some(*from), INTERVAL) => *least = wait.min(*least),
            Some((_, least)) => {
                let least = *least;
                self.interval = Some((now, wait));
                self.handle_interval(now, least);
            }
            None => self.interval = Some((now, wait)),
        }
    }

    fn handle_interval(&mut self, now: Instant, least: Duration) {
        let before = self.late.take();
        if least < WAIT_MAX {
            return;
        }
        self.late = Some((now, least));
        let Some((at, before)) = before else { return };
        let elapsed = now.saturating_duration_since(at).as_secs_f64().max(1e-3);
        let growth = (least.as_secs_f64() - before.as_secs_f64()) / elapsed;
        if growth < -FALLS {
            return;
        }
        let (least, most) = KEPT_RANGE;
        self.due = Some(Step::Keep(((1.0 - growth) * KEPT).clamp(least, most)));
        self.kept_at = Some(now);
        self.interval = None;
        self.late = None;
    }

    /// Takes note of how busy the worker was of late, while pictures are suspended.
    pub(super) fn handle_load(&mut self, now: Instant, busy_percent: u32) {
        let is_soon = |at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < RETURN_INTERVAL);
        if is_soon(self.kept_at) || is_soon(self.returned_at) || self.late.is_some() || busy_percent > CALM_PERCENT {
            return;
        }
        let (least, most) = RETURN_RANGE;
        let part = f64::from(FILLED_PERCENT) / f64::from(busy_percent.max(1)) - 1.0;
        self.due = Some(Step::Return(part.clamp(least, most)));
        self.returned_at = Some(now);
    }

    /// What is to be done now, once.
    pub(super) fn poll_step(&mut self) -> Option<Step> {
        self.due.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    /// What is decided while a picture is forwarded each five milliseconds, having waited for what `wait` says at its time.
    fn decided(times: std::ops::Range<u64>, wait: impl Fn(u64) -> u64) -> (Overload, Vec<(u64, Step)>) {
        let mut overload = Overload::default();
        let steps = times.step_by(5).filter_map(|at| {
            overload.handle_wait(origin() + ms(at), ms(wait(at)));
            Some((at, overload.poll_step()?))
        });
        let steps = steps.collect();
        (overload, steps)
    }

    #[test]
    fn how_fast_the_wait_grows_says_how_much_is_kept() {
        for (growth_percent, kept) in [(0, 0.7), (25, 0.52), (50, 0.35), (75, 0.17), (95, 0.1)] {
            let (_, steps) = decided(0..150, |at| 20 + at * growth_percent / 100);
            let [(at, Step::Keep(part))] = steps[..] else { panic!("{growth_percent} %: {steps:?}") };
            assert!((part - kept).abs() < 0.06, "{growth_percent} %: {part}");
            assert!(at <= 60, "known after {at} ms");
        }
    }

    /// Harm prevented: pictures disappear because a key frame to a large room took a while, or all cameras send in the same moment.
    #[test]
    fn a_burst_is_no_overload() {
        let burst = |at| if (50..90).contains(&at) { 60 } else { 2 };
        assert!(decided(0..200, burst).1.is_empty());
        let bursts = |at| if at % 20 == 0 { 1 } else { 30 };
        assert!(decided(0..2_000, bursts).1.is_empty(), "what comes first does not wait");
    }

    /// Harm prevented: what waited already is taken for more that is too much, and in the end everybody is suspended.
    #[test]
    fn what_is_being_worked_off_is_left_to_itself() {
        let (_, steps) = decided(0..400, |at| if at < 60 { 20 + at } else { 300_u64.saturating_sub(at) });
        assert_eq!(steps.len(), 1, "{steps:?}");
        let (_, steps) = decided(0..400, |_| 40);
        assert!(steps.len() >= 2, "what does not get less is: {steps:?}");
        assert!(steps.windows(2).all(|two| two[1].0 - two[0].0 >= 100), "{steps:?}");
    }

    #[test]
    fn pictures_come_back_while_there_is_time_for_them_and_no_faster_than_that_shows() {
        for (busy_percent, returned) in
            [(0, Some(1.0)), (46, Some(1.0)), (74, Some(0.243)), (85, Some(0.1)), (86, None)]
        {
            let mut overload = Overload::default();
            let mut steps = Vec::new();
            for at in (0..1_000).step_by(100) {
                overload.handle_load(origin() + ms(at), busy_percent);
                steps.extend(overload.poll_step());
            }
            let Some(returned) = returned else {
                assert!(steps.is_empty(), "{steps:?}");
                continue;
            };
            assert_eq!(steps.len(), 5);
            for step in steps {
                let Step::Return(part) = step else { panic!("{step:?}") };
                assert!((part - returned).abs() < 0.01, "{busy_percent} %: {part}");
            }
        }
    }

    #[test]
    fn nothing_comes_back_while_pictures_are_late() {
        let (mut overload, _) = decided(0..400, |at| if at < 60 { 20 + at } else { 400 - at / 2 });
        overload.handle_load(origin() + ms(400), 10);
        assert_eq!(overload.poll_step(), None);
    }
}
