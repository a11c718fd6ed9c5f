use std::time::UNIX_EPOCH;

use super::*;
use crate::rtcp::ntp::{NtpTime, to_short_ntp};
use crate::test_support::{ms, origin};

fn setup() -> (Instant, WallClock, SendStats) {
    let start = origin();
    (start, WallClock::new(start, UNIX_EPOCH + Duration::from_secs(1_000_000)), SendStats::new(Ssrc(5), 90_000))
}

#[test]
fn a_stream_that_sent_nothing_reports_nothing() {
    let (start, clock, stats) = setup();
    assert_eq!(stats.sender_report(start, &clock, None, |timestamp| timestamp), None);
}

#[test]
fn a_report_counts_packets_and_payload() {
    let (start, clock, mut stats) = setup();
    stats.handle_sent(start, 0, 1000, 1030);
    stats.handle_sent(start, 0, 500, 530);
    let report = stats.sender_report(start, &clock, None, |timestamp| timestamp).unwrap();
    assert_eq!((report.ssrc, report.packet_count, report.octet_count), (5, 2, 1500));
    assert_eq!(report.ntp_time, clock.ntp(start).0);
    assert_eq!((stats.totals().bytes_sent, stats.bitrate_bps(start)), (1560, 12_480));
}

#[test]
fn counts_wrap_on_the_wire_only() {
    let (start, clock, mut stats) = setup();
    stats.handle_sent(start, 0, u32::MAX as usize, 0);
    stats.handle_sent(start, 0, 2, 0);
    assert_eq!(stats.sender_report(start, &clock, None, |timestamp| timestamp).unwrap().octet_count, 1);
    assert_eq!(stats.totals().payload_bytes_sent, (1 << 32) + 1);
}

#[test]
fn the_clock_mapping_is_the_producers_in_the_consumers_numbering() {
    let (start, clock, mut stats) = setup();
    stats.handle_sent(start + ms(400), 77, 1000, 1030);
    let source = SourceReport { ntp: NtpTime(0), rtp_timestamp: u32::MAX - 100, received_at: start };
    let report =
        stats.sender_report(start + ms(500), &clock, Some(source), |timestamp| timestamp.wrapping_add(1000)).unwrap();
    assert_eq!(report.rtp_time, 899 + 45_000);
}

#[test]
fn without_a_producers_report_the_last_packet_is_the_anchor() {
    let (start, clock, mut stats) = setup();
    stats.handle_sent(start, u32::MAX, 1000, 1030);
    let report = stats.sender_report(start + ms(100), &clock, None, |timestamp| timestamp).unwrap();
    assert_eq!(report.rtp_time, 8999);
}

#[test]
fn audio_and_video_of_one_peer_keep_the_senders_relation() {
    let (start, clock, mut video) = setup();
    let mut audio = SendStats::new(Ssrc(6), 48_000);
    video.handle_sent(start, 0, 1, 13);
    audio.handle_sent(start, 0, 1, 13);
    // Both reports speak of the same moment and came together; ours are made at different times.
    let source = |rtp_timestamp| Some(SourceReport { ntp: NtpTime(0), rtp_timestamp, received_at: start });
    let video_report = video.sender_report(start + ms(300), &clock, source(9000), |t| t).unwrap();
    let audio_report = audio.sender_report(start + ms(800), &clock, source(4800), |t| t).unwrap();
    let sampled =
        |ntp: u64, timestamp: u32, rate: u32| ntp as f64 / 2_f64.powi(32) - f64::from(timestamp) / f64::from(rate);
    let offset = sampled(video_report.ntp_time, video_report.rtp_time, 90_000)
        - sampled(audio_report.ntp_time, audio_report.rtp_time, 48_000);
    assert!(offset.abs() < 0.001, "{offset}");
}

#[test]
fn the_round_trip_comes_from_lsr_and_dlsr() {
    let (start, clock, mut stats) = setup();
    let block = |lsr_at: Duration, delay: Duration| ReceptionReport {
        last_sender_report: clock.ntp(start + lsr_at).middle_32(),
        delay: to_short_ntp(delay),
        ..ReceptionReport::default()
    };
    let cases = [
        ("plain", block(ms(0), ms(900)), Some(ms(100))),
        ("none yet", ReceptionReport::default(), None),
        ("rounding below zero", block(ms(0), ms(1005)), Some(ms(0))),
        ("delay longer than the time since", block(ms(0), ms(2000)), None),
        ("absurdly long", ReceptionReport { last_sender_report: 1, ..ReceptionReport::default() }, None),
    ];
    for (name, block, expected) in cases {
        let rtt = round_trip(start + ms(1000), &clock, &block);
        assert_eq!(rtt.map(|rtt| (rtt.as_micros() + 500) / 1000), expected.map(|rtt| rtt.as_millis()), "{name}");
    }
    stats.handle_reception_report(start + ms(1000), &clock, &block(ms(0), ms(900)));
    stats.handle_reception_report(start + ms(2000), &clock, &block(ms(1000), ms(820)));
    assert_eq!(stats.rtt().map(|rtt| (rtt.as_micros() + 500) / 1000), Some(110));
}

#[test]
fn the_peers_loss_is_read_with_its_sign() {
    let (start, clock, mut stats) = setup();
    for (field, lost) in [(0, 0), (25, 25), (0xff_fffe, -2), (0x80_0000, -0x80_0000)] {
        let report = ReceptionReport { total_lost: field, fraction_lost: 3, jitter: 4, ..ReceptionReport::default() };
        stats.handle_reception_report(start, &clock, &report);
        assert_eq!(stats.peer_report(), Some(PeerReport { fraction_lost: 3, packets_lost: lost, jitter: 4 }));
    }
}

#[test]
fn feedback_is_counted() {
    let (_, _, mut stats) = setup();
    stats.handle_nack(3);
    stats.handle_nack(1);
    stats.handle_pli();
    stats.handle_fir();
    let totals = stats.totals();
    assert_eq!((totals.nack_count, totals.nacked_packets, totals.pli_count, totals.fir_count), (2, 4, 1, 1));
}

#[test]
fn the_score_follows_the_peers_reports() {
    let (start, clock, mut stats) = setup();
    let report = |stats: &mut SendStats, total_lost| {
        for _ in 0..100 {
            stats.handle_sent(start, 0, 1000, 1030);
        }
        stats.handle_reception_report(start, &clock, &ReceptionReport { total_lost, ..ReceptionReport::default() });
        stats.last_interval().lost
    };
    assert_eq!((report(&mut stats, 0), stats.score()), (0, 10));
    assert_eq!((report(&mut stats, 50), stats.score()), (50, 4));
    assert_eq!(report(&mut stats, 40), 0, "late ones came");
    assert_eq!(report(&mut stats, 0xff_fffe), 0, "more duplicates than losses");
    assert_eq!(report(&mut stats, 10), 10);
    for _ in 0..10 {
        stats.handle_resent(true);
        stats.handle_resent(false);
    }
    report(&mut stats, 20);
    let interval = Interval { expected: 100, lost: 10, repaired: 10, retransmitted: 20 };
    assert_eq!(stats.last_interval(), interval);
    assert_eq!((stats.totals().packets_retransmitted, stats.totals().packets_repaired), (20, 10));
}

#[test]
fn a_score_is_news_when_any_part_of_it_changed() {
    let (start, clock, mut stats) = setup();
    let score = |score, producer_score, producer_scores: &[u8]| {
        Some(ConsumerScore { score, producer_score, producer_scores: producer_scores.to_vec() })
    };
    let news = |stats: &mut SendStats, source, scores: &[u8]| stats.score_news(source, scores.iter().copied());
    assert_eq!(news(&mut stats, None, &[0, 0]), score(10, 0, &[0, 0]), "the first is news");
    assert_eq!(news(&mut stats, None, &[0, 0]), None);
    assert_eq!(news(&mut stats, None, &[10, 9]), score(10, 0, &[10, 9]));
    assert_eq!(news(&mut stats, Some(1), &[10, 9]), score(10, 9, &[10, 9]));
    assert_eq!(news(&mut stats, Some(1), &[9, 9]), score(10, 9, &[9, 9]));
    assert_eq!(news(&mut stats, Some(7), &[9, 9]), score(10, 0, &[9, 9]), "no such encoding");
    stats.handle_sent(start, 0, 1000, 1030);
    let report = ReceptionReport { total_lost: 1, ..ReceptionReport::default() };
    stats.handle_reception_report(start, &clock, &report);
    assert_eq!(news(&mut stats, Some(7), &[9, 9]), score(0, 0, &[9, 9]));
}
