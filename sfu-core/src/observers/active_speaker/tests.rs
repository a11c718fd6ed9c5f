use proptest::prelude::*;

use super::*;
use crate::test_support::{ms, origin};

const SILENCE: u8 = 127;

/// What somebody does with their microphone, in -dBov by the time in ms since they began.
#[derive(Debug, Clone, Copy)]
enum Sound {
    /// Words of 240 ms with gaps of 60 ms, about as loud as the number says.
    Speech(u8),
    /// Always the same.
    Noise(u8),
    /// A fast rise, then 40 dB fainter every 200 ms.
    Slam,
    /// 340 ms, then nothing.
    Cough,
    /// Packets of digital silence, as of a muted microphone.
    Muted,
    /// No packets.
    Nothing,
}

impl Sound {
    fn minus_dbov(self, at_ms: u64) -> Option<u8> {
        Some(match self {
            Self::Speech(_) if at_ms % 300 >= 240 => 65,
            Self::Speech(level) => level + [0, 3, 6, 2, 5][(at_ms / 20 % 5) as usize],
            Self::Noise(level) => level + (at_ms / 20 % 3) as u8,
            Self::Slam => (5 + at_ms / 5).min(127) as u8,
            Self::Cough if at_ms < 340 => 15,
            Self::Cough | Self::Muted => SILENCE,
            Self::Nothing => return None,
        })
    }
}

/// How long it lasts in ms, and what everybody does.
type Scene<'a> = (u64, &'a [Sound]);

/// A conversation: every scene lasts so many ms, and has everybody's sound by their number.
struct Conversation {
    observer: ActiveSpeakerObserver<usize>,
    now_ms: u64,
    /// Whom it named, and when.
    named: Vec<(u64, usize)>,
}

impl Conversation {
    fn new() -> Self {
        let observer = ActiveSpeakerObserver::new(ActiveSpeakerOptions::default());
        Self { observer, now_ms: 0, named: Vec::new() }
    }

    fn scene(&mut self, lasts_ms: u64, sounds: &[Sound]) {
        for at in (0..lasts_ms).step_by(20) {
            let now = origin() + ms(self.now_ms);
            for (speaker, sound) in sounds.iter().enumerate() {
                if let Some(minus_dbov) = sound.minus_dbov(at) {
                    self.observer.handle_level(now, speaker, AudioLevel { voice: false, minus_dbov });
                }
            }
            self.observer.handle_timeout(now);
            self.named.extend(self.observer.poll_dominant().map(|speaker| (self.now_ms, speaker)));
            self.now_ms += 20;
        }
    }

    fn speakers(&self) -> Vec<usize> {
        self.named.iter().map(|&(_, speaker)| speaker).collect()
    }
}

#[test]
fn conversations_have_the_speakers_that_a_listener_would_name() {
    use Sound::{Cough, Muted, Noise, Nothing, Slam, Speech};
    let table: [(&str, &[Scene<'_>], &[usize]); 18] = [
        ("a monologue", &[(20_000, &[Speech(25), Muted])], &[0]),
        (
            "turns",
            &[(4_000, &[Speech(25), Muted]), (4_000, &[Muted, Speech(30)]), (4_000, &[Speech(25), Muted])],
            &[0, 1, 0],
        ),
        (
            "turns without packets in silence",
            &[(4_000, &[Speech(25), Nothing]), (4_000, &[Nothing, Speech(30)])],
            &[0, 1],
        ),
        ("crosstalk of equals", &[(4_000, &[Speech(25), Muted]), (20_000, &[Speech(25), Speech(25)])], &[0]),
        ("a louder one interrupts in vain", &[(4_000, &[Speech(35), Muted]), (4_000, &[Speech(35), Speech(20)])], &[0]),
        (
            "an interruption that wins",
            &[(4_000, &[Speech(25), Muted]), (1_000, &[Speech(25), Speech(25)]), (3_000, &[Muted, Speech(25)])],
            &[0, 1],
        ),
        (
            "a cough into speech",
            &[(4_000, &[Speech(25), Muted]), (1_000, &[Speech(25), Cough]), (3_000, &[Speech(25), Muted])],
            &[0],
        ),
        (
            "a cough into silence",
            &[(4_000, &[Speech(25), Muted]), (3_000, &[Muted, Muted]), (3_000, &[Muted, Cough])],
            &[0],
        ),
        (
            "a cough into silence without packets",
            &[
                (4_000, &[Speech(25), Muted]),
                (3_000, &[Nothing; 2]),
                (320, &[Nothing, Noise(20)]),
                (2_000, &[Nothing; 2]),
            ],
            &[0],
        ),
        (
            "a door into silence",
            &[(4_000, &[Speech(25), Muted]), (3_000, &[Muted, Muted]), (3_000, &[Muted, Slam])],
            &[0],
        ),
        (
            "a pause for thought",
            &[(4_000, &[Speech(25), Muted]), (3_000, &[Muted, Muted]), (4_000, &[Speech(25), Muted])],
            &[0],
        ),
        ("a fan that was on before", &[(12_000, &[Muted, Noise(40)]), (8_000, &[Speech(30), Noise(40)])], &[1, 0]),
        ("a fan in the background", &[(30_000, &[Speech(25), Noise(55)])], &[0]),
        ("a muted speaker stays the last", &[(4_000, &[Speech(25), Muted]), (30_000, &[Nothing, Muted])], &[0]),
        // In each of these the challenger is ahead in two of the windows. The floor is judged every 300 ms from the first sound on.
        (
            "a hum through the gaps between words",
            &[(3_920, &[Speech(25), Muted]), (4_000, &[Speech(25), Noise(25)])],
            &[0],
        ),
        (
            "a yes while the other takes a breath",
            &[
                (3_040, &[Noise(25), Muted]),
                (400, &[Noise(25), Noise(25)]),
                (200, &[Muted, Noise(25)]),
                (1_000, &[Noise(25), Muted]),
            ],
            &[0],
        ),
        (
            "an interruption that is over before it is judged",
            &[
                (3_000, &[Noise(25), Muted]),
                (580, &[Muted, Noise(25)]),
                (40, &[Muted; 2]),
                (1_000, &[Noise(25), Muted]),
            ],
            &[0],
        ),
        ("only noise that is not heard", &[(10_000, &[Noise(60), Muted])], &[]),
    ];
    for (name, scenes, expected) in table {
        let mut conversation = Conversation::new();
        for (lasts_ms, sounds) in scenes {
            conversation.scene(*lasts_ms, sounds);
        }
        assert_eq!(conversation.speakers(), expected, "{name}: {:?}", conversation.named);
    }
}

#[test]
fn the_first_audible_one_is_dominant_at_once() {
    let mut conversation = Conversation::new();
    conversation.scene(1_000, &[Sound::Muted, Sound::Muted]);
    conversation.scene(20, &[Sound::Muted, Sound::Speech(30)]);
    assert_eq!(conversation.named, [(1_000, 1)]);
}

#[test]
fn a_turn_is_seen_within_a_second() {
    let mut conversation = Conversation::new();
    conversation.scene(5_000, &[Sound::Speech(25), Sound::Muted]);
    conversation.scene(5_000, &[Sound::Muted, Sound::Speech(25)]);
    let [(0, 0), (at, 1)] = conversation.named[..] else { panic!("{:?}", conversation.named) };
    assert!(at <= 6_000, "{at}");
}

/// A silence without packets must not be counted as speech when it ends in a sound.
#[test]
fn a_sound_after_a_silence_without_packets_wins_nothing() {
    let mut conversation = Conversation::new();
    conversation.scene(4_000, &[Sound::Speech(25), Sound::Nothing]);
    for _ in 0..20 {
        conversation.scene(980, &[Sound::Nothing, Sound::Nothing]);
        conversation.scene(100, &[Sound::Nothing, Sound::Noise(20)]);
    }
    assert_eq!(conversation.speakers(), [0]);
}

/// Packets of 60 ms say as much as three of 20 ms; delayed ones come together.
#[test]
fn long_packets_and_bursts_are_speech_too() {
    for (interval_ms, packets) in [(60, 1), (100, 5)] {
        let mut conversation = Conversation::new();
        conversation.scene(2_000, &[Sound::Speech(25)]);
        for _ in 0..5_000 / interval_ms {
            let now = origin() + ms(conversation.now_ms);
            for _ in 0..packets {
                conversation.observer.handle_level(now, 1, AudioLevel { voice: false, minus_dbov: 25 });
            }
            conversation.scene(interval_ms, &[Sound::Muted]);
        }
        assert_eq!(conversation.speakers(), [0, 1], "{packets} packets in {interval_ms} ms");
    }
}

/// An encoder that tells voice from noise knows better than a level does.
#[test]
fn what_the_encoder_calls_no_voice_is_none() {
    let mut conversation = Conversation::new();
    conversation.scene(2_000, &[Sound::Speech(25)]);
    let level = |voice| AudioLevel { voice, minus_dbov: 20 };
    conversation.observer.handle_level(origin() + ms(conversation.now_ms), 1, level(true));
    for _ in 0..200 {
        conversation.observer.handle_level(origin() + ms(conversation.now_ms), 1, level(false));
        conversation.scene(20, &[Sound::Muted]);
    }
    assert_eq!(conversation.speakers(), [0]);
}

#[test]
fn when_the_dominant_one_leaves_the_next_to_be_heard_follows() {
    let mut conversation = Conversation::new();
    conversation.scene(4_000, &[Sound::Speech(25), Sound::Speech(35), Sound::Muted]);
    conversation.observer.remove(0);
    assert_eq!(conversation.observer.poll_dominant(), None);
    conversation.scene(300, &[Sound::Nothing, Sound::Speech(35), Sound::Muted]);
    assert_eq!(conversation.speakers(), [0, 1]);
    // Who comes back under the same key is named again.
    conversation.observer.remove(1);
    conversation.scene(300, &[Sound::Nothing, Sound::Speech(35)]);
    assert_eq!(conversation.speakers(), [0, 1, 1]);
}

#[test]
fn nobody_making_a_sound_costs_no_timer() {
    let mut conversation = Conversation::new();
    conversation.scene(1_000, &[Sound::Muted, Sound::Noise(60)]);
    assert_eq!(conversation.observer.poll_timeout(), None);
    conversation.scene(1_000, &[Sound::Speech(25)]);
    assert!(conversation.observer.poll_timeout().is_some());
    conversation.scene(2_000, &[Sound::Nothing]);
    assert_eq!(conversation.observer.poll_timeout(), None);
}

#[test]
fn intervals_out_of_range_are_held_to_it() {
    for (given, held) in [(1, 100), (300, 300), (60_000, 5_000)] {
        let options = ActiveSpeakerOptions { interval: ms(given) };
        assert_eq!(ActiveSpeakerObserver::<u32>::new(options).interval, ms(held));
    }
}

proptest! {
    /// Whatever comes, only somebody present is named, and nobody twice in a row.
    #[test]
    fn only_changes_to_somebody_present_are_told(
        events in proptest::collection::vec((0_u8..12, 0_u32..4, any::<u8>(), 0_u64..100), 0..400),
    ) {
        let mut observer = ActiveSpeakerObserver::new(ActiveSpeakerOptions::default());
        let mut now = origin();
        let mut last = None;
        let mut heard = std::collections::BTreeSet::new();
        for (event, key, byte, pause_ms) in events {
            now += ms(pause_ms);
            match event {
                0 => {
                    observer.remove(key);
                    heard.remove(&key);
                    last = last.filter(|last| *last != key);
                }
                1 => now += ms(700),
                _ => {
                    observer.handle_level(now, key, AudioLevel { voice: byte & 0x80 != 0, minus_dbov: byte & 0x7f });
                    heard.insert(key);
                }
            }
            observer.handle_timeout(now);
            if let Some(speaker) = observer.poll_dominant() {
                prop_assert!(heard.contains(&speaker));
                prop_assert_ne!(Some(speaker), last);
                last = Some(speaker);
            }
            prop_assert!(observer.poll_timeout().is_none_or(|at| at > now));
        }
    }
}
