//! Who was loud in the last interval.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::rtp::extensions::AudioLevel;

/// The shortest interval: below it an average is of a few packets.
const INTERVAL_MIN: Duration = Duration::from_millis(250);
/// The longest interval: beyond it an indication of loudness is about the past.
const INTERVAL_MAX: Duration = Duration::from_millis(5_000);
/// The faintest level that the header extension can tell (RFC 6464 section 3).
const THRESHOLD_MIN_DBOV: i8 = -127;
/// An average counts if it is of a packet for each of these in the interval, so that one click after a silence without
/// packets (DTX) makes nobody loud. At the longest packets in use (60 ms) a second has sixteen.
const TIME_PER_PACKET_MIN: Duration = Duration::from_millis(100);

/// How an [`AudioLevelObserver`] judges, with mediasoup's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevelOptions {
    /// How many producers are told of at once; 0 is taken for 1.
    pub max_entries: usize,
    /// The average level in dBov that must be exceeded; held to -127 to 0.
    pub threshold_dbov: i8,
    /// How often it is told; held to 250 ms to 5 s.
    pub interval: Duration,
}

impl Default for AudioLevelOptions {
    fn default() -> Self {
        Self { max_entries: 1, threshold_dbov: -80, interval: Duration::from_millis(1_000) }
    }
}

/// What an interval brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Volumes<K> {
    /// Producers and their average levels in dBov (-127 to 0), the loudest first.
    Loudest(Vec<(K, i8)>),
    /// Nobody exceeded the threshold. Told once, until somebody does.
    Silence,
}

/// Averages the levels of each producer over an interval and tells of the loudest.
#[derive(Debug)]
pub struct AudioLevelObserver<K> {
    options: AudioLevelOptions,
    /// An average of fewer packets says nothing.
    packets_min: u32,
    sums: BTreeMap<K, Sum>,
    /// `None` while nobody sends: the next level starts an interval.
    interval_end: Option<Instant>,
    silent: bool,
    result: Option<Volumes<K>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    /// Of the levels as in the packets: dBov without the minus.
    minus_dbov: u32,
    packets: u32,
}

impl<K: Copy + Ord> AudioLevelObserver<K> {
    /// Options out of range are held to it.
    pub fn new(options: AudioLevelOptions) -> Self {
        let interval = options.interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
        let options = AudioLevelOptions {
            max_entries: options.max_entries.max(1),
            threshold_dbov: options.threshold_dbov.clamp(THRESHOLD_MIN_DBOV, 0),
            interval,
        };
        let packets_min = interval.as_millis().div_ceil(TIME_PER_PACKET_MIN.as_millis()) as u32;
        Self { options, packets_min, sums: BTreeMap::new(), interval_end: None, silent: true, result: None }
    }

    /// Takes in the level of a producer's packet.
    pub fn handle_level(&mut self, now: Instant, key: K, level: AudioLevel) {
        let sum = self.sums.entry(key).or_default();
        sum.minus_dbov = sum.minus_dbov.saturating_add(u32::from(level.minus_dbov));
        sum.packets = sum.packets.saturating_add(1);
        self.interval_end.get_or_insert(now + self.options.interval);
    }

    /// Forgets a producer: it was closed or paused.
    pub fn remove(&mut self, key: K) {
        self.sums.remove(&key);
    }

    /// Ends the interval, if its time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.interval_end.is_none_or(|end| now < end) {
            return;
        }
        let somebody_sends = self.sums.values().any(|sum| sum.packets > 0);
        let threshold = self.options.threshold_dbov;
        let mut loudest: Vec<(K, i8)> = self
            .sums
            .iter()
            .filter(|(_, sum)| sum.packets >= self.packets_min)
            .map(|(&key, sum)| (key, sum.average_dbov()))
            .filter(|&(_, dbov)| dbov > threshold)
            .collect();
        loudest.sort_by_key(|&(_, dbov)| Reverse(dbov));
        loudest.truncate(self.options.max_entries);
        for sum in self.sums.values_mut() {
            *sum = Sum::default();
        }
        self.interval_end = somebody_sends.then(|| now + self.options.interval);

        if !loudest.is_empty() {
            self.silent = false;
            self.result = Some(Volumes::Loudest(loudest));
        } else if !self.silent {
            self.silent = true;
            self.result = Some(Volumes::Silence);
        }
    }

    /// When the interval ends. `None` while nobody sends.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.interval_end
    }

    /// What the last interval brought, if there is something to tell.
    pub fn poll_volumes(&mut self) -> Option<Volumes<K>> {
        self.result.take()
    }
}

impl Sum {
    /// Rounded half away from zero; silence for no packets.
    fn average_dbov(self) -> i8 {
        let rounded = self.minus_dbov.saturating_add(self.packets / 2).checked_div(self.packets);
        rounded.and_then(|average| i8::try_from(average).ok()).map_or(THRESHOLD_MIN_DBOV, |average| -average)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    fn level(minus_dbov: u8) -> AudioLevel {
        AudioLevel { voice: true, minus_dbov }
    }

    fn observer(max_entries: usize) -> AudioLevelObserver<u32> {
        AudioLevelObserver::new(AudioLevelOptions { max_entries, ..AudioLevelOptions::default() })
    }

    /// Sends a second of packets, 20 ms each, of the levels given, and ends the interval.
    fn second(observer: &mut AudioLevelObserver<u32>, start: Instant, levels: &[(u32, u8)]) -> Option<Volumes<u32>> {
        for packet in 0..50 {
            for &(key, minus_dbov) in levels {
                observer.handle_level(start + ms(20 * packet), key, level(minus_dbov));
            }
        }
        observer.handle_timeout(start + ms(1_000));
        observer.poll_volumes()
    }

    #[test]
    fn the_loudest_come_first_and_no_more_than_asked_for() {
        let mut observer = observer(2);
        let told = second(&mut observer, origin(), &[(1, 40), (2, 20), (3, 90), (4, 30)]);
        assert_eq!(told, Some(Volumes::Loudest(vec![(2, -20), (4, -30)])));
    }

    #[test]
    fn the_threshold_itself_is_silence() {
        for (minus_dbov, loud) in [(79, true), (80, false)] {
            assert_eq!(second(&mut observer(1), origin(), &[(1, minus_dbov)]).is_some(), loud);
        }
    }

    #[test]
    fn silence_is_told_once_and_not_before_there_was_sound() {
        let mut observer = observer(1);
        assert_eq!(second(&mut observer, origin(), &[(1, 127)]), None);
        assert!(second(&mut observer, origin() + ms(1_000), &[(1, 30)]).is_some());
        assert_eq!(second(&mut observer, origin() + ms(2_000), &[(1, 127)]), Some(Volumes::Silence));
        assert_eq!(second(&mut observer, origin() + ms(3_000), &[(1, 127)]), None);
    }

    #[test]
    fn levels_are_averaged() {
        let mut observer = observer(1);
        for packet in 0..50 {
            observer.handle_level(origin() + ms(20 * packet), 1, level(if packet % 2 == 0 { 20 } else { 41 }));
        }
        observer.handle_timeout(origin() + ms(1_000));
        // 30.5, rounded away from zero.
        assert_eq!(observer.poll_volumes(), Some(Volumes::Loudest(vec![(1, -31)])));
    }

    /// A click at the end of a silence that sent no packets is not a loud second.
    #[test]
    fn a_few_packets_make_no_average() {
        for (packets, loud) in [(9, false), (10, true)] {
            let mut observer = observer(1);
            for packet in 0..packets {
                observer.handle_level(origin() + ms(20 * packet), 1, level(10));
            }
            observer.handle_timeout(origin() + ms(1_000));
            assert_eq!(observer.poll_volumes().is_some(), loud, "{packets}");
        }
    }

    #[test]
    fn nobody_sending_costs_no_timer() {
        let mut observer = observer(1);
        assert_eq!(observer.poll_timeout(), None);
        second(&mut observer, origin(), &[(1, 30)]);
        assert_eq!(observer.poll_timeout(), Some(origin() + ms(2_000)));
        observer.handle_timeout(origin() + ms(2_000));
        assert_eq!(observer.poll_volumes(), Some(Volumes::Silence));
        assert_eq!(observer.poll_timeout(), None);
    }

    #[test]
    fn who_is_removed_is_not_told_of() {
        let mut observer = observer(2);
        for packet in 0..50 {
            observer.handle_level(origin() + ms(20 * packet), 1, level(10));
            observer.handle_level(origin() + ms(20 * packet), 2, level(20));
        }
        observer.remove(1);
        observer.handle_timeout(origin() + ms(1_000));
        assert_eq!(observer.poll_volumes(), Some(Volumes::Loudest(vec![(2, -20)])));
    }

    #[test]
    fn options_out_of_range_are_held_to_it() {
        let options =
            |max_entries, threshold_dbov, interval| AudioLevelOptions { max_entries, threshold_dbov, interval };
        let table = [
            (options(0, 5, ms(1)), options(1, 0, ms(250))),
            (options(3, -128, ms(9_000)), options(3, -127, ms(5_000))),
            (AudioLevelOptions::default(), options(1, -80, ms(1_000))),
        ];
        for (given, held) in table {
            assert_eq!(AudioLevelObserver::<u32>::new(given).options, held);
        }
    }
}
