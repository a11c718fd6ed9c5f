//! What is remembered of a stream between two allocations.

use std::cmp::Ordering;
use std::time::Instant;

use super::{NEWS_PERCENT, PAUSE_MAX, PROVEN_AFTER, STABILITY_MAX, STABILITY_MIN};
use crate::rtp::layers::Layers;

#[derive(Debug)]
pub(super) struct State {
    /// Lower is older.
    pub(super) serial: u64,
    /// The last allocation in which it took part.
    pub(super) round: u64,
    /// What it has.
    pub(super) layers: Option<Layers>,
    /// Before this it takes no more than it has.
    pub(super) up_from: Option<Instant>,
    priority: u8,
    preferred: Layers,
    /// When it last went up, if it has not gone down since.
    went_up_at: Option<Instant>,
    /// How often in a row a step up did not last.
    failures: u32,
    /// The budget at which the last step up was taken, and that at which one turned out wrong.
    went_up_bps: u64,
    failed_bps: Option<u64>,
}

impl State {
    pub(super) fn new(serial: u64) -> Self {
        Self {
            serial,
            round: 0,
            layers: None,
            up_from: None,
            priority: 0,
            preferred: Layers::default(),
            went_up_at: None,
            failures: 0,
            went_up_bps: 0,
            failed_bps: None,
        }
    }

    /// What the owner wishes more of is not a flapping: it waits for nothing.
    pub(super) fn handle_demand(&mut self, round: u64, priority: u8, preferred: Layers) {
        self.round = round;
        if priority > self.priority || preferred > self.preferred {
            self.up_from = None;
            self.failures = 0;
        }
        self.priority = priority;
        self.preferred = preferred;
    }

    /// A budget far beyond that at which a step up turned out wrong is another path: what was learnt of the old one is void.
    pub(super) fn handle_budget(&mut self, budget_bps: Option<u64>) {
        let is_news = |failed: u64| budget_bps.is_none_or(|bps| bps >= failed.saturating_mul(NEWS_PERCENT) / 100);
        if self.failed_bps.is_some_and(is_news) {
            self.up_from = None;
            self.failures = 0;
            self.failed_bps = None;
        }
    }

    /// What it got, and how that compares with what it had. A newcomer's first layers are no step up that may turn out wrong, nor
    /// is a path to blame that has not shown to be full (`is_proven`): only the assumption was wrong.
    pub(super) fn handle_allocation(
        &mut self,
        now: Instant,
        layers: Option<Layers>,
        change: Ordering,
        (is_new, is_proven): (bool, bool),
        budget_bps: Option<u64>,
    ) {
        self.layers = layers;
        match change {
            Ordering::Greater if is_new => {}
            Ordering::Less if !is_proven => {}
            Ordering::Greater => {
                self.went_up_at = Some(now);
                self.went_up_bps = budget_bps.unwrap_or(u64::MAX);
            }
            Ordering::Less => {
                let went_up_at = self.went_up_at.take();
                if went_up_at.is_some() {
                    self.failed_bps = Some(self.went_up_bps);
                }
                match went_up_at.map(|at| now.saturating_duration_since(at)) {
                    Some(held) if held < PROVEN_AFTER => self.failures = self.failures.saturating_add(1),
                    Some(_) => self.failures = 0,
                    // One of several steps down in a row.
                    None => {}
                }
                let most = if layers.is_none() { PAUSE_MAX } else { STABILITY_MAX };
                let wait = STABILITY_MIN.saturating_mul(2_u32.saturating_pow(self.failures)).min(most);
                self.up_from = Some(now + wait);
            }
            Ordering::Equal => {}
        }
    }
}
