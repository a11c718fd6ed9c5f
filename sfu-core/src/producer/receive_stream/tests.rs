use super::*;
use crate::producer::sequence::MAX_DROPOUT;
use crate::test_support::origin;

const CYCLE: u64 = 1 << 16;

fn stream() -> ReceiveStream {
    ReceiveStream::new(Ssrc(7), 90_000)
}

/// Feeds packets one millisecond apart with a timestamp each.
fn feed(stream: &mut ReceiveStream, start: Instant, seqs: impl IntoIterator<Item = u16>) -> Vec<Arrival> {
    seqs.into_iter()
        .enumerate()
        .map(|(i, seq)| stream.handle_packet(start + Duration::from_millis(i as u64), seq, i as u32 * 90, 100))
        .collect()
}

#[test]
fn packets_are_told_apart() {
    let new = |extended| Arrival::New { extended };
    let cases: &[(&str, &[u16], Arrival)] = &[
        ("in order", &[1, 2], new(CYCLE + 2)),
        ("late", &[1, 3, 2], new(CYCLE + 2)),
        ("duplicate of the newest", &[1, 1], Arrival::Duplicate),
        ("duplicate of a late one", &[1, 3, 2, 2], Arrival::Duplicate),
        ("duplicate across the wrap", &[65535, 0, 65535], Arrival::Duplicate),
        ("before the first", &[1, 0], new(CYCLE)),
        ("unconfirmed jump", &[1, 30_000], Arrival::TooOld),
        ("restart", &[1, 30_000, 30_001], Arrival::Restarted { extended: 3 * CYCLE + 30_001 }),
        ("duplicate after a restart", &[1, 30_000, 30_001, 30_001], Arrival::Duplicate),
    ];
    for (name, seqs, expected) in cases {
        let arrivals = feed(&mut stream(), origin(), seqs.iter().copied());
        assert_eq!(arrivals.last(), Some(expected), "{name}");
    }
}

#[test]
fn a_number_a_whole_window_later_is_not_taken_for_a_duplicate() {
    let mut stream = stream();
    feed(&mut stream, origin(), [0, 2500, 5000]);
    // 904 shares its bit with 5000, 4096 later.
    assert_eq!(stream.handle_recovered(origin(), 904, 100), Arrival::TooOld);
    assert_eq!(stream.handle_recovered(origin(), 905, 100), Arrival::New { extended: CYCLE + 905 });
    assert_eq!(stream.handle_recovered(origin(), 905, 100), Arrival::Duplicate);
}

#[test]
fn a_lost_number_is_not_mistaken_for_the_one_a_window_before_it() {
    let mut stream = stream();
    feed(&mut stream, origin(), (0..10).chain([2500, 5000]));
    // 4101 shares its bit with 5, which came.
    assert_eq!(stream.handle_recovered(origin(), 4101, 100), Arrival::New { extended: CYCLE + 4101 });
}

#[test]
fn loss_is_counted_per_interval_and_in_all() {
    let start = origin();
    let mut stream = stream();
    assert_eq!(stream.reception_report(start), None, "a block before any packet would name a number never received");
    feed(&mut stream, start, (0..100).filter(|seq| seq % 4 != 1));
    let report = stream.reception_report(start).unwrap();
    assert_eq!((report.fraction_lost, report.total_lost, report.last_sequence_number), (64, 25, 99));
    feed(&mut stream, start, 100..200);
    let report = stream.reception_report(start).unwrap();
    assert_eq!((report.fraction_lost, report.total_lost, report.last_sequence_number), (0, 25, 199));
    let report = stream.reception_report(start).unwrap();
    assert_eq!((report.fraction_lost, report.total_lost), (0, 25), "an empty interval has no loss");
}

#[test]
fn duplicates_make_the_cumulative_loss_negative_in_24_bits() {
    let mut stream = stream();
    feed(&mut stream, origin(), [1, 1, 1]);
    let report = stream.reception_report(origin()).unwrap();
    assert_eq!((report.fraction_lost, report.total_lost), (0, 0xff_fffe));
    assert_eq!(stream.stats().packets_lost, -2);
}

#[test]
fn cumulative_loss_stops_at_the_fields_ends() {
    for (lost, field) in [(0, 0), (0x7f_ffff, 0x7f_ffff), (0x100_0000, 0x7f_ffff), (-0x100_0000, 0x80_0000)] {
        assert_eq!(to_24_bits(lost), field, "{lost}");
    }
}

#[test]
fn a_retransmission_repairs_without_hiding_the_loss_from_reports() {
    let start = origin();
    let mut stream = stream();
    feed(&mut stream, start, [0, 1, 3]);
    assert_eq!(stream.handle_recovered(start, 2, 100), Arrival::New { extended: CYCLE + 2 });
    let report = stream.reception_report(start).unwrap();
    assert_eq!((report.fraction_lost, report.total_lost), (64, 1));
    let stats = stream.stats();
    assert_eq!((stats.packets_received, stats.packets_recovered, stats.bytes_received), (3, 1, 400));
}

#[test]
fn an_original_after_its_retransmission_is_dropped_but_received() {
    let start = origin();
    let mut stream = stream();
    feed(&mut stream, start, [0, 2]);
    stream.handle_recovered(start, 1, 100);
    assert_eq!(stream.handle_packet(start, 1, 0, 100), Arrival::Duplicate, "it would be forwarded twice");
    assert_eq!(stream.reception_report(start).unwrap().total_lost, 0);
}

#[test]
fn a_retransmission_may_run_ahead_but_not_start_a_stream() {
    let mut stream = stream();
    assert_eq!(stream.handle_recovered(origin(), 5, 100), Arrival::TooOld);
    feed(&mut stream, origin(), [10]);
    assert_eq!(stream.handle_recovered(origin(), 12, 100), Arrival::New { extended: CYCLE + 12 });
    assert_eq!(feed(&mut stream, origin(), [11]), [Arrival::New { extended: CYCLE + 11 }]);
}

#[test]
fn a_retransmission_from_before_the_first_packet_makes_no_loss() {
    let mut stream = stream();
    feed(&mut stream, origin(), [100]);
    assert_eq!(stream.handle_recovered(origin(), 50, 100), Arrival::New { extended: CYCLE + 50 });
    assert_eq!(stream.reception_report(origin()).unwrap().total_lost, 0);
}

#[test]
fn a_restart_voids_the_old_runs_clock_mapping() {
    let mut stream = stream();
    feed(&mut stream, origin(), [1]);
    stream.handle_sender_report(origin(), NtpTime(1 << 40), 90);
    feed(&mut stream, origin(), [30_000, 30_001]);
    assert_eq!(stream.source_report(), None, "its timestamps would tear audio and video apart");
}

#[test]
fn reports_start_anew_after_a_restart_while_totals_go_on() {
    let mut stream = stream();
    feed(&mut stream, origin(), [0, MAX_DROPOUT]);
    feed(&mut stream, origin(), [30_000, 30_001, 30_002]);
    let report = stream.reception_report(origin()).unwrap();
    assert_eq!((report.fraction_lost, report.total_lost, report.last_sequence_number), (0, 0, 30_002));
    assert_eq!(stream.stats().packets_received, 4);
}

#[test]
fn jitter_follows_the_appendix() {
    let start = origin();
    let mut stream = stream();
    // Frames every 20 ms by their timestamps; each second one comes 4 ms late, so transit changes by 360 units.
    let mut expected = 0_u32;
    for i in 0..200_u64 {
        let late = if i % 2 == 1 { 4 } else { 0 };
        stream.handle_packet(start + Duration::from_millis(i * 20 + late), i as u16, i as u32 * 1800, 100);
        if i > 0 {
            expected = expected + 360 - ((expected + 8) >> 4);
        }
    }
    assert_eq!(stream.stats().jitter, expected >> 4);
    assert!((340..=360).contains(&(expected >> 4)));
}

#[test]
fn a_frames_burst_and_a_timestamp_jump_are_no_jitter() {
    let start = origin();
    let mut stream = stream();
    for i in 0..10_u64 {
        stream.handle_packet(start + Duration::from_millis(i), i as u16, 0, 100);
    }
    stream.handle_packet(start + Duration::from_millis(20), 10, u32::MAX / 2, 100);
    assert_eq!(stream.stats().jitter, 0);
}

#[test]
fn reports_echo_the_last_sender_report_and_its_age() {
    let start = origin();
    let mut stream = stream();
    feed(&mut stream, start, [1]);
    let report = stream.reception_report(start).unwrap();
    assert_eq!((report.last_sender_report, report.delay), (0, 0));
    stream.handle_sender_report(start, NtpTime(0x1111_2222_3333_4444), 90);
    let report = stream.reception_report(start + Duration::from_millis(1500)).unwrap();
    assert_eq!((report.last_sender_report, report.delay), (0x2222_3333, 0x1_8000));
    assert_eq!(stream.source_report().unwrap().rtp_timestamp, 90);
}

#[test]
fn the_last_packet_and_rate_tell_a_live_stream_from_a_dead_one() {
    let start = origin();
    let mut stream = stream();
    assert_eq!(stream.last_packet_at(), None);
    feed(&mut stream, start, 0..10);
    assert_eq!(stream.last_packet_at(), Some(start + Duration::from_millis(9)));
    assert_eq!(stream.bitrate_bps(start + Duration::from_millis(9)), 8000);
    assert_eq!(stream.bitrate_bps(start + Duration::from_secs(2)), 0);
}

#[test]
fn the_score_falls_with_loss_and_less_when_it_is_repaired() {
    // Every tenth packet of a hundred is missing, and the first `repaired` of these come as retransmissions, twice each.
    for (repaired, expected) in [(0, 7), (5, 7), (10, 8)] {
        let start = origin();
        let mut stream = stream();
        let (missing, came): (Vec<u16>, Vec<u16>) = (1..101).partition(|seq| seq % 10 == 5);
        feed(&mut stream, start, came);
        for &seq in missing.iter().take(repaired) {
            assert!(matches!(stream.handle_recovered(start, seq, 100), Arrival::New { .. }));
            assert_eq!(stream.handle_recovered(start, seq, 100), Arrival::Duplicate);
        }
        stream.update_score();
        assert_eq!(stream.score(), expected, "{repaired} repaired");
        let interval =
            Interval { expected: 100, lost: 10, repaired: repaired as u64, retransmitted: 2 * repaired as u64 };
        assert_eq!(stream.last_interval(), interval);
        stream.update_score();
        assert_eq!(stream.last_interval(), Interval::default(), "an interval ends where the next one begins");
    }
}

/// Harm prevented: a sender that starts anew is called broken, for its numbers do not fit the ones before.
#[test]
fn a_restart_begins_a_new_interval() {
    let start = origin();
    let mut stream = stream();
    feed(&mut stream, start, 0..50);
    stream.update_score();
    feed(&mut stream, start, (30_000..30_010).chain(30_010..30_050));
    stream.update_score();
    // The first packet after the jump was not believed.
    assert_eq!(stream.last_interval(), Interval { expected: 49, ..Interval::default() });
    assert_eq!(stream.score(), 10);
}

#[test]
fn a_stream_that_stops_scores_zero_and_ten_again_with_its_next_packet() {
    let start = origin();
    for (mut stream, limit) in [(stream(), INACTIVE_AFTER), (stream().with_silences(), SILENT_INACTIVE_AFTER)] {
        assert_eq!(stream.inactive_at(), None, "nothing has come yet");
        feed(&mut stream, start, [1]);
        assert!(stream.has_score_news());
        assert_eq!(stream.tell_score(), 10);
        assert_eq!(stream.inactive_at(), Some(start + limit));
        stream.check_activity(start + limit - Duration::from_millis(1));
        assert!(!stream.has_score_news());
        stream.check_activity(start + limit);
        assert_eq!((stream.has_score_news(), stream.inactive_at()), (true, None));
        assert_eq!(stream.tell_score(), 0);
        stream.update_score();
        assert_eq!(stream.score(), 0);
        let back = start + limit * 2;
        stream.handle_packet(back, 2, 90, 100);
        assert_eq!((stream.has_score_news(), stream.score()), (true, 10));
        stream.watch_from(back + limit);
        assert_eq!(stream.inactive_at(), Some(back + limit * 2), "nothing was expected meanwhile");
    }
}
