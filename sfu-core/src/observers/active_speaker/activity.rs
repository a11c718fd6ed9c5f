//! One speaker's sound over the three windows.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use crate::rtp::extensions::AudioLevel;

/// The time that one frame of the windows stands for: the packet time of nearly all audio.
const FRAME: Duration = Duration::from_millis(20);
/// Frames in the medium window.
const MEDIUM_FRAMES: usize = 5;
/// Medium windows in the long window.
const LONG_MEDIUMS: usize = 10;
/// Frames in the long window, which is all that is remembered.
const FRAMES: usize = MEDIUM_FRAMES * LONG_MEDIUMS;
/// The most frames that one packet's level speaks for: 120 ms, the longest Opus packets. A longer gap was silence (DTX, a
/// pause), and the first packet after it is not taken for as much speech as the gap was long.
const FRAMES_PER_PACKET_MAX: usize = 6;

/// The levels, 0 to 127, are judged in this many steps.
const STEPS: u8 = 13;
/// How many levels a step has.
const STEP: u8 = 127_u8.div_ceil(STEPS);
/// The step above which a frame is active: 80 dB over digital silence, -47 dBov.
const ACTIVE_ABOVE: u8 = 7;
/// The active frames that a medium window must have to be active: it may hold one soft frame.
const MEDIUM_ACTIVE_AT: u8 = 4;
/// The active medium windows that a challenger must have: 400 ms of sound within the last second. A cough and a slammed
/// door are shorter.
const LONG_SPEECH_AT: u8 = 4;

/// The rates of the exponential distributions that the paper takes for the activity of somebody silent, one a window, with
/// the values in common use.
const SILENCE_RATE: Scores = Scores { immediate: 0.78, medium: 24.0, long: 47.0 };
/// The least score, so that ratios are finite.
const SCORE_MIN: f64 = 1e-10;

/// Frames over which the softest level is taken for the background noise, twice: 5 s of sound hold a gap in any speech.
const NOISE_FRAMES: u16 = 250;

/// One number for each window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scores {
    pub(super) immediate: f64,
    pub(super) medium: f64,
    pub(super) long: f64,
}

impl Scores {
    const NONE: Self = Self { immediate: SCORE_MIN, medium: SCORE_MIN, long: SCORE_MIN };

    /// Whether the logarithms of the ratios to `other` are above the margins in every window.
    pub(super) fn exceed(self, other: Self, margins: Self) -> bool {
        (self.immediate / other.immediate).ln() > margins.immediate
            && (self.medium / other.medium).ln() > margins.medium
            && (self.long / other.long).ln() > margins.long
    }

    /// Which of two is more active: by the medium window, and where that is equal by the long one.
    pub(super) fn compare(self, other: Self) -> Ordering {
        self.medium.total_cmp(&other.medium).then(self.long.total_cmp(&other.long))
    }
}

/// What a speaker did in the last second.
#[derive(Debug)]
pub(super) struct Activity {
    /// Levels in dB over digital silence, a ring.
    levels: [u8; FRAMES],
    /// Where the next level goes, and the oldest is.
    next: usize,
    /// Until when the ring is filled. `None` before the first level.
    filled_until: Option<Instant>,
    noise: NoiseFloor,
    /// The encoder has said of a packet that it has a voice: then it says so of all that have.
    tells_voice: bool,
    /// As of the last evaluation.
    counts: Counts,
    scores: Scores,
}

/// How active each window is.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Steps of the last frame, 0 to 12.
    immediate: u8,
    /// Active frames among the last five.
    medium: u8,
    /// Active ones among the last ten medium windows.
    long: u8,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            levels: [0; FRAMES],
            next: 0,
            filled_until: None,
            noise: NoiseFloor::default(),
            tells_voice: false,
            counts: Counts::default(),
            scores: Scores::NONE,
        }
    }
}

impl Activity {
    /// Takes in a packet's level. Returns whether it is active sound.
    pub(super) fn handle_level(&mut self, now: Instant, level: AudioLevel) -> bool {
        self.tells_voice |= level.voice;
        let measured = 127_u8.saturating_sub(level.minus_dbov);
        let level = if self.tells_voice && !level.voice { 0 } else { measured };
        let due = self.frames_due(now);
        if due == 0 {
            // Packets in a burst, or shorter than a frame: the frame is as loud as the loudest.
            let last = self.levels.get_mut((self.next + FRAMES - 1) % FRAMES);
            if let Some(last) = last {
                *last = level.max(*last);
            }
        } else {
            let silent = if due > FRAMES_PER_PACKET_MAX { due - 1 } else { 0 };
            self.fill(0, silent);
            self.fill(level, due - silent);
            self.noise.handle_level(measured, due - silent);
        }
        self.steps(level) > ACTIVE_ABOVE
    }

    /// Judges the windows that end now. Returns whether there is active sound in any.
    pub(super) fn evaluate(&mut self, now: Instant) -> bool {
        // A packet may be late; what is missing for longer was not sent.
        let due = self.filled_until.map_or(0, |until| frames_between(until, now));
        if due > FRAMES_PER_PACKET_MAX {
            let due = self.frames_due(now);
            self.fill(0, due);
        }
        let mut counts =
            Counts { immediate: self.newest_first().next().map_or(0, |level| self.steps(level)), ..Counts::default() };
        let mut active_frames = 0;
        let mut any = false;
        for (age, level) in self.newest_first().enumerate() {
            active_frames += u8::from(self.steps(level) > ACTIVE_ABOVE);
            if age % MEDIUM_FRAMES == MEDIUM_FRAMES - 1 {
                if age < MEDIUM_FRAMES {
                    counts.medium = active_frames;
                }
                counts.long += u8::from(active_frames >= MEDIUM_ACTIVE_AT);
                any |= active_frames > 0;
                active_frames = 0;
            }
        }
        self.counts = counts;
        self.scores = Scores {
            immediate: score(counts.immediate, STEPS, SILENCE_RATE.immediate),
            medium: score(counts.medium, MEDIUM_FRAMES as u8, SILENCE_RATE.medium),
            long: score(counts.long, LONG_MEDIUMS as u8, SILENCE_RATE.long),
        };
        any
    }

    /// The scores of the last evaluation.
    pub(super) fn scores(&self) -> Scores {
        self.scores
    }

    /// Whether there has been sound for long enough to be speech.
    pub(super) fn speaks(&self) -> bool {
        self.counts.long >= LONG_SPEECH_AT
    }

    /// Whether there was active sound just now.
    pub(super) fn is_heard(&self) -> bool {
        self.counts.medium > 0
    }

    fn newest_first(&self) -> impl Iterator<Item = u8> + '_ {
        let (newer, older) = self.levels.split_at(self.next.min(FRAMES));
        newer.iter().rev().chain(older.iter().rev()).copied()
    }

    /// The frames that have gone by since the ring was filled, at most as many as it holds; they are taken for filled.
    fn frames_due(&mut self, now: Instant) -> usize {
        let Some(until) = self.filled_until else {
            self.filled_until = Some(now);
            return 1;
        };
        let due = frames_between(until, now);
        if due > FRAMES {
            self.filled_until = Some(now);
            FRAMES
        } else {
            self.filled_until = Some(until + FRAME * due as u32);
            due
        }
    }

    fn fill(&mut self, level: u8, frames: usize) {
        for _ in 0..frames {
            if let Some(place) = self.levels.get_mut(self.next) {
                *place = level;
            }
            self.next = (self.next + 1) % FRAMES;
        }
    }

    /// The steps of a level: 0 for what does not stand out of the noise.
    fn steps(&self, level: u8) -> u8 {
        if level < self.noise.level().saturating_add(STEP) { 0 } else { level / STEP }
    }
}

fn frames_between(from: Instant, to: Instant) -> usize {
    let frames = to.saturating_duration_since(from).as_millis() / FRAME.as_millis();
    usize::try_from(frames).unwrap_or(usize::MAX)
}

/// How much likelier `active` of `all` is with somebody who speaks than with somebody who does not: a binomial distribution
/// with one half against an exponential one, as logarithms (equation 9 of the paper).
fn score(active: u8, all: u8, silence_rate: f64) -> f64 {
    let ways: f64 = (0..active).map(|index| f64::from(all - index) / f64::from(index + 1)).product();
    let speaking = ways.ln() - f64::from(all) * std::f64::consts::LN_2;
    let silent = silence_rate.ln() - silence_rate * f64::from(active);
    (speaking - silent).max(SCORE_MIN)
}

/// The level that a speaker's sound never falls below: a fan, a hum, a crowd.
#[derive(Debug)]
struct NoiseFloor {
    /// The softest level of the span before this one. 0, no noise, until a span is over.
    before: u8,
    /// The softest level of this span so far.
    current: u8,
    frames: u16,
}

impl Default for NoiseFloor {
    fn default() -> Self {
        Self { before: 0, current: u8::MAX, frames: 0 }
    }
}

impl NoiseFloor {
    fn handle_level(&mut self, level: u8, frames: usize) {
        self.current = self.current.min(level);
        self.frames += frames as u16;
        if self.frames >= NOISE_FRAMES {
            *self = Self { before: self.current, ..Self::default() };
        }
    }

    fn level(&self) -> u8 {
        self.before.min(self.current)
    }
}
