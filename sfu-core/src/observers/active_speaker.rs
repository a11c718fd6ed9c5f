//! Who holds the floor: dominant speaker identification after I. Volfin and I. Cohen, "Dominant Speaker Identification
//! for Multipoint Videoconferencing" (Computer Speech & Language, 2012).
//!
//! Each speaker's sound is judged over three windows that end now: the immediate one (20 ms), a medium one (100 ms, about a
//! syllable) and a long one (1 s, some words). Somebody takes the floor who is active in all three while the dominant
//! speaker is not: a breath between words does not lose it, and a cough or a slammed door does not win it.

mod activity;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use activity::{Activity, Scores};

use crate::rtp::extensions::AudioLevel;

/// How often the floor is judged; mediasoup and Jitsi do it as often.
const INTERVAL: Duration = Duration::from_millis(300);
/// The shortest interval: one medium window.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The longest interval: somebody could speak and be silent again without being seen.
const INTERVAL_MAX: Duration = Duration::from_millis(5_000);

/// By how much a challenger must be more active than the dominant speaker: logarithms of the ratio of their scores, in the
/// immediate, medium and long window (the C1, C2 and C3 of the paper, with the values in common use).
const MARGINS: Scores = Scores { immediate: 3.0, medium: 2.0, long: 0.0 };

/// How an [`ActiveSpeakerObserver`] judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveSpeakerOptions {
    /// How often the floor is judged; held to 100 ms to 5 s.
    pub interval: Duration,
}

impl Default for ActiveSpeakerOptions {
    fn default() -> Self {
        Self { interval: INTERVAL }
    }
}

/// Names the dominant speaker, whenever it is another one.
///
/// In silence the last speaker stays dominant. A producer that is paused needs no mention: what sends no levels is silent.
#[derive(Debug)]
pub struct ActiveSpeakerObserver<K> {
    interval: Duration,
    speakers: BTreeMap<K, Activity>,
    dominant: Option<K>,
    /// The dominant speaker as it was told last.
    told: Option<K>,
    /// `None` while nobody makes a sound: the next one starts the timer.
    next_judgement: Option<Instant>,
}

impl<K: Copy + Ord> ActiveSpeakerObserver<K> {
    /// Options out of range are held to it.
    pub fn new(options: ActiveSpeakerOptions) -> Self {
        Self {
            interval: options.interval.clamp(INTERVAL_MIN, INTERVAL_MAX),
            speakers: BTreeMap::new(),
            dominant: None,
            told: None,
            next_judgement: None,
        }
    }

    /// Takes in the level of a producer's packet. The first audible one becomes dominant at once.
    pub fn handle_level(&mut self, now: Instant, key: K, level: AudioLevel) {
        let audible = self.speakers.entry(key).or_default().handle_level(now, level);
        if !audible {
            return;
        }
        self.dominant.get_or_insert(key);
        self.next_judgement.get_or_insert(now + self.interval);
    }

    /// Forgets a producer: it was closed. If it was dominant, the next audible one is.
    pub fn remove(&mut self, key: K) {
        self.speakers.remove(&key);
        if self.dominant == Some(key) {
            self.dominant = None;
        }
        // Should it come back and speak first, that is news.
        if self.told == Some(key) {
            self.told = None;
        }
    }

    /// Judges who holds the floor, if the time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_judgement.is_none_or(|at| now < at) {
            return;
        }
        let mut somebody_active = false;
        for activity in self.speakers.values_mut() {
            somebody_active |= activity.evaluate(now);
        }
        self.next_judgement = somebody_active.then(|| now + self.interval);
        if let Some(winner) = self.winner() {
            self.dominant = Some(winner);
        }
    }

    /// When the floor is judged next. `None` while nobody makes a sound.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_judgement
    }

    /// The dominant speaker, if it is another one than was told last.
    pub fn poll_dominant(&mut self) -> Option<K> {
        if self.dominant == self.told {
            return None;
        }
        self.told = self.dominant.or(self.told);
        self.dominant
    }

    /// Who takes the floor: the most active of those who may.
    fn winner(&self) -> Option<K> {
        let dominant = self.dominant.and_then(|key| self.speakers.get(&key)).map(Activity::scores);
        let may_win = |challenger: &Activity| match dominant {
            Some(dominant) => challenger.speaks() && challenger.scores().exceed(dominant, MARGINS),
            None => challenger.is_heard(),
        };
        let candidates =
            self.speakers.iter().filter(|(key, activity)| self.dominant != Some(**key) && may_win(activity));
        let strongest = candidates.max_by(|(_, one), (_, other)| one.scores().compare(other.scores()));
        strongest.map(|(&key, _)| key)
    }
}

#[cfg(test)]
mod tests;
