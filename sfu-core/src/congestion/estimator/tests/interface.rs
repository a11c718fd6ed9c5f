//! What its users rely on.

use super::*;
use crate::congestion::estimator::{Probe, ProbeId};

fn estimator() -> BandwidthEstimator {
    BandwidthEstimator::new(origin(), EstimatorOptions::default())
}

fn probes(estimator: &mut BandwidthEstimator, now: Instant) -> Vec<Probe> {
    std::iter::from_fn(|| estimator.poll_probe(now)).collect()
}

#[test]
fn nothing_is_probed_before_something_is_wanted() {
    let mut estimator = estimator();
    assert_eq!(estimator.poll_probe(origin() + ms(10_000)), None);
    assert_eq!(estimator.poll_timeout(), None);
    estimator.set_desired_bps(origin(), 5_000_000);
    let rates: Vec<u64> = probes(&mut estimator, origin()).iter().map(|probe| probe.rate_bps).collect();
    assert_eq!(rates, [900_000, 1_800_000]);
}

#[test]
fn a_probe_goes_no_further_than_is_useful_or_allowed() {
    let mut estimator = estimator();
    estimator.set_desired_bps(origin(), 1_000_000);
    let rates: Vec<u64> = probes(&mut estimator, origin()).iter().map(|probe| probe.rate_bps).collect();
    assert_eq!(rates, [900_000, 1_200_000]);

    let mut limited = self::estimator();
    limited.set_desired_bps(origin(), 5_000_000);
    limited.set_max_bps(origin(), 600_000);
    let rates: Vec<u64> = probes(&mut limited, origin()).iter().map(|probe| probe.rate_bps).collect();
    assert!(rates.iter().all(|rate| *rate <= 600_000), "{rates:?}");
}

#[test]
fn a_wish_below_the_estimate_is_not_probed_for() {
    let mut estimator = estimator();
    estimator.set_desired_bps(origin(), 100_000);
    assert_eq!(probes(&mut estimator, origin() + ms(60_000)), []);
    estimator.set_desired_bps(origin() + ms(60_000), 1_000_000);
    assert_eq!(probes(&mut estimator, origin() + ms(60_000)).len(), 1, "a new wish is tried at once");
}

#[test]
fn unanswered_probes_become_rarer() {
    let mut estimator = estimator();
    estimator.set_desired_bps(origin(), 5_000_000);
    let mut sent = Vec::new();
    for tenth in 0..600_u64 {
        let now = origin() + ms(tenth * 100);
        estimator.handle_timeout(now);
        sent.extend(probes(&mut estimator, now).iter().map(|_| tenth));
    }
    assert!((5..=20).contains(&sent.len()), "{sent:?}");
    assert!(sent.windows(2).skip(6).all(|pair| pair[1] - pair[0] >= 50), "{sent:?}");
}

#[test]
fn the_timeout_is_never_left_in_the_past() {
    // A deadline that handling does not move would spin the worker.
    let mut estimator = estimator();
    estimator.set_desired_bps(origin(), 5_000_000);
    let mut now = origin();
    for sequence in 0..2000_u16 {
        estimator.handle_sent(now, sequence, 1200, None);
        if sequence == 100 {
            estimator.handle_feedback(now, &all_received(0, 100, 1, 5_000));
        }
        estimator.handle_timeout(now);
        while estimator.poll_probe(now).is_some() {}
        if let Some(at) = estimator.poll_timeout() {
            assert!(at > now, "packet {sequence}");
        }
        now += ms(7);
    }
}

#[test]
fn the_maximum_holds_at_once_and_the_bounds_are_mended() {
    let mut estimator = estimator();
    estimator.set_max_bps(origin(), 100_000);
    assert_eq!(estimator.estimate_bps(), 100_000);
    estimator.set_max_bps(origin(), 0);
    assert_eq!(estimator.estimate_bps(), 30_000, "the floor is the floor");
    let options = EstimatorOptions { initial_bps: 0, min_bps: 90_000, max_bps: 50_000 };
    assert_eq!(BandwidthEstimator::new(origin(), options).estimate_bps(), 50_000);
}

#[test]
fn the_receivers_own_estimate_counts_without_transport_feedback_alone() {
    let (mut estimator, now) = with_sent(60);
    estimator.handle_remb(now, 700_000);
    assert_eq!(estimator.estimate_bps(), 700_000);
    estimator.handle_remb(now, u64::MAX);
    assert_eq!(estimator.estimate_bps(), 50_000_000);
    estimator.handle_remb(now, 0);
    assert_eq!(estimator.estimate_bps(), 30_000);
    estimator.handle_feedback(now, &all_received(0, 60, 5, 10_000));
    let told = estimator.estimate_bps();
    estimator.handle_remb(now, 9_000_000);
    assert_eq!(estimator.estimate_bps(), told);
}

/// The rate of what is to be filled up when so much is sent to a receiver that has told this estimate for two seconds and wants
/// 2 Mbit/s, and the time then.
fn filling(estimate_bps: u64, sent_bps: usize) -> (BandwidthEstimator, Instant, Option<Probe>) {
    let mut estimator = estimator();
    let mut now = origin();
    estimator.set_desired_bps(now, 2_000_000);
    estimator.handle_remb(now, estimate_bps);
    assert_eq!(estimator.poll_probe(now), None, "probes tell nothing without transport-wide feedback");
    for _ in 0..200 {
        now += ms(10);
        estimator.handle_unreported(now, sent_bps / 800);
    }
    assert!(estimator.poll_timeout().unwrap() <= now);
    let fill = estimator.poll_probe(now);
    (estimator, now, fill)
}

/// Harm prevented: a receiver whose estimate is bound to what comes in never gets a picture that costs half as much again.
#[test]
fn what_is_sent_is_filled_up_to_most_of_the_receivers_own_estimate() {
    let (mut estimator, now, fill) = filling(500_000, 200_000);
    let fill = fill.unwrap();
    assert!((190_000..=210_000).contains(&fill.rate_bps), "{fill:?}");
    assert!((4_700..=5_300).contains(&fill.bytes) && fill.bytes / fill.min_packets <= 1_200, "{fill:?}");
    assert_eq!(estimator.poll_probe(now + ms(199)), None);
    assert!(estimator.poll_probe(now + ms(200)).is_some(), "the next piece");
    let (_, _, fill) = filling(500_000, 400_000);
    assert_eq!(fill, None, "that is what the estimate has room for");
    let (mut estimator, now, _) = filling(500_000, 200_000);
    estimator.handle_remb(now, 2_200_000);
    assert_eq!(estimator.poll_probe(now + ms(1000)), None, "nobody wants more");
    estimator.set_desired_bps(now, 4_000_000);
    estimator.set_max_bps(now, 2_200_000);
    assert_eq!(estimator.poll_probe(now + ms(1000)), None, "more is not allowed");
}

/// Harm prevented: a path that is full is filled again and again, and each time everything waits in its queue.
#[test]
fn a_receiver_that_lowers_its_estimate_is_left_alone_for_a_while() {
    let (mut estimator, now, _) = filling(1_000_000, 200_000);
    estimator.handle_remb(now, 960_000);
    assert!(estimator.poll_probe(now + ms(300)).is_some(), "a little less is no queue");
    estimator.handle_remb(now, 850_000);
    assert_eq!(estimator.poll_probe(now + ms(29_999)), None);
    assert!(estimator.poll_probe(now + ms(30_000)).is_some());
}

#[test]
fn losses_take_half_of_the_receivers_estimate_at_most_and_give_it_back() {
    let mut estimator = estimator();
    estimator.handle_remb(origin(), 1_000_000);
    let mut now = origin();
    for _ in 0..100 {
        now += ms(1000);
        estimator.handle_loss(now, 0.2);
    }
    assert_eq!(estimator.estimate_bps(), 500_000);
    estimator.handle_loss(now + ms(1000), f64::NAN);
    assert_eq!(estimator.estimate_bps(), 500_000);
    for _ in 0..20 {
        now += ms(1000);
        estimator.handle_loss(now, 0.0);
    }
    assert_eq!(estimator.estimate_bps(), 1_000_000);
}

#[test]
fn lost_feedback_is_no_loss() {
    let (mut estimator, now) = with_sent(1000);
    for base in (0..1000_u16).step_by(20) {
        // Every other message got lost.
        if base % 40 == 0 {
            let reference_time = u32::from(base) * 10 / 64;
            estimator.handle_feedback(now, &all_received(base, 20, reference_time, 10_000));
        }
    }
    let snapshot = estimator.snapshot();
    assert_eq!(snapshot.fraction_lost, 0.0);
    assert!(snapshot.acknowledged_bps.is_some_and(|bps| bps > 650_000), "{snapshot:?}");
}

#[test]
fn a_late_packet_takes_back_its_loss() {
    let (mut estimator, now) = with_sent(200);
    estimator.handle_feedback(now, &all_missing(0, 100));
    estimator.handle_feedback(now, &all_received(0, 100, 1, 10_000));
    estimator.handle_feedback(now, &all_received(100, 100, 16, 10_000));
    assert_eq!(estimator.snapshot().fraction_lost, 0.0);
}

#[test]
fn a_silent_sender_is_not_an_outage() {
    let (mut estimator, now) = with_sent(60);
    estimator.handle_feedback(now, &all_received(0, 60, 5, 10_000));
    let before = estimator.estimate_bps();
    for second in 1..60 {
        estimator.handle_timeout(now + ms(1000 * second));
    }
    assert_eq!(estimator.estimate_bps(), before);
    assert!(!estimator.snapshot().is_interrupted);
}

#[test]
fn an_outage_lowers_the_estimate_to_a_floor() {
    let (mut estimator, mut now) = with_sent(60);
    estimator.handle_feedback(now, &all_received(0, 60, 5, 10_000));
    let before = estimator.estimate_bps();
    for sequence in 60..3000_u16 {
        now += ms(10);
        estimator.handle_sent(now, sequence, 1000, None);
        estimator.handle_timeout(now);
    }
    assert!(estimator.snapshot().is_interrupted);
    let floor = (before / 10).max(30_000);
    assert!((floor..=floor + 1).contains(&estimator.estimate_bps()), "{} of {before}", estimator.estimate_bps());
    assert_eq!(estimator.poll_probe(now), None, "nothing is probed into a path that is gone");
}

#[test]
fn packets_of_an_unknown_probe_are_packets() {
    let (mut estimator, now) = with_sent(10);
    for sequence in 10..60 {
        estimator.handle_sent(at_packet(sequence), sequence, 1000, Some(ProbeId(77)));
    }
    estimator.handle_feedback(now + ms(500), &all_received(0, 60, 5, 10_000));
    assert!(estimator.snapshot().acknowledged_bps.is_some());
}

#[test]
fn sending_allocates_nothing_once_the_history_has_its_size() {
    let mut estimator = estimator();
    let mut sequence = 0_u16;
    let mut round = |reference_time: u32| {
        let base = sequence;
        let start = origin() + Duration::from_millis(64) * reference_time;
        let mut allocations = 0;
        for index in 0..32 {
            let now = start + ms(2 * index);
            allocations += allocation_counter::measure(|| estimator.handle_sent(now, sequence, 1200, None)).count_total;
            sequence = sequence.wrapping_add(1);
        }
        estimator.handle_feedback(start + ms(80), &all_received(base, 32, reference_time, 2_000));
        allocations
    };
    let _warm_up: u64 = (0..20).map(&mut round).sum();
    let allocations: u64 = (20..60).map(&mut round).sum();
    assert_eq!(allocations, 0);
}

#[test]
fn a_path_that_gets_nothing_any_more_is_probed_though_it_had_a_queue() {
    let mut estimator = estimator();
    estimator.set_desired_bps(origin(), 5_000_000);
    // Each packet takes 5 ms longer than the one before: a queue grows.
    let mut now = origin();
    for sequence in 0..400_u16 {
        now = origin() + ms(u64::from(sequence) * 5);
        estimator.handle_sent(now, sequence, 1200, None);
        while estimator.poll_probe(now).is_some() {}
        if sequence % 10 == 9 {
            estimator.handle_feedback(now, &all_received(sequence - 9, 10, u32::from(sequence / 10), 10_000));
        }
    }
    assert!(estimator.limited_at().is_some());
    let silent = now + ms(10_000);
    estimator.handle_timeout(silent);
    assert!(!estimator.is_interrupted(), "all that was sent has arrived");
    assert!(estimator.poll_probe(silent).is_some());
}
