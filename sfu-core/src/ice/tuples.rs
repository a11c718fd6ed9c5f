//! The tuples over which valid checks have come.

use std::time::Instant;

use crate::transport::tuple::Tuple;

/// How many tuples one transport keeps: a browser checks from a few interfaces, over UDP and TCP, IPv4 and IPv6. At
/// the limit the one that has been silent for longest, the selected one apart, makes room.
pub const MAX_TUPLES: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Valid {
    tuple: Tuple,
    last_check: Instant,
}

/// A bounded set of tuples, each with the time of its last valid check.
#[derive(Debug, Default)]
pub(super) struct Tuples {
    /// In the order in which they became valid.
    valid: Vec<Valid>,
    selected: Option<Tuple>,
}

/// What a check has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) new: bool,
    pub(super) evicted: Option<Tuple>,
}

impl Tuples {
    pub(super) fn contains(&self, tuple: &Tuple) -> bool {
        self.valid.iter().any(|valid| valid.tuple == *tuple)
    }

    /// When the latest valid check came over `tuple`, if it is valid.
    pub(super) fn last_check(&self, tuple: &Tuple) -> Option<Instant> {
        self.valid.iter().find(|valid| valid.tuple == *tuple).map(|valid| valid.last_check)
    }

    /// Whether `tuple` became valid before the selected one did.
    pub(super) fn is_older_than_selected(&self, tuple: &Tuple) -> bool {
        let place = |tuple: Tuple| self.valid.iter().position(|valid| valid.tuple == tuple);
        place(*tuple).is_some_and(|own| self.selected.and_then(place).is_some_and(|selected| own < selected))
    }

    pub(super) fn selected(&self) -> Option<Tuple> {
        self.selected
    }

    /// Selects a tuple that has been added. Says whether that is a change.
    pub(super) fn select(&mut self, tuple: Tuple) -> bool {
        self.selected.replace(tuple) != Some(tuple)
    }

    /// Notes a valid check over `tuple`.
    pub(super) fn heard(&mut self, now: Instant, tuple: Tuple) -> Added {
        if let Some(valid) = self.valid.iter_mut().find(|valid| valid.tuple == tuple) {
            valid.last_check = now;
            return Added { new: false, evicted: None };
        }
        let evicted = if self.valid.len() < MAX_TUPLES { None } else { self.silent_for_longest() };
        if let Some(evicted) = evicted {
            self.remove(&evicted);
        }
        self.valid.push(Valid { tuple, last_check: now });
        Added { new: true, evicted }
    }

    fn silent_for_longest(&self) -> Option<Tuple> {
        let candidates = self.valid.iter().filter(|valid| Some(valid.tuple) != self.selected);
        candidates.min_by_key(|valid| valid.last_check).map(|valid| valid.tuple)
    }

    /// The tuple heard last, if that was at `since` or later.
    pub(super) fn latest_since(&self, since: Option<Instant>) -> Option<Tuple> {
        let latest = self.valid.iter().max_by_key(|valid| valid.last_check)?;
        since.is_none_or(|since| latest.last_check >= since).then_some(latest.tuple)
    }

    /// Forgets a tuple. Says whether it was there.
    pub(super) fn remove(&mut self, tuple: &Tuple) -> bool {
        let before = self.valid.len();
        self.valid.retain(|valid| valid.tuple != *tuple);
        if self.selected == Some(*tuple) {
            self.selected = None;
        }
        self.valid.len() < before
    }

    /// Forgets all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Tuple> + '_ {
        self.selected = None;
        self.valid.drain(..).map(|valid| valid.tuple)
    }
}
