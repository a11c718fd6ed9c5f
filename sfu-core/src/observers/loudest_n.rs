//! Which audio is worth forwarding: that of the loudest.

use std::time::{Duration, Instant};

use super::Change;
use crate::rtp::extensions::AudioLevel;

/// How fast a level is believed: after 100 ms (five packets of 20 ms) the smoothed level has done seven eighths of a rise,
/// so a voice is let in within that time and a click of one packet is not.
const ATTACK: Duration = Duration::from_millis(40);
/// The most time that one packet's level speaks for, the longest packets in use. Without packets (DTX) there was silence,
/// which the first one after it knows nothing of.
const PACKET_TIME_MAX: Duration = Duration::from_millis(60);
/// How long a level is held against softer ones: pauses between words are shorter.
const HOLD: Duration = Duration::from_millis(500);
/// How fast it is forgotten after that: who has fallen silent is outbid by any voice half a second later.
const RELEASE_DB_PER_S: f32 = 60.0;
/// How much louder than the softest of the selected one must be to take its place: twice as loud to the ear is 10 dB, and
/// two voices of the same talk differ by less than this.
const MARGIN_DB: f32 = 6.0;
/// Softer sounds than this, in dB over digital silence, never push anybody out: -50 dBov, under which speech is not
/// understood but the noise of a room lies.
const AUDIBLE_DB: f32 = 77.0;

/// The audio producers of a room, N of which are selected: the loudest, judged so that nobody is cut between words.
///
/// Free places go to whoever comes, silent or not; a place is lost only to a louder one. So with no more producers than
/// places nothing is ever cut.
#[derive(Debug)]
pub struct LoudestN<K> {
    limit: Option<usize>,
    /// In order of arrival.
    sources: Vec<Source<K>>,
}

#[derive(Debug)]
struct Source<K> {
    key: K,
    selected: bool,
    /// In dB over digital silence, 0 to 127, as of the last packet.
    smoothed: f32,
    last_packet_at: Option<Instant>,
    /// The level held, and since when.
    held: Option<(f32, Instant)>,
}

impl<K: Copy + Eq> LoudestN<K> {
    /// Selects `limit` producers, and all if there is no limit.
    pub fn new(limit: Option<usize>) -> Self {
        Self { limit, sources: Vec::new() }
    }

    /// A producer came: it gets a place if one is free. One that is known stays as it is.
    pub fn add(&mut self, key: K) -> Change<K> {
        if self.sources.iter().any(|source| source.key == key) {
            return Change::NONE;
        }
        let selected = self.limit.is_none_or(|limit| self.selected().count() < limit);
        self.sources.push(Source { key, selected, smoothed: 0.0, last_packet_at: None, held: None });
        Change { added: selected.then_some(key), removed: None }
    }

    /// A producer is gone: the loudest of the others gets its place.
    pub fn remove(&mut self, now: Instant, key: K) -> Change<K> {
        let Some(index) = self.sources.iter().position(|source| source.key == key) else { return Change::NONE };
        if !self.sources.remove(index).selected {
            return Change::NONE;
        }
        // The first of equals: who came first.
        let heir = self
            .sources
            .iter_mut()
            .rev()
            .filter(|source| !source.selected)
            .max_by(|one, other| one.level(now).total_cmp(&other.level(now)));
        let added = heir.map(|heir| {
            heir.selected = true;
            heir.key
        });
        Change { added, removed: Some(key) }
    }

    /// Takes in the level of a producer's packet. Levels of producers that were not added are ignored.
    pub fn handle_level(&mut self, now: Instant, key: K, level: AudioLevel) -> Change<K> {
        let Some(source) = self.sources.iter_mut().find(|source| source.key == key) else { return Change::NONE };
        source.handle_level(now, level);
        let smoothed = source.smoothed;
        if source.selected || smoothed < AUDIBLE_DB {
            return Change::NONE;
        }
        // The last of equals: who came last.
        let softest = self
            .sources
            .iter_mut()
            .rev()
            .filter(|source| source.selected)
            .min_by(|one, other| one.level(now).total_cmp(&other.level(now)));
        let Some(softest) = softest.filter(|softest| smoothed > softest.level(now) + MARGIN_DB) else {
            return Change::NONE;
        };
        softest.selected = false;
        let removed = Some(softest.key);
        if let Some(source) = self.sources.iter_mut().find(|source| source.key == key) {
            source.selected = true;
        }
        Change { added: Some(key), removed }
    }

    /// Whether a producer is among the selected. False for one that is not known.
    pub fn is_selected(&self, key: K) -> bool {
        self.selected().any(|selected| selected == key)
    }

    /// The selected, in order of arrival.
    pub fn selected(&self) -> impl Iterator<Item = K> + '_ {
        self.sources.iter().filter(|source| source.selected).map(|source| source.key)
    }
}

impl<K> Source<K> {
    fn handle_level(&mut self, now: Instant, level: AudioLevel) {
        let elapsed = self.last_packet_at.map_or(PACKET_TIME_MAX, |at| now.saturating_duration_since(at));
        let elapsed = elapsed.min(PACKET_TIME_MAX).as_secs_f32();
        let measured = f32::from(127_u8.saturating_sub(level.minus_dbov));
        self.smoothed += (measured - self.smoothed) * elapsed / (elapsed + ATTACK.as_secs_f32());
        self.last_packet_at = Some(now);
        if self.smoothed >= self.level(now) {
            self.held = Some((self.smoothed, now));
        }
    }

    /// The level that counts against others: the last height, held for a while and then forgotten.
    fn level(&self, now: Instant) -> f32 {
        self.held.map_or(0.0, |(height, at)| {
            let forgetting = now.saturating_duration_since(at).saturating_sub(HOLD);
            (height - RELEASE_DB_PER_S * forgetting.as_secs_f32()).max(0.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::test_support::{ms, origin};

    const SPEECH: u8 = 25;
    const SILENCE: u8 = 127;

    fn level(minus_dbov: u8) -> AudioLevel {
        AudioLevel { voice: true, minus_dbov }
    }

    fn with(limit: usize, producers: u32) -> LoudestN<u32> {
        let mut loudest = LoudestN::new(Some(limit));
        for key in 0..producers {
            loudest.add(key);
        }
        loudest
    }

    /// Packets of 20 ms from `from_ms` to `to_ms`, of each producer given with its level; the changes with their times.
    fn play(loudest: &mut LoudestN<u32>, from_ms: u64, to_ms: u64, levels: &[(u32, u8)]) -> Vec<(u64, u32, u32)> {
        let mut changes = Vec::new();
        for at in (from_ms..to_ms).step_by(20) {
            for &(key, minus_dbov) in levels {
                let change = loudest.handle_level(origin() + ms(at), key, level(minus_dbov));
                if let (Some(added), Some(removed)) = (change.added, change.removed) {
                    changes.push((at, added, removed));
                }
            }
        }
        changes
    }

    #[test]
    fn with_places_enough_nobody_is_cut() {
        let mut loudest = with(3, 3);
        assert_eq!(play(&mut loudest, 0, 5_000, &[(0, SPEECH), (1, SILENCE), (2, 60)]), []);
        assert_eq!(loudest.selected().collect::<Vec<_>>(), [0, 1, 2]);
        let mut all = LoudestN::new(None);
        for key in 0..100 {
            assert_eq!(all.add(key), Change { added: Some(key), removed: None });
        }
    }

    #[test]
    fn a_newly_loud_one_enters_within_100_ms_in_the_place_of_a_silent_one() {
        let mut loudest = with(2, 3);
        play(&mut loudest, 0, 2_000, &[(0, SPEECH), (1, SILENCE), (2, SILENCE)]);
        let changes = play(&mut loudest, 2_000, 3_000, &[(0, SPEECH), (1, SILENCE), (2, SPEECH)]);
        let [(at, 2, 1)] = changes[..] else { panic!("{changes:?}") };
        assert!(at <= 2_100, "{at}");
    }

    #[test]
    fn one_click_lets_nobody_in() {
        let mut loudest = with(1, 2);
        play(&mut loudest, 0, 1_000, &[(0, SILENCE), (1, SILENCE)]);
        assert_eq!(play(&mut loudest, 1_000, 1_020, &[(1, 5)]), []);
        assert_eq!(play(&mut loudest, 1_020, 2_000, &[(1, SILENCE)]), []);
        // Nor the first packet after a silence without packets.
        assert_eq!(play(&mut loudest, 9_000, 9_020, &[(1, 55)]), []);
    }

    #[test]
    fn nobody_is_cut_between_words() {
        let mut loudest = with(1, 2);
        for sentence in 0..10 {
            let start = sentence * 900;
            // 500 ms of words, then a pause of 400 ms in which somebody else is as loud as the speaker was.
            assert_eq!(play(&mut loudest, start, start + 500, &[(0, SPEECH), (1, SILENCE)]), []);
            assert_eq!(play(&mut loudest, start + 500, start + 900, &[(0, SILENCE), (1, SPEECH)]), []);
        }
    }

    #[test]
    fn who_falls_silent_is_replaced_within_a_second() {
        let mut loudest = with(1, 2);
        play(&mut loudest, 0, 1_000, &[(0, SPEECH), (1, SILENCE)]);
        let changes = play(&mut loudest, 1_000, 3_000, &[(0, SILENCE), (1, SPEECH)]);
        let [(at, 1, 0)] = changes[..] else { panic!("{changes:?}") };
        assert!((1_400..=2_000).contains(&at), "{at}");
    }

    /// Each change is a gap in somebody's sentence.
    #[test]
    fn two_that_are_equally_loud_do_not_alternate() {
        let mut loudest = with(1, 2);
        for second in 0..30 {
            let (one, other) = if second % 2 == 0 { (25, 28) } else { (28, 25) };
            assert_eq!(play(&mut loudest, second * 1_000, second * 1_000 + 1_000, &[(0, one), (1, other)]), []);
        }
    }

    #[test]
    fn the_noise_of_a_room_pushes_nobody_out() {
        let mut loudest = with(1, 2);
        assert_eq!(play(&mut loudest, 0, 5_000, &[(0, SILENCE), (1, 52)]), []);
    }

    #[test]
    fn who_leaves_is_followed_by_the_loudest() {
        let mut loudest = with(1, 4);
        play(&mut loudest, 0, 1_000, &[(0, 20), (1, 60), (2, 25), (3, 60)]);
        let now = origin() + ms(1_000);
        assert_eq!(loudest.remove(now, 1), Change::NONE);
        assert_eq!(loudest.remove(now, 0), Change { added: Some(2), removed: Some(0) });
        assert_eq!(loudest.remove(now, 2), Change { added: Some(3), removed: Some(2) });
        assert_eq!(loudest.remove(now, 3), Change { added: None, removed: Some(3) });
        assert_eq!(loudest.remove(now, 3), Change::NONE);
    }

    #[test]
    fn levels_of_strangers_are_ignored() {
        let mut loudest = with(1, 1);
        assert_eq!(play(&mut loudest, 0, 1_000, &[(9, 0)]), []);
        assert!(!loudest.is_selected(9));
    }

    proptest! {
        /// Whoever carries out the changes alone must end up with the selection, and no place stays empty.
        #[test]
        fn changes_add_up_to_the_selection(
            limit in proptest::option::of(0_usize..4),
            events in proptest::collection::vec((0_u8..8, 0_u32..6, any::<u8>(), 0_u64..200), 0..300),
        ) {
            let mut loudest = LoudestN::new(limit);
            let mut forwarded = BTreeSet::new();
            let mut present = BTreeSet::new();
            let mut now = origin();
            for (event, key, minus_dbov, pause_ms) in events {
                now += ms(pause_ms);
                let change = match event {
                    0 => { present.insert(key); loudest.add(key) }
                    1 => { present.remove(&key); loudest.remove(now, key) }
                    _ => loudest.handle_level(now, key, level(minus_dbov & 0x7f)),
                };
                if let Some(removed) = change.removed {
                    prop_assert!(forwarded.remove(&removed));
                }
                if let Some(added) = change.added {
                    prop_assert!(forwarded.insert(added));
                }
                prop_assert_eq!(&forwarded, &loudest.selected().collect::<BTreeSet<_>>());
                prop_assert_eq!(forwarded.len(), present.len().min(limit.unwrap_or(usize::MAX)));
                prop_assert!(forwarded.is_subset(&present));
            }
        }
    }
}
