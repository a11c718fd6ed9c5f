//! How long something that did not last is not tried again.

use std::time::{Duration, Instant};

use super::{NEWS_PERCENT, PROVEN_AFTER, STABILITY_MIN};

/// The wait before a step up: [`STABILITY_MIN`] after each step down, doubled each time that a step up did not last.
#[derive(Debug, Default)]
pub(super) struct Patience {
    up_from: Option<Instant>,
    /// When it last went up, and at which budget, if it has not gone down since.
    went_up: Option<(Instant, u64)>,
    /// How often in a row a step up did not last.
    failures: u32,
    /// The budget at which one turned out wrong.
    failed_bps: Option<u64>,
}

impl Patience {
    /// A budget far beyond that at which a step up turned out wrong is another path: what was learnt of the old one is void.
    pub(super) fn handle_budget(&mut self, budget_bps: Option<u64>) {
        let is_news = |failed: u64| budget_bps.is_none_or(|bps| bps >= failed.saturating_mul(NEWS_PERCENT) / 100);
        if self.failed_bps.is_some_and(is_news) {
            *self = Self { went_up: self.went_up, ..Self::default() };
        }
    }

    pub(super) fn handle_up(&mut self, now: Instant, budget_bps: Option<u64>) {
        self.went_up = Some((now, budget_bps.unwrap_or(u64::MAX)));
    }

    /// Returns whether it went up since it went down last: else it is one of several steps down in a row.
    pub(super) fn handle_down(&mut self, now: Instant, longest: Duration) -> bool {
        let went_up = self.went_up.take();
        if let Some((at, budget_bps)) = went_up {
            self.failed_bps = Some(budget_bps);
            let is_proven = now.saturating_duration_since(at) >= PROVEN_AFTER;
            self.failures = if is_proven { 0 } else { self.failures.saturating_add(1) };
        }
        let wait = STABILITY_MIN.saturating_mul(2_u32.saturating_pow(self.failures)).min(longest);
        self.up_from = Some(now + wait);
        went_up.is_some()
    }

    /// Until when there is a wait.
    pub(super) fn waits_until(&self, now: Instant) -> Option<Instant> {
        self.up_from.filter(|up_from| now < *up_from)
    }
}
