//! A worker's processor: what it forwards takes time, and what comes meanwhile waits.

use std::time::{Duration, Instant};

/// Over which time the worker is told how busy it was.
const WINDOW: Duration = Duration::from_millis(100);

/// See the module. Each datagram that the worker sends takes the same time; all else takes none.
#[derive(Debug)]
pub(super) struct Cpu {
    per_datagram: Duration,
    free_at: Instant,
    /// There was more to do than it had time for.
    has_work: bool,
    window_from: Instant,
    busy: Duration,
}

impl Cpu {
    pub(super) fn new(now: Instant, per_datagram: Duration) -> Self {
        Self { per_datagram, free_at: now, has_work: false, window_from: now, busy: Duration::ZERO }
    }

    pub(super) fn is_free(&self, now: Instant) -> bool {
        self.free_at <= now
    }

    /// So many datagrams were sent, and there is more to do or not.
    pub(super) fn spend(&mut self, now: Instant, datagrams: u32, has_work: bool) {
        let time = self.per_datagram * datagrams;
        self.free_at = self.free_at.max(now) + time;
        self.busy += time;
        self.has_work = has_work;
    }

    /// When it goes on.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.has_work.then_some(self.free_at)
    }

    /// How busy it was, in percent, at the end of a window.
    pub(super) fn poll_load(&mut self, now: Instant) -> Option<u32> {
        let elapsed = now.saturating_duration_since(self.window_from);
        if elapsed < WINDOW {
            return None;
        }
        let percent = self.busy.min(elapsed).as_micros() * 100 / elapsed.as_micros();
        self.busy = self.busy.saturating_sub(elapsed);
        self.window_from = now;
        Some(percent as u32)
    }
}
