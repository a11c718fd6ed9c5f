//! How busy a worker is: for placing new routers and transports.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "read by other threads than the worker's own, and measured on it"
)]

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a worker's thread looks how much of a core it has used: often enough for a crowd that joins, and no load by itself.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(200);

/// What one sample counts in the smoothed share. Three quarters of a change show within a second; the key frames of one moment
/// show little.
const SAMPLE_WEIGHT: f64 = 0.25;

/// Below this share workers are equally idle, and who has less to do goes by streams: what is measured of an idle thread is noise.
const CALM_SHARE: f64 = 0.1;

/// Beyond it, shares that are less than this apart are taken for the same.
const SHARE_STEP: f64 = 0.05;

/// How long it takes until two thirds of what a new transport costs have been measured: it connects and consumes in a second
/// or two. Until then it is expected.
const EXPECTED_FADES: Duration = Duration::from_secs(2);

/// What a transport is expected to cost before any was measured, and at least: a viewer of one video of 1 Mbit/s takes a
/// hundred packets a second at 3 µs, and joining some.
const TRANSPORT_SHARE_MIN: f64 = 0.001;

/// The same at most: two hundred and fifty videos. More would be a worker busy with something else.
const TRANSPORT_SHARE_MAX: f64 = 0.02;

/// What a stream is taken to cost where threads cannot be measured.
const ASSUMED_STREAM_SHARE: f64 = 0.0003;

/// A worker's load, written by its thread and read by whoever places a router or a transport.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// The share of a core that the thread used of late, in millionths.
    busy_ppm: AtomicU32,
    routers: AtomicUsize,
    expected_routers: AtomicUsize,
    transports: AtomicUsize,
    streams: AtomicUsize,
    /// What was placed here and does not show yet. Locked by who places, never by the worker.
    expected: Mutex<Expected>,
}

/// How much a worker has to do. Less is less busy.
pub(crate) type Weight = (u32, usize, usize);

impl Load {
    /// Tells what the worker holds.
    pub(crate) fn set(&self, routers: usize, transports: usize, streams: usize) {
        self.routers.store(routers, Ordering::Relaxed);
        self.transports.store(transports, Ordering::Relaxed);
        self.streams.store(streams, Ordering::Relaxed);
    }

    /// The worker died: it holds nothing.
    pub(crate) fn reset(&self) {
        self.set(0, 0, 0);
        self.busy_ppm.store(0, Ordering::Relaxed);
    }

    /// Counts a router that is on its way to the worker, until the answer is dropped: a burst of new rooms must not all land
    /// on one.
    pub(crate) fn expect_router(self: &Arc<Self>) -> ExpectedRouter {
        self.expected_routers.fetch_add(1, Ordering::Relaxed);
        ExpectedRouter(Arc::clone(self))
    }

    /// Counts a transport that is on its way, until what it costs is measured: neither must a burst of joins.
    pub(crate) fn expect_transport(&self) {
        let transports = self.transports.load(Ordering::Relaxed);
        let cost = transport_share(self.busy(), transports);
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).add(Instant::now(), cost);
    }

    /// The share of a core that the worker uses, or is about to; 1 is all of it.
    pub(crate) fn share(&self) -> f64 {
        self.busy() + self.expected.lock().unwrap_or_else(PoisonError::into_inner).at(Instant::now())
    }

    /// How busy the worker is, then streams that pass through, since they cost, then routers, since they will.
    pub(crate) fn weight(&self) -> Weight {
        let routers = self.routers.load(Ordering::Relaxed) + self.expected_routers.load(Ordering::Relaxed);
        (steps(self.share()), self.streams.load(Ordering::Relaxed), routers)
    }

    fn busy(&self) -> f64 {
        f64::from(self.busy_ppm.load(Ordering::Relaxed)) / 1e6
    }
}

/// A router that is on its way to a worker. To be dropped once the worker counts it, or did not take it.
#[derive(Debug)]
pub(crate) struct ExpectedRouter(Arc<Load>);

impl Drop for ExpectedRouter {
    fn drop(&mut self) {
        self.0.expected_routers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Measures the thread that it runs on, for as long as that lives.
pub(super) async fn measure(load: Arc<Load>) {
    let mut meter = Meter::default();
    let mut before = (Instant::now(), thread_time());
    loop {
        tokio::time::sleep(SAMPLE_INTERVAL).await;
        let now = (Instant::now(), thread_time());
        let share = match (before.1, now.1) {
            (Some(before_used), Some(used)) => {
                meter.handle_sample(now.0.saturating_duration_since(before.0), used.saturating_sub(before_used))
            }
            _ => load.streams.load(Ordering::Relaxed) as f64 * ASSUMED_STREAM_SHARE,
        };
        load.busy_ppm.store((share * 1e6) as u32, Ordering::Relaxed);
        before = now;
    }
}

/// The processor time that the calling thread has used, the kernel's part included.
#[cfg(unix)]
fn thread_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).ok()
}

#[cfg(not(unix))]
fn thread_time() -> Option<Duration> {
    None
}

/// The share of a core that a thread uses, smoothed.
#[derive(Debug, Default)]
struct Meter {
    share: f64,
}

impl Meter {
    fn handle_sample(&mut self, elapsed: Duration, used: Duration) -> f64 {
        let sample = used.as_secs_f64() / elapsed.as_secs_f64().max(1e-3);
        self.share += (sample.min(1.0) - self.share) * SAMPLE_WEIGHT;
        self.share
    }
}

/// What was placed and does not show yet.
#[derive(Debug, Default)]
struct Expected {
    share: f64,
    as_of: Option<Instant>,
}

impl Expected {
    fn add(&mut self, now: Instant, share: f64) {
        *self = Self { share: self.at(now) + share, as_of: Some(now) };
    }

    fn at(&self, now: Instant) -> f64 {
        let Some(as_of) = self.as_of else { return 0.0 };
        let age = now.saturating_duration_since(as_of);
        self.share * (-age.as_secs_f64() / EXPECTED_FADES.as_secs_f64()).exp()
    }
}

/// What one more transport costs, by those that there are.
fn transport_share(busy: f64, transports: usize) -> f64 {
    (busy / transports.max(1) as f64).clamp(TRANSPORT_SHARE_MIN, TRANSPORT_SHARE_MAX)
}

fn steps(share: f64) -> u32 {
    ((share - CALM_SHARE).max(0.0) / SHARE_STEP).ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    #[test]
    fn a_thread_that_becomes_busy_shows_within_a_second_and_one_burst_does_not() {
        let mut meter = Meter::default();
        assert!(meter.handle_sample(SAMPLE_INTERVAL, SAMPLE_INTERVAL) <= 0.25, "one burst");
        for _ in 0..4 {
            meter.handle_sample(SAMPLE_INTERVAL, SAMPLE_INTERVAL);
        }
        assert!(meter.share > 0.75);
        // A sample that came late, and a clock that ran ahead.
        assert!(meter.handle_sample(ms(2_000), ms(500)) < 0.75);
        for _ in 0..50 {
            meter.handle_sample(Duration::ZERO, ms(500));
        }
        assert!(meter.share <= 1.0);
    }

    /// Harm prevented: five hundred people join within five seconds, and all of them land on one worker, for none shows yet.
    #[test]
    fn what_was_placed_counts_until_it_shows() {
        let mut expected = Expected::default();
        for join in 0..500 {
            expected.add(origin() + ms(join * 10), TRANSPORT_SHARE_MIN);
        }
        let full = expected.at(origin() + ms(5_000));
        assert!((0.15..0.25).contains(&full), "two seconds' worth of joins: {full}");
        let later = expected.at(origin() + ms(15_000));
        assert!(later < full / 100.0, "{later}");
    }

    #[test]
    fn a_transport_is_expected_to_cost_what_others_do() {
        assert_eq!(transport_share(0.0, 0), TRANSPORT_SHARE_MIN);
        assert_eq!(transport_share(0.5, 100), 0.005);
        assert_eq!(transport_share(0.9, 1), TRANSPORT_SHARE_MAX);
    }

    /// Harm prevented: rooms go to a worker for a thousandth less of noise while another has none.
    #[test]
    fn among_idle_workers_streams_decide_and_among_busy_ones_the_share_does() {
        let load = |busy_ppm, streams| {
            let load = Load::default();
            load.busy_ppm.store(busy_ppm, Ordering::Relaxed);
            load.set(1, 1, streams);
            load
        };
        assert!(load(90_000, 1).weight() < load(1_000, 2).weight());
        assert!(load(300_000, 900).weight() < load(400_000, 1).weight());
        assert_eq!(load(500_000, 1).share(), 0.5);
    }

    #[cfg(unix)]
    #[test]
    fn a_threads_time_grows_with_what_it_does() {
        let before = thread_time().unwrap();
        let mut sum = 0_u64;
        while thread_time().unwrap() < before + ms(5) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
    }
}
