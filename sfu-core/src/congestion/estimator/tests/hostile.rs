//! Receivers that lie, and numbers that wrap.

use super::*;
use crate::congestion::estimator::MAX_SENT_PACKETS;
use crate::congestion::estimator::history::SentHistory;

#[test]
fn feedback_on_packets_never_sent_changes_nothing() {
    let (mut estimator, now) = with_sent(10);
    let before = estimator.snapshot();
    for (base, count) in [(500, 1000), (40_000, 8000), (10, 1)] {
        estimator.handle_feedback(now, &all_received(base, count, 5, 1000));
    }
    assert_eq!(estimator.snapshot(), before);
}

#[test]
fn feedback_before_anything_was_sent_changes_nothing() {
    let mut estimator = BandwidthEstimator::new(origin(), EstimatorOptions::default());
    let before = estimator.snapshot();
    for base in [0, 1, 0x7fff, 0x8000, 0xffff] {
        estimator.handle_feedback(origin(), &all_received(base, 100, 0, 250));
        estimator.handle_feedback(origin(), &all_missing(base, 0x1fff));
    }
    assert_eq!(estimator.snapshot(), before);
}

#[test]
fn a_repeated_feedback_does_not_count_twice() {
    let (mut estimator, now) = with_sent(60);
    let feedback = all_received(0, 60, 5, 10_000);
    estimator.handle_feedback(now, &feedback);
    let once = estimator.snapshot();
    assert!(once.acknowledged_bps.is_some_and(|bps| (700_000..=900_000).contains(&bps)), "{once:?}");
    for _ in 0..10 {
        estimator.handle_feedback(now, &feedback);
    }
    assert_eq!(estimator.snapshot(), once);
}

#[test]
fn a_message_shorter_than_its_count_says_is_read_as_far_as_it_goes() {
    let (mut estimator, now) = with_sent(60);
    let mut feedback = run(SymbolTypeTcc::PacketReceivedLargeDelta, 0, 60, 5, 10_000);
    feedback.recv_deltas.truncate(30);
    estimator.handle_feedback(now, &read(&feedback));
    assert!(estimator.snapshot().acknowledged_bps.is_some());
}

#[test]
fn times_that_jump_leave_the_estimate_in_its_bounds() {
    let (mut estimator, now) = with_sent(1000);
    let mut reference = 1_u32;
    for (step, base) in (0..1000_u16).step_by(20).enumerate() {
        reference = reference.wrapping_mul(2_654_435_761) & 0x00ff_ffff;
        let delta_us = [-8_192_000, 8_191_750, 0, 250][step % 4];
        estimator.handle_feedback(now, &all_received(base, 20, reference, delta_us));
        assert!((30_000..=50_000_000).contains(&estimator.estimate_bps()));
    }
}

#[test]
fn a_receiver_that_sets_its_clock_back_is_still_listened_to() {
    let (mut estimator, now) = with_sent(200);
    estimator.handle_feedback(now, &all_received(0, 100, 1_000_000, 10_000));
    estimator.handle_feedback(now, &all_received(100, 100, 1000, 5_000));
    let acknowledged = estimator.snapshot().acknowledged_bps;
    // The second hundred alone, within half the time of their sending, which the robust rate does not believe.
    assert!(acknowledged.is_some_and(|bps| (700_000..=900_000).contains(&bps)), "{acknowledged:?}");
}

#[test]
fn a_lying_receiver_gets_no_more_than_the_maximum() {
    let options = EstimatorOptions { max_bps: 2_000_000, ..EstimatorOptions::default() };
    let mut estimator = BandwidthEstimator::new(origin(), options);
    estimator.set_desired_bps(origin(), 100_000_000);
    let mut now = origin();
    let mut sequence = 0_u16;
    for reference_time in 0..2000 {
        let base = sequence;
        let mut probes: Vec<_> = std::iter::from_fn(|| estimator.poll_probe(now)).collect();
        assert!(probes.iter().all(|probe| probe.rate_bps <= 2_000_000));
        for packet in 0..30 {
            let probe = if packet % 6 == 5 { probes.pop() } else { None };
            estimator.handle_sent(now, sequence, 1200, probe.map(|probe| probe.id));
            sequence = sequence.wrapping_add(1);
            now += ms(1);
        }
        let count = sequence.wrapping_sub(base);
        estimator.handle_feedback(now, &all_received(base, count, reference_time, 250));
        assert!(estimator.estimate_bps() <= 2_000_000);
    }
}

#[test]
fn numbers_wrap_without_a_trace() {
    let mut estimator = BandwidthEstimator::new(origin(), EstimatorOptions::default());
    for index in 0..60_u16 {
        estimator.handle_sent(at_packet(index), 65_500_u16.wrapping_add(index), 1000, None);
    }
    estimator.handle_feedback(at_packet(70), &all_received(65_500, 60, 0x00ff_ffff, 10_000));
    assert!(estimator.snapshot().acknowledged_bps.is_some_and(|bps| (700_000..=900_000).contains(&bps)));
}

#[test]
fn the_reference_time_wraps_without_a_trace() {
    let (mut estimator, now) = with_sent(200);
    estimator.handle_feedback(now, &all_received(0, 100, 0x00ff_ffff, 10_000));
    // 1000 ms are fifteen and a half units of 64 ms.
    estimator.handle_feedback(now, &all_received(100, 100, 15, 10_000));
    let snapshot = estimator.snapshot();
    assert!(snapshot.acknowledged_bps.is_some_and(|bps| (700_000..=900_000).contains(&bps)), "{snapshot:?}");
    assert!(snapshot.queue_ms < 50.0, "{snapshot:?}");
}

#[test]
fn the_history_is_bounded_and_forgets_the_oldest() {
    let mut history = SentHistory::default();
    for sequence in 0..20_000_u64 {
        history.handle_sent(sequence as i64, sequence as u16, 100, None);
    }
    assert_eq!(history.len(), MAX_SENT_PACKETS);
    let oldest = history.end() - MAX_SENT_PACKETS as u64;
    assert!(history.receive(oldest - 1).is_none());
    assert!(history.receive(oldest).is_some());
    assert!(history.receive(oldest).is_none(), "a packet is received once");
}

#[test]
fn numbers_left_out_are_neither_lost_nor_received() {
    let mut history = SentHistory::default();
    history.handle_sent(0, 65_530, 100, None);
    history.handle_sent(1, 10, 100, None);
    assert_eq!(history.len(), 17);
    let skipped = history.unwrap(5);
    assert!(history.receive(skipped).is_none());
    let last = history.unwrap(10);
    assert_eq!(history.receive(last).map(|packet| packet.sent_us), Some(1));
    // A jump beyond what a sender leaves out begins anew.
    history.handle_sent(2, 30_000, 100, None);
    assert_eq!(history.len(), 1);
}

#[test]
fn the_history_of_an_interrupted_path_is_forgotten_in_time() {
    let mut history = SentHistory::default();
    for second in 0..60_i64 {
        history.handle_sent(second * 1_000_000, second as u16, 100, None);
    }
    assert_eq!(history.len(), 11);
}
