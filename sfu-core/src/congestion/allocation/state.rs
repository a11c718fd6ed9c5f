//! What is remembered between two allocations: of a stream, and of all streams of a receiver together.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use super::patience::Patience;
use super::{
    AMPLE_FOR, AMPLE_PERCENT, CLIMB_AFTER, CLIMB_BPS, CLIMB_DOUBLES_IN, FAR_PERCENT, PAUSE_MAX, STABILITY_MAX,
    STABILITY_MIN,
};
use crate::rtp::layers::Layers;

#[derive(Debug)]
pub(super) struct State {
    /// Lower is older.
    pub(super) serial: u64,
    /// The last allocation in which it took part.
    pub(super) round: u64,
    /// What it has.
    pub(super) layers: Option<Layers>,
    /// The wait of a stream that has nothing until it has something.
    pub(super) pauses: Patience,
    /// Its owner wished more of it, or wished it first, and it has not lost a step since.
    pub(super) is_wished: bool,
    priority: u8,
    preferred: Layers,
}

impl State {
    pub(super) fn new(serial: u64) -> Self {
        Self {
            serial,
            round: 0,
            layers: None,
            pauses: Patience::default(),
            is_wished: false,
            priority: 0,
            preferred: Layers::default(),
        }
    }

    /// What the owner wishes more of is not a flapping: it waits for nothing.
    pub(super) fn handle_demand(&mut self, round: u64, priority: u8, preferred: Layers) {
        self.round = round;
        if priority > self.priority || preferred > self.preferred {
            self.is_wished = true;
            self.pauses = Patience::default();
        }
        self.priority = priority;
        self.preferred = preferred;
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
        let before = std::mem::replace(&mut self.layers, layers);
        if change == Ordering::Less && is_proven {
            self.is_wished = false;
        }
        match (before, layers) {
            (None, Some(_)) if !is_new => self.pauses.handle_up(now, budget_bps),
            (Some(_), None) if is_proven => {
                self.pauses.handle_down(now, PAUSE_MAX);
            }
            _ => {}
        }
    }
}

/// The wait for steps, which all streams of a receiver share: it is their sum that the path carries or does not.
#[derive(Debug, Default)]
pub(super) struct Steps {
    patience: Patience,
    last_down: Option<Down>,
    budgets: Lowest,
}

/// When the path last turned out to carry less. Rates in bits per second.
#[derive(Debug, Clone, Copy)]
struct Down {
    at: Instant,
    /// What was given out until then.
    failed_bps: u64,
    /// What was given out after that.
    left_bps: u64,
}

impl Steps {
    pub(super) fn handle_budget(&mut self, now: Instant, budget_bps: Option<u64>) {
        self.patience.handle_budget(budget_bps);
        self.budgets.handle(now, budget_bps.unwrap_or(u64::MAX));
    }

    pub(super) fn handle_up(&mut self, now: Instant, budget_bps: Option<u64>) {
        self.patience.handle_up(now, budget_bps);
    }

    /// The path carries less than `given_bps`, which was given out until now; `left_bps` are now.
    pub(super) fn handle_down(&mut self, now: Instant, given_bps: u64, left_bps: u64) {
        let is_first = self.patience.handle_down(now, STABILITY_MAX);
        let before_bps = self.last_down.filter(|_| !is_first).map_or(0, |down| down.failed_bps);
        self.last_down = Some(Down { at: now, failed_bps: given_bps.max(before_bps), left_bps });
    }

    /// Until when a step to `total_bps` in all has to wait.
    pub(super) fn waits_until(&self, now: Instant, total_bps: u64) -> Option<Instant> {
        let down = self.last_down?;
        let is_far = total_bps <= down.failed_bps.saturating_mul(FAR_PERCENT) / 100;
        let is_ample = total_bps.saturating_mul(AMPLE_PERCENT) / 100 <= self.budgets.lowest();
        let settled = down.at + STABILITY_MIN;
        let calm =
            self.patience.waits_until(now).map(|until| if is_far || is_ample { until.min(settled) } else { until });
        let climbed = down.at + climbing_time(total_bps.saturating_sub(down.left_bps));
        Some(calm.map_or(climbed, |calm| calm.max(climbed))).filter(|until| now < *until)
    }
}

/// How long after a step down so many bits per second more may be given out: see [`CLIMB_BPS`].
pub(super) fn climbing_time(bps: u64) -> Duration {
    let doublings = (bps as f64 / CLIMB_BPS as f64 + 1.0).log2();
    (CLIMB_AFTER + CLIMB_DOUBLES_IN.mul_f64(doublings)).min(STABILITY_MAX)
}

/// The lowest of what came lately: within [`AMPLE_FOR`] at least, and twice that at most.
#[derive(Debug, Default)]
struct Lowest {
    before: Option<u64>,
    current: Option<(Instant, u64)>,
}

impl Lowest {
    fn handle(&mut self, now: Instant, value: u64) {
        self.current = match self.current {
            Some((since, lowest)) if now.saturating_duration_since(since) < AMPLE_FOR => {
                Some((since, lowest.min(value)))
            }
            ended => {
                self.before = ended.map(|(_, lowest)| lowest);
                Some((now, value))
            }
        };
    }

    fn lowest(&self) -> u64 {
        self.before.into_iter().chain(self.current.map(|(_, lowest)| lowest)).min().unwrap_or(0)
    }
}
