use proptest::prelude::*;

use super::*;
use crate::test_support::{ms, origin};

const PACKET: usize = 1200;

/// A pacer told of `estimate_bps` at the origin, with a full bucket.
fn pacer(estimate_bps: u64) -> Pacer<u32> {
    let mut pacer = Pacer::new();
    pacer.set_rate(origin(), Some(estimate_bps));
    pacer
}

/// Sends or queues `count` packets of video at `now`; returns how many left at once.
fn offer(pacer: &mut Pacer<u32>, now: Instant, count: u32) -> u32 {
    let mut sent = 0;
    for item in 0..count {
        if pacer.try_send(now, PACKET) {
            sent += 1;
        } else {
            pacer.push(now, Class::Video, item, PACKET).unwrap();
        }
    }
    sent
}

/// Pops at each timeout until nothing waits; returns items with their times.
fn drain(pacer: &mut Pacer<u32>) -> Vec<(Instant, u32, usize)> {
    let mut left = Vec::new();
    while let Some(now) = pacer.poll_timeout() {
        while let Some((item, bytes)) = pacer.pop(now) {
            left.push((now, item, bytes));
        }
    }
    left
}

#[test]
fn without_an_estimate_nothing_waits() {
    let mut pacer = Pacer::<u32>::new();
    assert_eq!(offer(&mut pacer, origin(), 5000), 5000);
    assert_eq!(pacer.poll_timeout(), None);
}

#[test]
fn an_ordinary_frame_leaves_at_once() {
    struct Case {
        name: &'static str,
        estimate_bps: u64,
        frame_packets: u32,
        every_ms: u64,
    }
    let cases = [
        Case { name: "1 Mbit/s camera on 1 Mbit/s", estimate_bps: 1_000_000, frame_packets: 4, every_ms: 33 },
        Case { name: "1.5 Mbit/s camera on 3 Mbit/s", estimate_bps: 3_000_000, frame_packets: 6, every_ms: 33 },
        Case {
            name: "ten such frames in one moment on 30 Mbit/s",
            estimate_bps: 30_000_000,
            frame_packets: 60,
            every_ms: 33,
        },
    ];
    for case in cases {
        let mut pacer = pacer(case.estimate_bps);
        for frame in 0..300 {
            let now = origin() + ms(frame * case.every_ms);
            assert_eq!(offer(&mut pacer, now, case.frame_packets), case.frame_packets, "{}, frame {frame}", case.name);
        }
    }
}

#[test]
fn a_key_frame_is_spread_at_the_pacing_rate() {
    let mut pacer = pacer(1_000_000);
    assert_eq!(offer(&mut pacer, origin(), 45), 5, "the burst");
    assert_eq!((pacer.queued_packets(), pacer.queued_bytes()), (40, 48_000));
    let left = drain(&mut pacer);
    assert_eq!(left.len(), 40);
    // 40 packets at 2.5 Mbit/s, 250 of the burst's bytes being left over.
    let took = left[39].0 - origin();
    assert!((ms(150)..=ms(155)).contains(&took), "{took:?}");
}

#[test]
fn a_key_frame_too_large_for_the_rate_leaves_within_the_drain_time() {
    let mut pacer = pacer(100_000);
    offer(&mut pacer, origin(), 500);
    assert_eq!(pacer.oldest_wait(origin() + ms(40)), ms(40));
    let left = drain(&mut pacer);
    assert_eq!(left.len(), 495);
    assert!(left[494].0 - origin() <= DRAIN_WITHIN + TICK, "{:?}", left[494].0 - origin());
    let half = left.iter().filter(|(at, ..)| *at - origin() < DRAIN_WITHIN / 2).count();
    assert!((200..300).contains(&half), "evenly, not at the end: {half}");
}

#[test]
fn a_lasting_overload_waits_but_does_not_pile_up() {
    let mut pacer = pacer(400_000);
    let mut longest = Duration::ZERO;
    for tick in 0..5000 {
        let now = origin() + ms(tick);
        // 9.6 Mbit/s into a pacing rate of 1.
        offer(&mut pacer, now, 1);
        longest = longest.max(pacer.oldest_wait(now));
        while pacer.pop(now).is_some() {}
    }
    assert!(longest <= DRAIN_WITHIN, "{longest:?}");
    assert!(pacer.queued_packets() < 250, "{}", pacer.queued_packets());
}

#[test]
fn retransmissions_overtake_video_and_keep_their_own_order() {
    let mut pacer = pacer(1_000_000);
    offer(&mut pacer, origin(), 8);
    for item in [100, 101] {
        pacer.push(origin(), Class::Retransmission, item, PACKET).unwrap();
    }
    let items: Vec<u32> = drain(&mut pacer).into_iter().map(|(_, item, _)| item).collect();
    assert_eq!(items, [100, 101, 5, 6, 7]);
}

#[test]
fn what_is_never_delayed_takes_its_room_from_video() {
    let mut pacer = pacer(1_000_000);
    pacer.account(origin(), 6000);
    assert!(!pacer.try_send(origin(), PACKET));
    // 1200 bytes take 3.84 ms at 2.5 Mbit/s.
    assert!(!pacer.try_send(origin() + ms(3), PACKET));
    assert!(pacer.try_send(origin() + ms(4), PACKET));
    // However much it is, video waits for two fillings of the bucket at most.
    pacer.account(origin() + ms(4), 10_000_000);
    assert!(pacer.try_send(origin() + ms(4) + BURST * 2, PACKET));
}

#[test]
fn nothing_overtakes_what_waits() {
    let mut pacer = pacer(1_000_000);
    offer(&mut pacer, origin(), 6);
    assert!(!pacer.try_send(origin() + ms(1000), PACKET), "the bucket is full again, but a packet was there before");
    assert_eq!(pacer.pop(origin() + ms(1000)), Some((5, PACKET)));
    assert!(pacer.try_send(origin() + ms(1000), PACKET));
}

#[test]
fn a_debt_makes_nothing_wait_for_longer_than_the_drain_time() {
    let mut pacer = pacer(0);
    pacer.account(origin(), 60_000);
    pacer.push(origin(), Class::Video, 7, PACKET).unwrap();
    assert_eq!(pacer.pop(origin() + DRAIN_WITHIN - ms(1)), None);
    assert_eq!(pacer.poll_timeout(), Some(origin() + DRAIN_WITHIN));
    assert_eq!(pacer.pop(origin() + DRAIN_WITHIN), Some((7, PACKET)));
}

#[test]
fn the_limit_is_told_and_nothing_is_kept_beyond_it() {
    let mut pacer = pacer(1_000_000);
    for item in 0..MAX_QUEUED as u32 {
        pacer.push(origin(), Class::Video, item, PACKET).unwrap();
    }
    assert_eq!(pacer.push(origin(), Class::Retransmission, 0, PACKET), Err(PacerFull));
    assert_eq!((pacer.queued_packets(), pacer.queued_bytes()), (MAX_QUEUED, MAX_QUEUED * PACKET));
}

#[test]
fn a_closed_consumers_packets_are_forgotten() {
    let mut pacer = pacer(1_000_000);
    offer(&mut pacer, origin(), 25);
    pacer.push(origin(), Class::Retransmission, 41, PACKET).unwrap();
    pacer.retain(|item| item % 2 == 0);
    assert_eq!((pacer.queued_packets(), pacer.queued_bytes()), (10, 10 * PACKET));
    assert!(drain(&mut pacer).iter().all(|(_, item, _)| item % 2 == 0));
    assert_eq!((pacer.queued_bytes(), pacer.oldest_wait(origin() + ms(900))), (0, Duration::ZERO));
}

#[test]
fn an_estimate_that_goes_lets_everything_out() {
    let mut pacer = pacer(100_000);
    offer(&mut pacer, origin(), 105);
    pacer.set_rate(origin() + ms(1), None);
    let left = drain(&mut pacer);
    assert_eq!(left.len(), 100);
    assert!(left.iter().all(|(at, ..)| *at <= origin() + ms(1)));
}

#[test]
fn an_estimate_of_nothing_still_lets_packets_out() {
    let mut pacer = pacer(0);
    offer(&mut pacer, origin(), 6);
    let left = drain(&mut pacer);
    assert_eq!(left.len(), 1);
    assert!(left[0].0 - origin() <= DRAIN_WITHIN);
}

#[test]
fn timers_are_a_tick_apart_and_pushing_does_not_put_them_off() {
    let mut pacer = pacer(100_000_000);
    offer(&mut pacer, origin(), 1000);
    assert!(pacer.queued_packets() > 0, "the burst was used up");
    while pacer.pop(origin()).is_some() {}
    let timeout = pacer.poll_timeout().unwrap();
    assert_eq!(timeout, origin() + TICK);
    pacer.push(origin() + Duration::from_micros(900), Class::Video, 0, PACKET).unwrap();
    assert_eq!(pacer.poll_timeout(), Some(timeout));
}

#[test]
fn a_packet_larger_than_a_burst_is_not_stuck() {
    let mut pacer = pacer(0);
    assert!(pacer.try_send(origin(), 60_000));
    assert!(!pacer.try_send(origin() + ms(1), 60_000));
}

#[test]
fn a_warm_pacer_allocates_nothing() {
    let mut pacer = pacer(1_000_000);
    offer(&mut pacer, origin(), 100);
    while pacer.pop(origin() + ms(1000)).is_some() {}
    let info = allocation_counter::measure(|| {
        offer(&mut pacer, origin() + ms(2000), 90);
        while pacer.pop(origin() + ms(3000)).is_some() {}
    });
    assert_eq!(info.count_total, 0);
}

mod probes {
    use super::*;

    /// Sends a probe in packets of `packet` bytes, woken at each timeout; returns the times with the bytes.
    fn run(rate_bps: u64, bytes: usize, packet: usize) -> Vec<(Instant, usize)> {
        let mut probe = ProbeSender::new(origin(), rate_bps, bytes, 1);
        let mut sent = Vec::new();
        while let Some(now) = probe.poll_timeout() {
            if probe.is_finished(now) {
                break;
            }
            let mut due = probe.poll(now);
            while due > 0 {
                probe.handle_sent(1, packet);
                sent.push((now, packet));
                due = due.saturating_sub(packet);
            }
        }
        sent
    }

    #[test]
    fn a_probe_keeps_its_rate_and_ends_after_its_bytes() {
        for (rate_bps, bytes) in [(900_000, 6000), (3_000_000, 15_000), (50_000_000, 100_000)] {
            let sent = run(rate_bps, bytes, 1000);
            let total: usize = sent.iter().map(|(_, bytes)| bytes).sum();
            assert!((bytes..bytes + 1000).contains(&total), "{total} of {bytes}");
            let took = (sent[sent.len() - 1].0 - origin()).as_nanos() as u64;
            let planned = bytes as u64 * 8_000_000_000 / rate_bps;
            let packet_time = 8_000_000_000_000 / rate_bps;
            let tick = TICK.as_nanos() as u64;
            assert!(took <= planned + tick && took + packet_time + tick >= planned, "{took} for {planned} ns");
        }
    }

    /// Harm prevented: a probe at twice the rate goes out beside the media, and fills a path with three times the rate that others
    /// use as well.
    #[test]
    fn what_is_sent_anyway_counts_once_the_probe_has_begun() {
        let mut probe = ProbeSender::new(origin(), 1_000_000, 10_000, 8);
        probe.handle_other_sent(5000);
        assert_eq!(probe.poll(origin()), 1);
        probe.handle_sent(1, 1000);
        probe.handle_other_sent(4000);
        assert_eq!(probe.poll(origin() + ms(20)), 0, "5000 bytes are 40 ms");
        assert!(probe.poll(origin() + ms(48)) > 900);
    }

    #[test]
    fn a_probe_has_enough_packets_however_much_is_sent_anyway() {
        let mut probe = ProbeSender::new(origin(), 1_000_000, 8000, 8);
        assert_eq!(probe.poll(origin()), 1);
        probe.handle_sent(1, 1000);
        probe.handle_other_sent(9000);
        let mut now = origin();
        let mut own = 1;
        while !probe.is_finished(now) {
            now = probe.poll_timeout().expect("not all is sent");
            if probe.poll(now) > 0 {
                probe.handle_sent(1, probe.packet_bytes_max());
                own += 1;
            }
        }
        assert_eq!(own, 7, "eight with the other one");
    }

    #[test]
    fn a_probe_that_cannot_be_sent_ends_by_its_time() {
        let mut probe = ProbeSender::new(origin(), 1_000_000, 12_500, 1);
        assert_eq!(probe.poll(origin()), 1);
        probe.handle_sent(1, 1000);
        let deadline = origin() + ms(100) + PROBE_GRACE;
        assert!(!probe.is_finished(deadline - ms(1)));
        assert!(probe.is_finished(deadline));
        assert_eq!(probe.poll(deadline), 0);
    }

    #[test]
    fn a_probe_without_a_rate_or_bytes_ends() {
        assert!(ProbeSender::new(origin(), 1_000_000, 0, 1).is_finished(origin()));
        assert_eq!(ProbeSender::new(origin(), 1_000_000, 0, 1).poll_timeout(), None);
        let probe = ProbeSender::new(origin(), 0, usize::MAX, 1);
        assert!(probe.is_finished(origin() + Duration::from_secs(6)));
    }

    #[test]
    fn a_probe_is_not_polled_more_often_than_each_tick() {
        let mut probe = ProbeSender::new(origin(), 100_000_000, 100_000, 1);
        probe.poll(origin());
        assert_eq!(probe.poll_timeout(), Some(origin() + TICK));
        assert_eq!(probe.poll(origin() + TICK / 2), 0);
        assert_eq!(probe.poll(origin() + TICK), 12_501);
    }
}

/// What happens to a pacer in a property test: after so many microseconds, a packet of some class and size.
fn arrivals() -> impl Strategy<Value = Vec<(u64, bool, usize)>> {
    prop::collection::vec((0_u64..20_000, any::<bool>(), 50_usize..1400), 1..300)
}

proptest! {
    #[test]
    fn nothing_is_lost_or_reordered_in_its_class_and_nothing_waits_too_long(
        arrivals in arrivals(),
        estimate_bps in 0_u64..10_000_000,
    ) {
        let mut pacer = pacer(estimate_bps);
        let mut now = origin();
        let mut pushed = Vec::new();
        let mut left = Vec::new();
        for (item, (after_us, is_retransmission, bytes)) in arrivals.into_iter().enumerate() {
            let next = now + Duration::from_micros(after_us);
            while let Some(at) = pacer.poll_timeout().filter(|at| *at <= next) {
                let at = at.max(now);
                while let Some((item, bytes)) = pacer.pop(at) {
                    left.push((at, item, bytes));
                }
            }
            now = next;
            let class = if is_retransmission { Class::Retransmission } else { Class::Video };
            pacer.push(now, class, item as u32, bytes).unwrap();
            pushed.push((now, class, bytes));
        }
        left.extend(drain(&mut pacer));

        prop_assert_eq!(left.len(), pushed.len());
        for class in [Class::Retransmission, Class::Video] {
            let of_class: Vec<u32> =
                left.iter().map(|(_, item, _)| *item).filter(|item| pushed[*item as usize].1 == class).collect();
            prop_assert!(of_class.is_sorted());
        }
        for (at, item, bytes) in left {
            let (since, _, pushed_bytes) = pushed[item as usize];
            prop_assert_eq!(bytes, pushed_bytes);
            prop_assert!(at >= since && at - since <= DRAIN_WITHIN + TICK, "{:?}", at - since);
        }
        prop_assert_eq!((pacer.queued_packets(), pacer.queued_bytes()), (0, 0));
    }

    #[test]
    fn never_more_leaves_than_the_burst_and_the_rates_share_of_time(
        arrivals in prop::collection::vec((0_u64..20_000, 50_usize..1400), 1..300),
        estimate_bps in 200_000_u64..10_000_000,
    ) {
        let mut pacer = pacer(estimate_bps);
        let pace_bps = (estimate_bps * 5 / 2) as f64;
        let burst = (pace_bps * BURST.as_secs_f64() / 8.0).max(MIN_BURST_BYTES as f64);
        // As long as the queue leaves in time at the pacing rate, nothing raises it.
        let queue_limit = pace_bps / 8.0 * 0.1;
        let mut now = origin();
        let mut left = Vec::new();
        for (after_us, bytes) in arrivals {
            let next = now + Duration::from_micros(after_us);
            while let Some(at) = pacer.poll_timeout().filter(|at| *at <= next) {
                let at = at.max(now);
                while let Some((_, bytes)) = pacer.pop(at) {
                    left.push((at, bytes));
                }
            }
            now = next;
            if pacer.try_send(now, bytes) {
                left.push((now, bytes));
            } else if ((pacer.queued_bytes() + bytes) as f64) < queue_limit {
                pacer.push(now, Class::Video, 0, bytes).unwrap();
            }
        }
        for from in 0..left.len() {
            let mut total = 0;
            for (at, bytes) in &left[from..] {
                total += bytes;
                let allowed = burst + pace_bps / 8.0 * (*at - left[from].0).as_secs_f64();
                prop_assert!(total as f64 <= allowed + 1.0, "{} of {}", total, allowed);
            }
        }
    }
}
