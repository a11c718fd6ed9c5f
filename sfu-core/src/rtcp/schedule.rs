//! When the next regular report is due.

use std::time::{Duration, Instant};

use rand::{Rng, RngCore};

/// Mean time between reports on a video stream. mediasoup's value: quick enough for layer decisions and lip-sync.
pub const VIDEO_REPORT_INTERVAL: Duration = Duration::from_millis(1000);

/// Mean time between reports on an audio stream. mediasoup's value: an audio stream's report is a large share of its
/// own bitrate.
pub const AUDIO_REPORT_INTERVAL: Duration = Duration::from_millis(5000);

/// A report of a peer with many streams that is due within this time goes out with one that is due now: the peer would be served
/// hundreds of times a second, each time looking at all of its streams.
const TOGETHER: Duration = Duration::from_millis(100);

/// So many streams are not many.
const FEW_STREAMS: usize = 16;

/// How much too early a report of one of so many streams may go out with others.
pub fn slack(streams: usize) -> Duration {
    if streams > FEW_STREAMS { TOGETHER } else { Duration::ZERO }
}

/// The timer of one stream's regular reports. Each interval is drawn from 0.5 to 1.5 times the mean, so that a
/// room's streams do not report in step (RFC 3550 section 6.3.1). The first one is half as long (section 6.2), for a
/// receiver cannot synchronise audio with video before the first sender report.
#[derive(Debug, Clone, Copy)]
pub struct ReportSchedule {
    mean_interval: Duration,
    due_at: Instant,
}

impl ReportSchedule {
    /// Starts the timer at `now` with the given mean interval.
    pub fn new(mean_interval: Duration, now: Instant, rng: &mut impl RngCore) -> Self {
        Self { mean_interval, due_at: now + jittered(mean_interval / 2, rng) }
    }

    /// When the next report is due.
    pub fn poll_timeout(&self) -> Instant {
        self.due_at
    }

    /// Whether a report is due, or will be within `slack`; if so the timer is set again, from `now`: reports missed while the
    /// worker was busy are not made up for.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Instant, slack: Duration, rng: &mut impl RngCore) -> bool {
        if now + slack < self.due_at {
            return false;
        }
        self.due_at = now + jittered(self.mean_interval, rng);
        true
    }
}

fn jittered(mean: Duration, rng: &mut impl RngCore) -> Duration {
    mean.mul_f64(rng.random_range(0.5..1.5))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::test_support::origin;

    #[test]
    fn the_first_report_comes_within_three_quarters_of_an_interval() {
        let (start, mut rng) = (origin(), StdRng::seed_from_u64(1));
        for _ in 0..100 {
            let wait = ReportSchedule::new(VIDEO_REPORT_INTERVAL, start, &mut rng).poll_timeout() - start;
            assert!((Duration::from_millis(250)..Duration::from_millis(750)).contains(&wait), "{wait:?}");
        }
    }

    #[test]
    fn intervals_vary_around_the_mean_within_half_of_it() {
        let (start, mut rng) = (origin(), StdRng::seed_from_u64(2));
        let mut schedule = ReportSchedule::new(AUDIO_REPORT_INTERVAL, start, &mut rng);
        let mut now = start;
        let mut total = Duration::ZERO;
        for _ in 0..200 {
            now = schedule.poll_timeout();
            assert!(schedule.handle_timeout(now, Duration::ZERO, &mut rng));
            let interval = schedule.poll_timeout() - now;
            assert!((AUDIO_REPORT_INTERVAL / 2..AUDIO_REPORT_INTERVAL * 3 / 2).contains(&interval));
            total += interval;
        }
        assert!((Duration::from_millis(4700)..Duration::from_millis(5300)).contains(&(total / 200)));
        assert!(!schedule.handle_timeout(now, Duration::ZERO, &mut rng));
    }

    /// Harm prevented: a peer with hundreds of streams is served hundreds of times a second, each time looking at all of them.
    #[test]
    fn of_many_streams_what_is_nearly_due_goes_along() {
        let (start, mut rng) = (origin(), StdRng::seed_from_u64(4));
        for (streams, early) in [(FEW_STREAMS, Duration::ZERO), (FEW_STREAMS + 1, TOGETHER)] {
            let mut schedule = ReportSchedule::new(VIDEO_REPORT_INTERVAL, start, &mut rng);
            let at = schedule.poll_timeout() - early;
            assert!(!schedule.handle_timeout(at - Duration::from_millis(1), slack(streams), &mut rng));
            assert!(schedule.handle_timeout(at, slack(streams), &mut rng));
            assert!(schedule.poll_timeout() >= at + VIDEO_REPORT_INTERVAL / 2);
        }
    }

    #[test]
    fn reports_missed_while_the_worker_was_busy_are_not_made_up_for() {
        let (start, mut rng) = (origin(), StdRng::seed_from_u64(3));
        let mut schedule = ReportSchedule::new(VIDEO_REPORT_INTERVAL, start, &mut rng);
        let late = start + Duration::from_secs(60);
        assert!(schedule.handle_timeout(late, Duration::ZERO, &mut rng));
        assert!(
            !schedule.handle_timeout(late, Duration::ZERO, &mut rng),
            "a stalled worker would send a burst of reports"
        );
    }
}
