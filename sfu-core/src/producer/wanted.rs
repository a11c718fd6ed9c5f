//! Which spatial layers of a producer anybody uses: its owner is told, and need not send the others ("dynacast").

use std::time::{Duration, Instant};

/// How long a layer may be unused before its sender is told so: a viewer who turns pages must not restart encoders.
pub(crate) const UNUSED_AFTER: Duration = Duration::from_secs(2);

/// How many consumers use each layer.
#[derive(Debug, Clone, Default)]
pub(crate) struct LayerUsers([u32; 8]);

impl LayerUsers {
    /// A consumer used the layers of `before`, a bit for each, and now uses those of `after`.
    pub(crate) fn change(&mut self, before: u8, after: u8) {
        for (layer, users) in self.0.iter_mut().enumerate() {
            match (before >> layer & 1, after >> layer & 1) {
                (0, 1) => *users = users.saturating_add(1),
                (1, 0) => *users = users.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// The layers that have users, a bit for each.
    pub(crate) fn layers(&self) -> u8 {
        self.0.iter().enumerate().fold(0, |bits, (layer, &users)| bits | u8::from(users > 0) << layer)
    }
}

/// The layers that a sender was told to send, and those that it soon will be.
#[derive(Debug, Clone)]
pub(crate) struct WantedLayers {
    /// Every layer that there is.
    all: u8,
    told: u8,
    used: u8,
    /// When what is unused will be told.
    fewer_at: Option<Instant>,
}

impl WantedLayers {
    /// A sender that sends `count` layers until it is told otherwise. Nobody uses them yet. Of one without layers, such as a voice,
    /// there is never anything to tell.
    pub(crate) fn new(now: Instant, count: usize) -> Self {
        let all = (0..count.min(8)).fold(0, |bits, layer| bits | 1 << layer);
        Self { all, told: all, used: 0, fewer_at: (all != 0).then(|| now + UNUSED_AFTER) }
    }

    /// Takes note of what is used, a bit for each layer. What is newly used is told at once, what is no longer used later.
    pub(crate) fn set_used(&mut self, now: Instant, bits: u8) {
        let bits = bits & self.all;
        if bits == self.used {
            return;
        }
        let fewer = self.used & !bits != 0;
        self.used = bits;
        if self.told & !bits == 0 {
            self.fewer_at = None;
        } else if fewer || self.fewer_at.is_none() {
            self.fewer_at = Some(now + UNUSED_AFTER);
        }
    }

    /// What to tell the sender now, if that is news: all layers that it shall send, ascending.
    pub(crate) fn poll_news(&mut self, now: Instant) -> Option<Vec<u8>> {
        let more = self.used & !self.told != 0;
        let fewer = self.fewer_at.is_some_and(|at| at <= now);
        if fewer {
            self.fewer_at = None;
        }
        let told = if fewer { self.used } else { self.used | self.told };
        if !(more || fewer) || told == self.told {
            return None;
        }
        self.told = told;
        Some((0..8).filter(|layer| told >> layer & 1 != 0).collect())
    }

    /// When [`Self::poll_news`] has something next, at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.fewer_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    #[test]
    fn a_layer_is_used_until_its_last_user_leaves() {
        let mut users = LayerUsers::default();
        let steps = [(0, 0b11, 0b11), (0, 0b10, 0b11), (0b11, 0b100, 0b110), (0b10, 0, 0b100), (0b100, 0, 0)];
        for (before, after, expected) in steps {
            users.change(before, after);
            assert_eq!(users.layers(), expected, "{before:b} to {after:b}");
        }
    }

    /// What the sender of three layers was told, when; `used` at which ms.
    fn run(used: &[(u64, u8)]) -> Vec<(u64, Vec<u8>)> {
        let start = origin();
        let mut wanted = WantedLayers::new(start, 3);
        let mut told = Vec::new();
        for at in (0..10_000).step_by(100) {
            for &(_, bits) in used.iter().filter(|(when, _)| *when == at) {
                wanted.set_used(start + ms(at), bits);
            }
            if let Some(layers) = wanted.poll_news(start + ms(at)) {
                told.push((at, layers));
            }
        }
        told
    }

    #[test]
    fn senders_are_told_of_less_late_and_of_more_at_once() {
        type Case = (&'static str, &'static [(u64, u8)], &'static [(u64, &'static [u8])]);
        let cases: &[Case] = &[
            ("alone in the room", &[], &[(2_000, &[])]),
            ("everything is used", &[(500, 0b111)], &[]),
            ("a small tile", &[(500, 0b001)], &[(2_000, &[0])]),
            ("and a large one later", &[(500, 0b001), (5_000, 0b101)], &[(2_000, &[0]), (5_000, &[0, 2])]),
            ("back before anybody was told", &[(500, 0b001), (1_900, 0b111)], &[]),
            ("another one unused in the meantime", &[(0, 0b111), (1_000, 0b011), (2_000, 0b001)], &[(4_000, &[0])]),
            ("more than there is", &[(0, 0xff)], &[]),
            (
                "more of one while another is unused",
                &[(0, 0b001), (2_500, 0b010)],
                &[(2_000, &[0]), (2_500, &[0, 1]), (4_500, &[1])],
            ),
        ];
        for (name, used, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(at, layers)| (*at, layers.to_vec())).collect();
            assert_eq!(run(used), expected, "{name}");
        }
    }
}
