//! When a worker has more to forward than it can: pictures of some consumers are suspended, so that sound, and the pictures of the
//! others, come in time. Dropping a little of everybody's would make it worse, for all of them would ask for it again.
//!
//! Overload shows as a standing queue, as in CoDel (RFC 8289): in a whole [`INTERVAL`] no picture has waited for less than
//! [`WAIT_MAX`]. How fast that grows from one interval to the next says how much too much it is: where twice as much comes as is
//! forwarded, what comes a second later waits half a second longer.
//!
//! What counts is waiting for the worker's own work. On a machine where others take the processors it wakes up late: that is no less
//! late with fewer pictures, and viewers can do more about it than to lose them.

use std::time::{Duration, Instant};

/// Pictures that wait for longer are late. One of a large room's may take about that to send, and others wait for it.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// A worker that is busy for less than that, in percent, is not overloaded, unless pictures are later than this: key frames of many at
/// a time are a burst, and over soon.
const BUSY_PERCENT: u32 = 85;
const BURST_WAIT_MAX: Duration = Duration::from_millis(60);

/// The same for one to which pictures have just come back ([`COMES_OF_RETURN`]): each of them begins with a key frame.
const BUSY_WITH_RETURN_PERCENT: u32 = 96;

/// The least wait is taken over so long: longer than the bursts in which rooms' pictures come, and short enough to know of an
/// overload before it is heard.
const INTERVAL: Duration = Duration::from_millis(25);

/// After a step it takes as long until what waited is worked off, and to see what came of it: the step itself is work.
const SETTLES: Duration = Duration::from_millis(75);

/// Of what the worker seems to manage, so much is kept: what already waits is to be worked off too.
const KEPT: f64 = 0.7;

/// Of the pictures that flow, so much is kept in one step, at least and at most: what a burst looks like is not to cost everybody.
const KEPT_RANGE: (f64, f64) = (0.4, 0.9);

/// When the wait falls by more than this, in seconds a second, that is left to itself.
const FALLS: f64 = 0.05;

/// While the worker is busy for less than this, in percent, and pictures are not late, some come back: as many as may make it busy for
/// [`FILLED_PERCENT`].
const CALM_PERCENT: u32 = 85;
const FILLED_PERCENT: u32 = 92;

/// The time between two steps back: a picture that comes back begins with a key frame, a round trip away.
const RETURN_INTERVAL: Duration = Duration::from_millis(200);

/// The same after coming back was too much: at most, and it doubles with each time.
const PATIENCE_MAX: Duration = Duration::from_millis(3_200);

/// So soon after a step back, an overload comes of it.
const COMES_OF_RETURN: Duration = Duration::from_secs(1);

/// What comes back in one step, at least and at most, for each bit/s that flows.
const RETURN_RANGE: (f64, f64) = (0.05, 1.0);

/// A worker that is busy for less, in percent, is over it: what comes back goes by what is suspended too, this part of it at most.
const OVER_PERCENT: u32 = 50;
const RETURN_OF_SUSPENDED: f64 = 0.25;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Of the pictures that flow, this part remains, 0 to 1.
    Keep(f64),
    /// Of those that are suspended, as many come back as make up these parts of what flows, and of what is suspended.
    Return { of_flowing: f64, of_suspended: f64 },
}

/// Decides how much flows.
#[derive(Debug, Default)]
pub(super) struct Overload {
    /// When the present interval began, and the least wait in it.
    interval: Option<(Instant, Duration)>,
    /// When the last interval ended and the least wait in it, if pictures were late.
    late: Option<(Instant, Duration)>,
    busy_percent: u32,
    kept_at: Option<Instant>,
    returned_at: Option<Instant>,
    /// The last pause, from and until.
    pause: Option<(Instant, Instant)>,
    /// How much longer than [`RETURN_INTERVAL`] is waited between two steps back.
    patience: Duration,
    due: Option<Step>,
}

impl Overload {
    /// Takes note of a pause, `from` the end of a turn `until` the next: the worker had nothing to do then, or was not let do it.
    pub(super) fn handle_pause(&mut self, from: Instant, until: Instant) {
        self.pause = Some((from, until));
    }

    /// Takes note of pictures that are being forwarded now and have waited `since` then.
    pub(super) fn handle_wait(&mut self, now: Instant, since: Instant) {
        let paused =
            self.pause.map_or(Duration::ZERO, |(from, until)| until.saturating_duration_since(from.max(since)));
        let wait = now.saturating_duration_since(since).saturating_sub(paused);
        let is_within = |at: Option<Instant>, time| at.is_some_and(|at| now.saturating_duration_since(at) < time);
        if is_within(self.kept_at, SETTLES) || is_within(self.returned_at, SETTLES) {
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
        let comes_of_return = self.returned_at.is_some_and(|at| now.saturating_duration_since(at) < COMES_OF_RETURN);
        let busy_percent = if comes_of_return { BUSY_WITH_RETURN_PERCENT } else { BUSY_PERCENT };
        if growth < -FALLS || (self.busy_percent < busy_percent && least < BURST_WAIT_MAX) {
            return;
        }
        if comes_of_return {
            self.patience = (self.patience * 2).clamp(RETURN_INTERVAL, PATIENCE_MAX);
        }
        let (least, most) = KEPT_RANGE;
        self.due = Some(Step::Keep(((1.0 - growth) * KEPT).clamp(least, most)));
        self.kept_at = Some(now);
        self.interval = None;
        self.late = None;
    }

    /// Takes note of how busy the worker was of late, and whether pictures are suspended.
    pub(super) fn handle_load(&mut self, now: Instant, busy_percent: u32, is_shedding: bool) {
        self.busy_percent = busy_percent;
        if !is_shedding {
            return;
        }
        if busy_percent < OVER_PERCENT {
            self.patience = Duration::ZERO;
        }
        let wait = RETURN_INTERVAL + self.patience;
        let is_soon = |at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < wait);
        if is_soon(self.kept_at) || is_soon(self.returned_at) || self.late.is_some() || busy_percent > CALM_PERCENT {
            return;
        }
        let (least, most) = RETURN_RANGE;
        let of_flowing = (f64::from(FILLED_PERCENT) / f64::from(busy_percent.max(1)) - 1.0).clamp(least, most);
        let idle = f64::from(OVER_PERCENT.saturating_sub(busy_percent)) / f64::from(OVER_PERCENT);
        self.due = Some(Step::Return { of_flowing, of_suspended: idle * RETURN_OF_SUSPENDED });
        self.returned_at = Some(now);
    }

    /// How busy the worker was of late, in percent.
    pub(super) fn busy_percent(&self) -> u32 {
        self.busy_percent
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
        let mut overload = Overload { busy_percent: 99, ..Overload::default() };
        let steps = times.step_by(5).filter_map(|at| {
            overload.handle_wait(origin() + ms(at), origin() + ms(at) - ms(wait(at)));
            Some((at, overload.poll_step()?))
        });
        let steps = steps.collect();
        (overload, steps)
    }

    #[test]
    fn how_fast_the_wait_grows_says_how_much_is_kept() {
        for (growth_percent, kept) in [(0, 0.7), (25, 0.52), (50, 0.4), (95, 0.4)] {
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
        let mut overload = Overload::default();
        overload.handle_load(origin(), 60, false);
        for at in (0..150).step_by(5) {
            overload.handle_wait(origin() + ms(at), origin() + ms(at) - ms(40));
        }
        assert_eq!(overload.poll_step(), None, "it has time for what comes");
    }

    /// Harm prevented: on a busy machine a call of two loses its picture several times a minute, which helps nobody: the worker has
    /// nothing else to do, and only wakes up late.
    #[test]
    fn waiting_for_a_processor_is_no_overload() {
        // Pictures come each 33 ms, and take so long to forward. The worker is let begin only each 100 ms.
        for (work_ms, is_overload) in [(1, false), (10, false), (50, true)] {
            let mut overload = Overload { busy_percent: 90, ..Overload::default() };
            let (mut now, mut was_overload) = (origin(), false);
            let mut pictures = (0..100).map(|number| origin() + ms(33 * number)).peekable();
            for due in (0..30).map(|turn| origin() + ms(100 * turn)) {
                if now < due {
                    overload.handle_pause(now, due);
                    now = due;
                }
                while let Some(since) = pictures.next_if(|since| *since <= now) {
                    now += ms(work_ms);
                    overload.handle_wait(now, since);
                    was_overload |= overload.poll_step().is_some();
                }
            }
            assert_eq!(was_overload, is_overload, "{work_ms} ms of work for each picture");
        }
    }

    /// Harm prevented: the key frames of those who come back send them away again.
    #[test]
    fn what_comes_back_begins_with_a_burst() {
        for (busy_percent, is_too_much) in [(90, false), (99, true)] {
            let mut overload = Overload::default();
            overload.handle_load(origin(), 80, true);
            assert!(matches!(overload.poll_step(), Some(Step::Return { .. })));
            overload.handle_load(origin() + ms(100), busy_percent, true);
            for at in (100..250).step_by(5) {
                overload.handle_wait(origin() + ms(at), origin() + ms(at) - ms(40));
            }
            let step = overload.poll_step();
            assert_eq!(matches!(step, Some(Step::Keep(_))), is_too_much, "{busy_percent} %: {step:?}");
        }
    }

    /// Harm prevented: what waited already is taken for more that is too much, and in the end everybody is suspended.
    #[test]
    fn what_is_being_worked_off_is_left_to_itself() {
        let (_, steps) = decided(0..400, |at| if at < 60 { 20 + at } else { 300_u64.saturating_sub(at) });
        assert_eq!(steps.len(), 1, "{steps:?}");
        let (_, steps) = decided(0..400, |_| 40);
        assert!(steps.len() >= 2, "what does not get less is: {steps:?}");
        assert!(steps.windows(2).all(|two| two[1].0 - two[0].0 >= 75), "{steps:?}");
    }

    #[test]
    fn pictures_come_back_while_there_is_time_for_them_and_no_faster_than_that_shows() {
        for (busy_percent, returned) in [
            (0, Some((1.0, 0.25))),
            (25, Some((1.0, 0.125))),
            (60, Some((0.533, 0.0))),
            (74, Some((0.243, 0.0))),
            (85, Some((0.082, 0.0))),
            (86, None),
        ] {
            let mut overload = Overload::default();
            let mut steps = Vec::new();
            for at in (0..1_000).step_by(100) {
                overload.handle_load(origin() + ms(at), busy_percent, true);
                steps.extend(overload.poll_step());
            }
            let Some(returned) = returned else {
                assert!(steps.is_empty(), "{steps:?}");
                continue;
            };
            assert_eq!(steps.len(), 5);
            for step in steps {
                let Step::Return { of_flowing, of_suspended } = step else { panic!("{step:?}") };
                assert!((of_flowing - returned.0).abs() < 0.01, "{busy_percent} %: {of_flowing}");
                assert!((of_suspended - returned.1).abs() < 0.01, "{busy_percent} %: {of_suspended}");
            }
        }
    }

    /// Harm prevented: pictures come and go twice a second for as long as there is too much.
    #[test]
    fn what_was_too_much_is_tried_again_later_each_time_and_soon_once_it_is_over() {
        let mut overload = Overload::default();
        let mut returns = Vec::new();
        for at in (0..60_000_u64).step_by(5) {
            let now = origin() + ms(at);
            let is_late = returns.last().is_some_and(|last| (100..300).contains(&(at - last)));
            overload.handle_wait(now, now - ms(if is_late { 70 } else { 5 }));
            if at % 100 == 0 {
                overload.handle_load(now, 70, true);
            }
            if let Some(Step::Return { .. }) = overload.poll_step() {
                returns.push(at);
            }
        }
        let between: Vec<u64> = returns.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(between[0] < 1_000 && between.last().is_some_and(|last| *last >= 3_200), "{between:?}");
        overload.handle_load(origin() + ms(61_000), 40, true);
        assert!(overload.poll_step().is_some(), "there is time for much more");
    }

    #[test]
    fn nothing_comes_back_while_pictures_are_late() {
        let (mut overload, _) = decided(0..400, |at| if at < 60 { 20 + at } else { 400 - at / 2 });
        overload.handle_load(origin() + ms(400), 10, true);
        assert_eq!(overload.poll_step(), None);
    }
}
