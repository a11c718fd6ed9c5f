//! Who gets how much of a receiver's bandwidth.
//!
//! Audio first, whose rate is taken off and which is never paused; then every video's base layer, by priority; then one step at
//! a time, by priority and largest deficit. What does not fit is paused and comes back by itself.
//!
//! Going down happens at once, for a queue is already growing. Going up waits for headroom ([`UP_HEADROOM_PERCENT`]) and, after a step
//! down, for a while ([`STABILITY_MIN`]) that doubles when going up turns out to have been wrong. It is the sum of all streams that the
//! path did not carry, so the wait is theirs together, and only for sums near the one that failed ([`FAR_PERCENT`]) and near the
//! budget ([`AMPLE_PERCENT`]). And nobody takes a step from another who would then be worse off: so measured rates that waver do not make
//! two equals swap for ever.
//!
//! ## The steps
//!
//! | picture | order of steps, three sizes and three frame rates | why |
//! |---|---|---|
//! | camera | 0/0 0/1 0/2 · 1/1 1/2 · 2/1 2/2 | A larger picture is not worth less than half the frame rate: people move |
//! | screen | 0/0 0/1 0/2 · 1/0 1/1 1/2 · 2/0 2/1 2/2 | Text must be sharp; it may jerk. The sharpest size that fits comes first, the frame rate gets what is left |
//!
//! A step that costs no less than a better one is left out.

mod ladder;
mod patience;
mod state;

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use ladder::Path;
pub use ladder::{Ladder, MAX_STEPS, Step};
use state::{State, Steps};

use crate::parameters::MediaKind;
use crate::rtp::layers::Layers;

/// What is kept free of the budget for retransmissions and RTCP, in percent.
pub const OVERHEAD_PERCENT: u64 = 5;

/// What must fit beyond a step's cost before it is gone up, in percent of everything allocated: a budget or a measured rate that
/// oscillates by a tenth changes nothing.
pub const UP_HEADROOM_PERCENT: u64 = 15;

/// After a step down nothing goes up for at least this long: an estimate that fell needs about so long to settle.
pub const STABILITY_MIN: Duration = Duration::from_secs(2);

/// The wait doubles each time that a step up does not last, up to this.
pub const STABILITY_MAX: Duration = Duration::from_secs(32);

/// What is given out climbs from what a step down left by so many bits per second, beginning [`CLIMB_AFTER`] it, and by twice as many
/// more in each [`CLIMB_DOUBLES_IN`]: whoever share a path climb equally fast, however much each of them has.
pub const CLIMB_BPS: u64 = 100_000;

/// When the climb begins.
pub const CLIMB_AFTER: Duration = Duration::from_secs(1);

/// The time in which it doubles its pace: everything that a call needs is there in some seconds.
pub const CLIMB_DOUBLES_IN: Duration = Duration::from_secs(1);

/// Sums up to so many percent of the one that failed wait for [`STABILITY_MIN`] only: the path has carried them.
pub const FAR_PERCENT: u64 = 80;

/// Nor does a step wait longer to a sum that the budget has been so many percent of: that is no wavering. Of two who share a path the
/// one with fewer steps fails more often, and would else be kept down by its wait while the other, who was lucky once, has none.
pub const AMPLE_PERCENT: u64 = 128;

/// The budget has been ample when it was so for this long, and at most twice that: longer than a measurement's noise, shorter than
/// the time between two congestions of a path that is shared.
pub const AMPLE_FOR: Duration = Duration::from_secs(1);

/// The longest wait of a stream that has nothing any more: a picture now and then is better than none for long.
pub const PAUSE_MAX: Duration = Duration::from_secs(8);

/// A budget of so many percent of that at which a step up turned out wrong ends the wait: the path has become another.
pub const NEWS_PERCENT: u64 = 150;

/// A step up that was held for this long was right: the wait begins with [`STABILITY_MIN`] again.
pub const PROVEN_AFTER: Duration = Duration::from_secs(5);

/// What one stream of a receiver asks for.
#[derive(Clone, Debug)]
pub struct Demand<K> {
    /// Whose it is.
    pub key: K,
    /// Higher goes first: mediasoup's `setPriority`, 1 to 255, by default 1.
    pub priority: u8,
    /// A shared screen, whose sharpness goes before its frame rate.
    pub is_screen: bool,
    /// Audio is never paused.
    pub kind: MediaKind,
    /// What the owner wishes, within what exists.
    pub preferred: Layers,
    /// What may be had at which cost. Empty: nothing is known of the stream, which then gets what it prefers at no cost.
    pub rates: Ladder,
}

/// What one stream gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation<K> {
    /// Whose it is.
    pub key: K,
    /// `None`: does not fit; paused for bandwidth.
    pub layers: Option<Layers>,
    /// What it would get without a limit.
    pub desired: Layers,
}

/// Divides one receiver's bandwidth. Remembers who has what, for steadiness. Allocates memory only when there are more streams
/// than ever before.
#[derive(Debug)]
pub struct Allocator<K> {
    states: BTreeMap<K, State>,
    steps: Steps,
    /// Streams ever seen: their age.
    next_serial: u64,
    round: u64,
    allocations: Vec<Allocation<K>>,
    /// The videos of the demands, in the order of their base layers.
    videos: Vec<Video<K>>,
    candidates: BinaryHeap<Reverse<Candidate>>,
    desired_bps: u64,
    allocated_bps: u64,
    timeout: Option<Instant>,
    base_budget_bps: Option<u64>,
}

/// A video while it is being allocated.
#[derive(Debug)]
struct Video<K> {
    key: K,
    /// Its place among the demands.
    index: usize,
    priority: u8,
    serial: u64,
    path: Path,
    /// How many steps of the path it had before.
    had: usize,
    /// How many it has now.
    has: usize,
    /// Until when it stays without anything.
    paused_until: Option<Instant>,
    /// It waits for nothing: it is new, or its owner wishes more of it.
    is_wished: bool,
    is_new: bool,
}

/// The next step of a video, in the order in which steps are taken.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    priority: Reverse<u8>,
    /// In millionths of what it prefers. See [`Video::candidate`].
    share_ppm: u64,
    is_step_up: bool,
    serial: u64,
    video: usize,
}

impl<K: Copy + Ord> Default for Allocator<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Ord> Allocator<K> {
    /// An allocator that has not seen anybody.
    pub fn new() -> Self {
        Self {
            states: BTreeMap::new(),
            steps: Steps::default(),
            next_serial: 0,
            round: 0,
            allocations: Vec::new(),
            videos: Vec::new(),
            candidates: BinaryHeap::new(),
            desired_bps: 0,
            allocated_bps: 0,
            timeout: None,
            base_budget_bps: Some(0),
        }
    }

    /// Sets what base layers may cost in any case, in bits per second, audio included: a budget that is lower for a moment
    /// takes layers away and pauses nobody. `None`: whatever they cost, for nothing is paused for an assumption.
    pub fn set_base_budget(&mut self, bps: Option<u64>) {
        self.base_budget_bps = bps;
    }

    /// Divides `budget_bps` (`None`: nothing is known of the path, everything fits) among `demands`, which have one entry for each
    /// key. Who is not among them is forgotten. The answer has the order of the demands.
    pub fn allocate(&mut self, now: Instant, budget_bps: Option<u64>, demands: &[Demand<K>]) -> &[Allocation<K>] {
        let audio_bps = self.begin(now, demands, budget_bps);
        let base_budget_bps = self.base_budget_bps.and_then(|base| budget_bps.map(|budget| budget.max(base)));
        let mut budget = Budget::new(base_budget_bps, audio_bps);
        self.grant_base_layers(&mut budget);
        let mut budget = Budget::new(budget_bps, budget.spent_bps);
        self.grant_steps(now, &mut budget);
        self.conclude(now, budget_bps, budget.spent_bps);
        &self.allocations
    }

    /// What everybody prefers, audio included, without headroom, in bits per second, as of the last allocation.
    pub fn desired_bps(&self) -> u64 {
        self.desired_bps
    }

    /// The budget at which everybody gets what is preferred: [`Allocator::desired_bps`] with all headroom. A path that is known to
    /// carry this needs no probing.
    pub fn sufficient_budget_bps(&self) -> u64 {
        with_headroom(self.desired_bps).saturating_mul(100).div_ceil(100 - OVERHEAD_PERCENT)
    }

    /// What was given out by the last allocation, audio included, in bits per second.
    pub fn allocated_bps(&self) -> u64 {
        self.allocated_bps
    }

    /// When a stream's wait ends that would get more now but for the wait: allocate again then.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    /// Reads the demands; returns what audio costs.
    fn begin(&mut self, now: Instant, demands: &[Demand<K>], budget_bps: Option<u64>) -> u64 {
        self.round += 1;
        self.steps.handle_budget(now, budget_bps);
        self.timeout = None;
        self.allocations.clear();
        self.videos.clear();
        let mut audio_bps = 0_u64;
        self.desired_bps = 0;
        for (index, demand) in demands.iter().enumerate() {
            let path = Path::new(&demand.rates, demand.preferred, demand.is_screen);
            let desired = path.last().map_or(demand.preferred, |step| step.layers);
            let desired_bps = path.last().map_or(0, |step| step.bps);
            self.desired_bps = self.desired_bps.saturating_add(desired_bps);
            let is_free = path.last().is_none();
            let is_audio = demand.kind == MediaKind::Audio;
            let layers = (is_audio || is_free).then_some(desired);
            self.allocations.push(Allocation { key: demand.key, layers, desired });
            if is_audio {
                audio_bps = audio_bps.saturating_add(desired_bps);
            } else if !is_free {
                self.add_video(now, index, demand, path, budget_bps);
            } else if let Some(state) = self.states.get_mut(&demand.key) {
                state.round = self.round;
            }
        }
        let round = self.round;
        self.states.retain(|_, state| state.round == round);
        audio_bps
    }

    fn add_video(&mut self, now: Instant, index: usize, demand: &Demand<K>, path: Path, budget_bps: Option<u64>) {
        let is_new = !self.states.contains_key(&demand.key);
        let next_serial = &mut self.next_serial;
        let state = self.states.entry(demand.key).or_insert_with(|| {
            *next_serial += 1;
            State::new(*next_serial)
        });
        state.handle_demand(self.round, demand.priority, demand.preferred);
        state.pauses.handle_budget(budget_bps);
        // What flows has the first step, though that be another now: a sender that stutters has fewer temporal layers for a while.
        let had = state.layers.map_or(0, |layers| path.steps_within(layers).max(1));
        self.videos.push(Video {
            key: demand.key,
            index,
            priority: demand.priority,
            serial: state.serial,
            path,
            had,
            has: 0,
            paused_until: state.pauses.waits_until(now),
            is_wished: state.is_wished,
            is_new,
        });
    }

    /// Every base layer, by priority; among equals who flows already goes first, then who is older.
    fn grant_base_layers(&mut self, budget: &mut Budget) {
        self.videos.sort_unstable_by_key(|video| (Reverse(video.priority), video.had == 0, video.serial));
        for video in &mut self.videos {
            let Some(cost) = video.path.step(0).map(|step| step.bps) else { continue };
            // A newcomer has nothing to flap between.
            let is_step_up = video.had == 0 && !video.is_new;
            take_step(budget, &mut self.timeout, video, (cost, is_step_up), video.paused_until);
        }
    }

    /// Then one step at a time, by priority and largest deficit.
    fn grant_steps(&mut self, now: Instant, budget: &mut Budget) {
        self.candidates.clear();
        let first = self.videos.iter().enumerate().filter(|(_, video)| video.has > 0);
        self.candidates.extend(first.filter_map(|(at, video)| Some(Reverse(video.candidate(at)?))));
        while let Some(Reverse(candidate)) = self.candidates.pop() {
            let Some(video) = self.videos.get_mut(candidate.video) else { continue };
            let Some(cost) = video.next_cost() else { continue };
            let total_bps = budget.spent_bps.saturating_add(cost);
            let until = if video.is_wished { None } else { self.steps.waits_until(now, total_bps) };
            // Who cannot pay for the next step cannot pay for those after it, but another's may be smaller.
            if take_step(budget, &mut self.timeout, video, (cost, candidate.is_step_up), until) {
                self.candidates.extend(video.candidate(candidate.video).map(Reverse));
            }
        }
    }

    fn conclude(&mut self, now: Instant, budget_bps: Option<u64>, spent_bps: u64) {
        let is_proven = self.base_budget_bps.is_some();
        let (mut has_new, mut has_more, mut has_less) = (false, false, false);
        for video in &self.videos {
            let change = video.has.cmp(&video.had);
            has_new |= video.is_new;
            has_more |= change == Ordering::Greater && !video.is_new;
            has_less |= change == Ordering::Less;
            let layers = video.has.checked_sub(1).and_then(|last| video.path.step(last)).map(|step| step.layers);
            if let Some(allocation) = self.allocations.get_mut(video.index) {
                allocation.layers = layers;
            }
            if let Some(state) = self.states.get_mut(&video.key) {
                state.handle_allocation(now, layers, change, (video.is_new, is_proven), budget_bps);
            }
        }
        // Who makes room for a newcomer does not say anything of the path.
        if has_less && is_proven && !has_new {
            self.steps.handle_down(now, self.allocated_bps, spent_bps);
        } else if has_more {
            self.steps.handle_up(now, budget_bps);
        }
        self.allocated_bps = spent_bps;
    }
}

impl<K> Video<K> {
    /// What the next step costs beyond what it has.
    fn next_cost(&self) -> Option<u64> {
        let before = self.has.checked_sub(1).and_then(|last| self.path.step(last)).map_or(0, |step| step.bps);
        Some(self.path.step(self.has)?.bps.saturating_sub(before))
    }

    /// The next step's place in the order: by the share of what is preferred. For a step that the video had before it is the share
    /// without it, for a new one the share with it. So a new step goes before another's old one only if the other, having lost it,
    /// is still no worse off than the one who gained: which cannot be undone by the same rule.
    fn candidate(&self, video: usize) -> Option<Candidate> {
        let is_step_up = self.has >= self.had;
        let judged = if is_step_up { self.has } else { self.has.checked_sub(1)? };
        self.path.step(self.has)?;
        let preferred_bps = self.path.last()?.bps.max(1);
        let share_ppm = u128::from(self.path.step(judged)?.bps) * 1_000_000 / u128::from(preferred_bps);
        Some(Candidate {
            priority: Reverse(self.priority),
            share_ppm: u64::try_from(share_ppm).unwrap_or(u64::MAX),
            is_step_up,
            serial: self.serial,
            video,
        })
    }
}

/// What there is to divide.
#[derive(Debug)]
struct Budget {
    /// `None`: no limit.
    usable_bps: Option<u64>,
    spent_bps: u64,
}

impl Budget {
    fn new(budget_bps: Option<u64>, spent_bps: u64) -> Self {
        let usable_bps = budget_bps.map(|bps| bps - bps.saturating_mul(OVERHEAD_PERCENT) / 100);
        Self { usable_bps, spent_bps }
    }

    fn fits(&self, cost_bps: u64, is_step_up: bool) -> bool {
        let total = self.spent_bps.saturating_add(cost_bps);
        let needed = if is_step_up { with_headroom(total) } else { total };
        self.usable_bps.is_none_or(|usable| needed <= usable)
    }
}

/// Gives `video` its next step, of which are given the cost and whether it is more than the video had, if that fits and the video
/// need not wait. Returns whether it did.
fn take_step<K>(
    budget: &mut Budget,
    timeout: &mut Option<Instant>,
    video: &mut Video<K>,
    (cost_bps, is_step_up): (u64, bool),
    waits_until: Option<Instant>,
) -> bool {
    if !budget.fits(cost_bps, is_step_up) {
        return false;
    }
    // Without a limit there is nothing to wait for.
    if let Some(until) = waits_until.filter(|_| is_step_up && budget.usable_bps.is_some()) {
        *timeout = Some(timeout.map_or(until, |timeout| timeout.min(until)));
        return false;
    }
    budget.spent_bps = budget.spent_bps.saturating_add(cost_bps);
    video.has += 1;
    true
}

fn with_headroom(bps: u64) -> u64 {
    bps.saturating_mul(100 + UP_HEADROOM_PERCENT) / 100
}

#[cfg(test)]
mod tests;
