use super::*;
use crate::rtcp::ntp::NtpTime;
use crate::test_support::{ms, origin};

const RTT: Duration = Duration::from_millis(50);

fn sent(source_extended: u64) -> Sent {
    // Unlike in every field, so that none is lost or exchanged.
    let seed = source_extended as u16;
    Sent {
        source_extended,
        timestamp: u32::from(seed) << 16 | 9,
        generation: seed as u8 ^ 1,
        abs_send_time: AbsSendTime::from_ntp(NtpTime(source_extended << 20)),
        wide_sequence: seed ^ 0xff00,
        marker: !seed.is_multiple_of(2),
        numbers: (!seed.is_multiple_of(3)).then_some((seed ^ 0x5555, seed as u8 ^ 0x77)),
    }
}

#[test]
fn an_outgoing_number_leads_back_to_its_source_across_the_wrap() {
    let now = origin();
    let mut history = SendHistory::new(8);
    for i in 0..6_u16 {
        history.record(now, 65533_u16.wrapping_add(i), sent(1000 + u64::from(i)));
    }
    assert_eq!(history.lookup_for_nack(now, 65533, RTT), Ok(sent(1000)));
    assert_eq!(history.lookup_for_nack(now, 2, RTT), Ok(sent(1005)));
}

#[test]
fn unknown_numbers_are_refused() {
    let now = origin();
    let mut history = SendHistory::new(8);
    assert_eq!(history.lookup_for_nack(now, 0, RTT), Err(ResendRefusal::Unknown));
    for i in 0..20_u16 {
        history.record(now, i, sent(u64::from(i)));
    }
    for (sequence, known) in [(11, false), (12, true), (19, true), (20, false), (65535, false)] {
        assert_eq!(history.lookup_for_nack(now, sequence, RTT).is_ok(), known, "{sequence}");
    }
}

#[test]
fn numbers_that_were_skipped_are_unknown() {
    let now = origin();
    let mut history = SendHistory::new(8);
    history.record(now, 0, sent(0));
    history.record(now, 2, sent(2));
    assert_eq!(history.lookup_for_nack(now, 1, RTT), Err(ResendRefusal::Unknown));
}

#[test]
fn a_packet_is_sent_again_once_a_round_trip() {
    let now = origin();
    let mut history = SendHistory::new(8);
    history.record(now, 7, sent(7));
    let outcomes: Vec<bool> =
        [10, 20, 59, 60, 100, 110].iter().map(|&at| history.lookup_for_nack(now + ms(at), 7, RTT).is_ok()).collect();
    assert_eq!(outcomes, [true, false, false, true, false, true]);
}

/// Harm prevented: what was lost on its way to us is missed by everybody, who get it as soon as it comes, and then once more for
/// the NACK that they had sent by then.
#[test]
fn what_was_asked_for_before_it_could_be_sent_is_not_sent_twice() {
    let now = origin();
    let mut history = SendHistory::new(8);
    history.record(now, 6, sent(6));
    history.record(now, 8, sent(8));
    history.record(now + ms(40), 7, sent(7));
    assert_eq!(history.lookup_for_nack(now + ms(89), 7, RTT), Err(ResendRefusal::InFlight));
    assert!(
        history.lookup_for_nack(now + ms(49), 6, RTT).is_ok(),
        "the peer may know better how long the round trip is"
    );
    assert!(history.lookup_for_nack(now + ms(90), 7, RTT).is_ok());
}

#[test]
fn crossing_nacks_are_one_wish_even_without_a_round_trip() {
    let now = origin();
    let mut history = SendHistory::new(8);
    history.record(now, 7, sent(7));
    assert!(history.lookup_for_nack(now, 7, Duration::ZERO).is_ok());
    assert_eq!(history.lookup_for_nack(now + ms(9), 7, Duration::ZERO), Err(ResendRefusal::InFlight));
    assert!(history.lookup_for_nack(now + ms(10), 7, Duration::ZERO).is_ok());
}

#[test]
fn a_greedy_peer_gets_a_packet_only_so_often() {
    let now = origin();
    let mut history = SendHistory::new(8);
    history.record(now, 7, sent(7));
    let outcomes: Vec<_> = (1..=12).map(|i| history.lookup_for_nack(now + ms(i * 60), 7, RTT)).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), usize::from(MAX_RESENDS));
    assert_eq!(outcomes.last(), Some(&Err(ResendRefusal::TooOften)));
}

#[test]
fn a_slots_next_packet_does_not_inherit_the_last_ones_resends() {
    let now = origin();
    let mut history = SendHistory::new(8);
    history.record(now, 7, sent(7));
    assert!(history.lookup_for_nack(now, 7, RTT).is_ok());
    history.record(now, 15, sent(15));
    assert_eq!(history.lookup_for_nack(now, 15, RTT), Ok(sent(15)));
}

#[test]
fn an_old_packet_is_refused() {
    let now = origin();
    let mut history = SendHistory::new(8);
    history.record(now, 7, sent(7));
    assert!(history.lookup_for_nack(now + MAX_STORED_AGE, 7, RTT).is_ok());
    assert_eq!(history.lookup_for_nack(now + MAX_STORED_AGE + ms(1), 7, RTT), Err(ResendRefusal::TooOld));
}

#[test]
fn memory_is_small_grows_with_use_and_stops_at_the_capacity() {
    assert!(size_of::<Entry>() <= 24 && size_of::<Stamps>() <= 8);
    let now = origin();
    let mut history = SendHistory::new(VIDEO_HISTORY_PACKETS);
    history.record(now, 40_000, sent(1));
    assert_eq!(history.entries.len(), 1);
    for sequence in 0..=u16::MAX {
        history.record(now, sequence.wrapping_add(40_001), sent(1));
    }
    assert_eq!(history.entries.len(), VIDEO_HISTORY_PACKETS);
}

/// Harm prevented: a stream of a hundred packets a second is given the memory of one of five hundred.
#[test]
fn there_is_room_for_what_was_sent_in_the_time_that_packets_are_kept_and_no_more() {
    let mut history = SendHistory::new(VIDEO_HISTORY_PACKETS);
    let at = |number: u64| origin() + ms(number * 10);
    for number in 0..5_000_u64 {
        history.record(at(number), number as u16, sent(number));
        let oldest = number.saturating_sub(200);
        assert_eq!(history.latest(at(number), (number - oldest) as u16), Some((oldest as u16, sent(oldest))));
    }
    assert!(history.entries.len() <= 256, "{}", history.entries.len());
    // Ten times as fast from now on: as much as there may be.
    for number in 5_000..8_000_u64 {
        history.record(at(5_000) + ms(number - 5_000), number as u16, sent(number));
    }
    assert_eq!(history.entries.len(), VIDEO_HISTORY_PACKETS);
    assert_eq!(history.latest(at(5_000) + ms(2_999), 1_000), Some((6_999, sent(6_999))));
}

#[test]
fn what_was_stamped_is_forgotten_where_nobody_will_need_it() {
    let mut history = SendHistory::without_stamps(8);
    history.record(origin(), 7, sent(7));
    let known = history.lookup_for_nack(origin(), 7, RTT).unwrap();
    assert_eq!(known, Sent { abs_send_time: AbsSendTime::default(), wide_sequence: 0, ..sent(7) });
    assert_eq!(history.stamps.capacity(), 0);
}

/// Harm prevented: in a stream of months no lost packet would be found any more.
#[test]
fn numbers_beyond_half_of_their_range_lead_back_to_their_source() {
    let mut history = SendHistory::new(8);
    let end = (1_u64 << 32) + 3;
    for number in end - 6..end {
        history.record(origin(), number as u16, sent(number));
    }
    for number in end - 6..end {
        assert_eq!(history.lookup_for_nack(origin(), number as u16, RTT), Ok(sent(number)));
    }
}

#[test]
fn resends_are_counted_by_packet() {
    let now = origin();
    let mut history = SendHistory::new(8);
    history.record(now, 5, sent(1));
    history.record(now, 6, sent(2));
    for resends in 0..3 {
        assert_eq!(history.resends(5), resends);
        history.lookup_for_nack(now + RTT * u32::from(resends), 5, RTT).unwrap();
    }
    assert_eq!((history.resends(6), history.resends(7)), (0, 0));
    history.record(now, 13, sent(3));
    assert_eq!((history.resends(5), history.resends(13)), (0, 0), "another took its place");
}
