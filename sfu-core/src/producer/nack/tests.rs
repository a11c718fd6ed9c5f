use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::test_support::{ms, origin};

const NOTHING: [u16; 0] = [];

/// The numbers asked for at `now`, all of them.
fn asked(nack: &mut NackGenerator, now: Instant) -> Vec<u16> {
    let mut seqs = Vec::new();
    while let Some(pairs) = nack.poll_nack(now) {
        assert!(pairs.len() <= MAX_PAIRS_PER_NACK);
        seqs.extend(pairs.into_iter().flatten());
    }
    seqs
}

fn feed(nack: &mut NackGenerator, now: Instant, extended: impl IntoIterator<Item = u64>) -> NackAction {
    extended.into_iter().fold(NackAction::None, |_, extended| nack.handle_packet(now, extended, false, false))
}

#[test]
fn a_stream_in_order_asks_for_nothing_and_has_no_deadline() {
    let mut nack = NackGenerator::default();
    assert_eq!(feed(&mut nack, origin(), 100..1000), NackAction::None);
    assert_eq!(nack.poll_timeout(), None);
    assert_eq!(nack.poll_nack(origin() + ms(1000)), None);
}

#[test]
fn reordering_within_its_limits_is_not_asked_for() {
    let now = origin();
    let mut nack = NackGenerator::default();
    assert_eq!(feed(&mut nack, now, [1, 3, 4]), NackAction::None);
    assert_eq!(asked(&mut nack, now + ms(9)), NOTHING);
    nack.handle_packet(now + ms(9), 2, false, false);
    assert_eq!(nack.poll_timeout(), None);
    assert_eq!(asked(&mut nack, now + ms(50)), NOTHING);
}

#[test]
fn a_loss_is_asked_for_when_three_later_packets_have_come() {
    let now = origin();
    let mut nack = NackGenerator::default();
    assert_eq!(feed(&mut nack, now, [1, 3, 4, 5]), NackAction::NackDue);
    assert_eq!(asked(&mut nack, now), [2]);
    assert_eq!(asked(&mut nack, now), NOTHING, "the same loss must not be asked for twice in a turn");
}

#[test]
fn a_loss_at_a_bursts_end_is_asked_for_after_the_wait() {
    let now = origin();
    let mut nack = NackGenerator::default();
    feed(&mut nack, now, [1, 3]);
    assert_eq!(nack.poll_timeout(), Some(now + REORDER_WAIT));
    assert_eq!(asked(&mut nack, now + REORDER_WAIT), [2]);
}

#[test]
fn a_long_gap_becomes_pairs_across_the_wrap() {
    let now = origin();
    let mut nack = NackGenerator::default();
    feed(&mut nack, now, [65533, 65536 + 20]);
    let pairs = nack.poll_nack(now + ms(10)).unwrap();
    assert_eq!(
        pairs,
        [NackPair { packet_id: 65534, lost_packets: 0xffff }, NackPair { packet_id: 15, lost_packets: 0b1111 },]
    );
}

/// Loses a packet, asks for it `requests` times, and lets it come `after_ms` later. Returns when it came.
fn repair(nack: &mut NackGenerator, start: Instant, requests: usize, after_ms: u64, is_rtx: bool) -> Instant {
    nack.handle_restart(1);
    feed(nack, start, [3]);
    let mut now = start + REORDER_WAIT;
    for request in 0..requests {
        if request > 0 {
            now = nack.poll_timeout().unwrap();
        }
        assert_eq!(asked(nack, now), [2]);
    }
    nack.handle_packet(now + ms(after_ms), 2, is_rtx, false);
    now + ms(after_ms)
}

/// When a packet that never comes is asked for, in ms since it was missed.
fn request_times(nack: &mut NackGenerator, now: Instant) -> Vec<u64> {
    nack.handle_restart(1);
    feed(nack, now, [3]);
    (0..10_000).filter(|&at| !asked(nack, now + ms(at)).is_empty()).collect()
}

#[test]
fn requests_are_a_measured_round_trip_apart_and_ten_at_most() {
    for (rtt, interval) in [(None, 100), (Some(50), 50), (Some(1), 20), (Some(1500), 500)] {
        let mut nack = NackGenerator::default();
        let now = rtt.map_or(origin(), |rtt| repair(&mut nack, origin(), 1, rtt, true));
        let times = request_times(&mut nack, now);
        let expected: Vec<u64> = (0..10).map(|i| 10 + i * interval).filter(|&at| at <= 2000).collect();
        assert_eq!(times, expected, "round trip {rtt:?}");
        assert_eq!((nack.missing(), nack.poll_timeout()), (0, None), "a lost cause must be forgotten");
    }
}

/// A false sample would ask too early for what is on its way, or too late for what is lost.
#[test]
fn only_the_retransmission_of_what_was_asked_for_once_tells_the_round_trip() {
    for (requests, is_rtx, interval) in
        [(1, true, 40), (0, true, 100), (0, false, 100), (1, false, 100), (2, true, 100)]
    {
        let mut nack = NackGenerator::default();
        let now = repair(&mut nack, origin(), requests, 40, is_rtx);
        let times = request_times(&mut nack, now);
        assert_eq!(times[1] - times[0], interval, "asked {requests} times, by retransmission: {is_rtx}");
    }
}

#[test]
fn samples_of_the_round_trip_are_smoothed_by_an_eighth() {
    for (samples_ms, interval) in [
        (vec![80], 80),
        (vec![80, 160], 90),
        (vec![80, 0], 70),
        (vec![80, 160, 90], 90),
        ([[48; 40], [400; 40]].concat(), 400),
    ] {
        let mut nack = NackGenerator::default();
        let now = samples_ms.iter().fold(origin(), |now, &sample_ms| repair(&mut nack, now, 1, sample_ms, true));
        let times = request_times(&mut nack, now);
        assert!((times[1] - times[0]).abs_diff(interval) <= 2, "{samples_ms:?}: {times:?}");
    }
}

#[test]
fn a_repaired_packet_is_not_asked_for_again() {
    let now = origin();
    let mut nack = NackGenerator::default();
    feed(&mut nack, now, [1, 4]);
    assert_eq!(asked(&mut nack, now + ms(10)), [2, 3]);
    nack.handle_packet(now + ms(60), 2, true, false);
    assert_eq!(asked(&mut nack, now + ms(110)), [3]);
}

/// Harm prevented: consumers that have the packets around a hole ask for it, and nobody can answer them.
#[test]
fn what_is_missing_before_a_key_frame_is_asked_for_a_moment_longer() {
    let now = origin();
    let mut nack = NackGenerator::default();
    feed(&mut nack, now, [1, 3, 5]);
    assert_eq!(nack.handle_packet(now + ms(5), 8, false, true), NackAction::NackDue, "2 and 4 were overtaken");
    assert_eq!(asked(&mut nack, now + ms(5)), [2, 4]);
    assert_eq!(asked(&mut nack, now + ms(15)), [6, 7]);
    feed(&mut nack, now + ms(16), [10]);
    let times: Vec<(u64, Vec<u16>)> =
        (16..2100).map(|at| (at, asked(&mut nack, now + ms(at)))).filter(|(_, asked)| !asked.is_empty()).collect();
    let before: Vec<_> = times.iter().filter(|(_, asked)| asked.iter().any(|number| *number < 8)).collect();
    let expected = [(105, vec![2, 4]), (115, vec![6, 7]), (205, vec![2, 4])];
    assert_eq!(before, expected.iter().collect::<Vec<_>>(), "until 200 ms after the key frame began");
    assert_eq!(times.iter().filter(|(_, asked)| asked.contains(&9)).count(), 10, "of the key frame itself as ever");
}

/// Harm prevented: after an interruption the uplink repeats pictures that nobody will see, and the key frame comes late.
#[test]
fn more_than_the_limit_before_a_key_frame_is_given_up() {
    let limit = MAX_MISSING_BEFORE_KEY_FRAME as u64;
    for (lost, kept) in [(limit, MAX_MISSING_BEFORE_KEY_FRAME), (limit + 1, 0)] {
        let now = origin();
        // In one gap, in two, and before a key frame that was itself late.
        let mut at_once = NackGenerator::default();
        feed(&mut at_once, now, [1]);
        at_once.handle_packet(now, lost + 2, false, true);
        let mut in_two = NackGenerator::default();
        feed(&mut in_two, now, [1, lost + 1]);
        in_two.handle_packet(now, lost + 3, false, true);
        let mut late = NackGenerator::default();
        feed(&mut late, now, [1, lost + 3]);
        late.handle_packet(now, lost + 2, true, true);
        for nack in [&mut at_once, &mut in_two, &mut late] {
            assert_eq!(nack.missing(), kept);
            assert_eq!(nack.poll_timeout().is_some(), kept > 0);
            feed(nack, now, [100]);
            assert!(asked(nack, now + ms(10)).contains(&99), "what follows the key frame is asked for");
        }
    }
}

/// H.264's parameter sets may come in packets of their own, each of which can start a decoder.
#[test]
fn what_is_missing_inside_the_start_of_a_key_frame_is_asked_for() {
    let now = origin();
    let mut nack = NackGenerator::default();
    feed(&mut nack, now, [1]);
    nack.handle_packet(now, 2, false, true);
    nack.handle_packet(now, 4, false, true);
    assert_eq!(asked(&mut nack, now + ms(10)), [3]);
}

#[test]
fn at_the_limit_the_list_is_dropped_and_a_key_frame_asked_for() {
    let now = origin();
    let mut nack = NackGenerator::default();
    let full = 1 + MAX_MISSING as u64 + 1;
    assert_eq!(feed(&mut nack, now, [1, full]), NackAction::NackDue);
    assert_eq!(nack.missing(), MAX_MISSING);
    assert_eq!(nack.handle_packet(now, full + 2, false, false), NackAction::KeyFrameNeeded);
    assert_eq!((nack.missing(), nack.poll_timeout()), (0, None));
    assert_eq!(nack.handle_packet(now, full + 3, false, false), NackAction::None, "it must go on from there");
}

#[test]
fn a_full_list_goes_out_in_several_messages() {
    let now = origin();
    let mut nack = NackGenerator::default();
    // Each second packet lost, each far from the next in pairs: 17 apart.
    feed(&mut nack, now, (0..=16 * 300).filter(|n| n % 17 != 1).take(4000));
    let first = nack.poll_nack(now).unwrap();
    assert_eq!(first.len(), MAX_PAIRS_PER_NACK);
    assert_eq!(nack.poll_timeout(), Some(now), "the rest is still due");
    assert!(nack.poll_nack(now).is_some());
    assert_eq!(nack.poll_nack(now), None);
}

#[test]
fn a_packet_behind_the_duplicate_window_is_given_up() {
    let now = origin();
    let mut nack = NackGenerator::default();
    feed(&mut nack, now, [0]);
    feed(&mut nack, now, 2..=DUPLICATE_WINDOW_PACKETS);
    assert_eq!(nack.missing(), 1);
    feed(&mut nack, now, [DUPLICATE_WINDOW_PACKETS + 1]);
    assert_eq!(nack.missing(), 0, "its retransmission would be refused as too old");
}

#[test]
fn a_restart_forgets_what_the_old_run_missed() {
    let now = origin();
    let mut nack = NackGenerator::default();
    feed(&mut nack, now, [1, 5]);
    nack.handle_restart(1_000_000);
    assert_eq!(feed(&mut nack, now, [1_000_001]), NackAction::None);
    assert_eq!(asked(&mut nack, now + ms(100)), NOTHING);
}

proptest! {
    /// Whatever is lost or late: only lost packets that were overtaken for long enough are asked for, each at most
    /// ten times and never twice within a round trip, and every loss that could be noticed is asked for.
    #[test]
    fn every_loss_is_asked_for_and_nothing_else(fates in prop::collection::vec(0_u8..20, 20..600)) {
        let start = origin();
        let mut nack = NackGenerator::default();
        // Fate 0: lost. 1: 4 ms late. Otherwise in time, one packet each 2 ms.
        let mut arrivals: Vec<(u64, u64)> = fates
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(_, fate)| **fate != 0)
            .map(|(i, fate)| (i as u64 * 2 + if *fate == 1 { 3 } else { 0 }, i as u64))
            .collect();
        arrivals.push((0, 0));
        arrivals.sort_unstable();
        let newest = arrivals.iter().map(|(_, seq)| *seq).max().unwrap();
        let mut arrivals = arrivals.into_iter().peekable();
        let mut requests: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for at in 0..fates.len() as u64 * 2 + 3000 {
            let now = start + ms(at);
            while arrivals.peek().is_some_and(|(due, _)| *due == at) {
                nack.handle_packet(now, arrivals.next().unwrap().1, false, false);
            }
            if nack.poll_timeout().is_some_and(|due| due <= now) {
                for seq in asked(&mut nack, now) {
                    requests.entry(u64::from(seq)).or_default().push(at);
                }
            }
        }
        let lost: Vec<u64> = (1..newest).filter(|&seq| fates[seq as usize] == 0).collect();
        prop_assert_eq!(requests.keys().copied().collect::<Vec<_>>(), lost);
        for times in requests.values() {
            prop_assert_eq!(times.len(), usize::from(MAX_REQUESTS_PER_PACKET));
            prop_assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 100), "{:?}", times);
        }
        prop_assert_eq!(nack.missing(), 0);
    }
}
