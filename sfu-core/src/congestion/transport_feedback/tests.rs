use std::collections::BTreeMap;

use proptest::prelude::*;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::SymbolSizeTypeTcc;
use rtc_shared::marshal::{Marshal, MarshalSize, Unmarshal};

use super::*;
use crate::test_support::{ms, origin};

fn poll(feedback: &mut TransportFeedback, now: Instant) -> Option<TransportLayerCc> {
    feedback.poll_feedback(now, Ssrc(1), Ssrc(2))
}

/// What a sender reads out of a message after it went over the wire: for each number, its arrival in ticks or `None`.
/// Written against the draft, on nothing of the encoder but the crate's parser.
fn decode(message: &TransportLayerCc) -> Vec<(u16, Option<i64>)> {
    let wire = message.marshal().unwrap();
    assert_eq!(wire.len(), message.marshal_size());
    let parsed = TransportLayerCc::unmarshal(&mut wire.clone()).unwrap();
    let mut symbols: Vec<SymbolTypeTcc> = Vec::new();
    for chunk in &parsed.packet_chunks {
        match chunk {
            PacketStatusChunk::RunLengthChunk(run) => {
                symbols.extend(std::iter::repeat_n(run.packet_status_symbol, usize::from(run.run_length)));
            }
            PacketStatusChunk::StatusVectorChunk(vector) => {
                let count = if vector.symbol_size == SymbolSizeTypeTcc::OneBit { 14 } else { 7 };
                assert_eq!(vector.symbol_list.len(), count);
                symbols.extend(&vector.symbol_list);
            }
        }
    }
    symbols.truncate(usize::from(parsed.packet_status_count));
    assert_eq!(symbols.len(), usize::from(parsed.packet_status_count));
    let mut deltas = parsed.recv_deltas.iter();
    let mut ticks = i64::from(parsed.reference_time) * 256;
    let statuses = symbols
        .iter()
        .enumerate()
        .map(|(i, symbol)| {
            let seq = parsed.base_sequence_number.wrapping_add(i as u16);
            let arrival = (*symbol != SymbolTypeTcc::PacketNotReceived).then(|| {
                ticks += deltas.next().unwrap().delta / 250;
                ticks
            });
            (seq, arrival)
        })
        .collect();
    assert!(deltas.next().is_none());
    statuses
}

#[test]
fn nothing_received_is_nothing_sent() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    assert_eq!(feedback.poll_timeout(), None);
    assert_eq!(poll(&mut feedback, now), None);
    feedback.handle_packet(now, 5);
    assert!(poll(&mut feedback, now + ms(50)).is_some());
    assert_eq!(poll(&mut feedback, now + ms(50)), None);
    assert_eq!(poll(&mut feedback, now + ms(1000)), None, "an empty message would be malformed");
    assert_eq!(feedback.poll_timeout(), None);
}

#[test]
fn feedback_waits_for_its_interval() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    feedback.handle_packet(now, 5);
    feedback.handle_packet(now + ms(10), 6);
    assert_eq!(feedback.poll_timeout(), Some(now + FEEDBACK_INTERVAL));
    assert_eq!(poll(&mut feedback, now + ms(49)), None);
    let message = poll(&mut feedback, now + ms(50)).unwrap();
    assert_eq!((message.sender_ssrc, message.media_ssrc, message.fb_pkt_count), (1, 2, 0));
    assert_eq!(decode(&message), [(5, Some(0)), (6, Some(40))]);
}

#[test]
fn losses_are_told_between_and_before_arrivals_but_not_after() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    feedback.handle_packet(now, 65534);
    assert_eq!(decode(&poll(&mut feedback, now + ms(50)).unwrap()), [(65534, Some(0))]);
    feedback.handle_packet(now + ms(50), 1);
    let statuses = decode(&poll(&mut feedback, now + ms(100)).unwrap());
    assert_eq!(statuses, [(65535, None), (0, None), (1, Some(200))], "losses between two messages must be told too");
}

#[test]
fn arrivals_out_of_order_have_negative_deltas() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    for (at, seq) in [(0, 1), (20, 3), (100, 2)] {
        feedback.handle_packet(now + ms(at), seq);
    }
    assert_eq!(decode(&poll(&mut feedback, now + ms(100)).unwrap()), [(1, Some(0)), (2, Some(400)), (3, Some(80))]);
}

#[test]
fn a_late_packet_takes_back_its_reported_loss() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    feedback.handle_packet(now, 1);
    feedback.handle_packet(now, 3);
    poll(&mut feedback, now + ms(50)).unwrap();
    poll(&mut feedback, now + ms(50));
    feedback.handle_packet(now + ms(60), 2);
    assert_eq!(decode(&poll(&mut feedback, now + ms(110)).unwrap()), [(2, Some(240)), (3, Some(0))]);
    assert_eq!(poll(&mut feedback, now + ms(110)), None);
}

#[test]
fn duplicates_and_what_is_older_than_the_history_are_ignored() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    feedback.handle_packet(now, 10);
    feedback.handle_packet(now + ms(20), 10);
    feedback.handle_packet(now, 9);
    assert_eq!(decode(&poll(&mut feedback, now + ms(50)).unwrap()), [(10, Some(0))]);
    feedback.handle_packet(now + ms(60), 12);
    while poll(&mut feedback, now + ms(700)).is_some() {}
    feedback.handle_packet(now + ms(701), 11);
    assert_eq!(feedback.poll_timeout(), None, "number 11 was noticed missing more than half a second ago");
}

#[test]
fn many_arrivals_do_not_wait() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    for seq in 0..FEEDBACK_PENDING_PACKETS as u16 - 1 {
        feedback.handle_packet(now, seq);
    }
    assert_eq!(poll(&mut feedback, now), None);
    feedback.handle_packet(now, FEEDBACK_PENDING_PACKETS as u16 - 1);
    assert_eq!(poll(&mut feedback, now).unwrap().packet_status_count, FEEDBACK_PENDING_PACKETS as u16);
}

#[test]
fn what_does_not_fit_one_message_goes_into_the_next() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    for seq in 0..2000_u16 {
        // Each second one lost, and a delta that needs two bytes.
        feedback.handle_packet(now + ms(u64::from(seq) * 70), seq * 2);
    }
    let at = now + ms(200_000);
    let mut statuses = Vec::new();
    let mut messages = 0;
    while let Some(message) = poll(&mut feedback, at) {
        assert!(message.marshal_size() <= MAX_FEEDBACK_BYTES + 3);
        assert_eq!(message.fb_pkt_count, messages);
        statuses.extend(decode(&message));
        messages += 1;
    }
    assert!(messages > 1);
    let expected: Vec<_> = (0..3999_u16).map(|seq| (seq, (seq % 2 == 0).then(|| i64::from(seq) * 140))).collect();
    assert_eq!(statuses, expected);
}

#[test]
fn a_pause_longer_than_a_delta_starts_a_message_of_its_own() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    feedback.handle_packet(now, 1);
    feedback.handle_packet(now + ms(8_300), 2);
    let at = now + ms(9_000);
    assert_eq!(decode(&poll(&mut feedback, at).unwrap()), [(1, Some(0))]);
    assert_eq!(decode(&poll(&mut feedback, at).unwrap()), [(2, Some(33_200))]);
}

#[test]
fn the_history_is_bounded_and_a_jump_beyond_it_starts_anew() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    for i in 0..20_000_u32 {
        feedback.handle_packet(now, i as u16);
    }
    assert_eq!(feedback.slots.len(), MAX_HISTORY_PACKETS);
    let mut told = Vec::new();
    while let Some(message) = poll(&mut feedback, now) {
        told.extend(decode(&message));
    }
    let expected: Vec<_> = (20_000 - MAX_HISTORY_PACKETS as u16..20_000).map(|seq| (seq, Some(0))).collect();
    assert_eq!(told, expected);
    feedback.handle_packet(now + ms(10), 20_000 + 10_000);
    assert_eq!(feedback.slots.len(), 1);
    assert_eq!(decode(&poll(&mut feedback, now + ms(60)).unwrap()), [(30_000, Some(40))]);
}

#[test]
fn what_is_reported_is_forgotten_in_time() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    for i in 0..2000_u16 {
        let at = now + ms(u64::from(i) * 10);
        feedback.handle_packet(at, i);
        while poll(&mut feedback, at).is_some() {}
    }
    assert!(feedback.slots.len() <= 60, "{} numbers kept, of which half a second is 50", feedback.slots.len());
}

#[test]
fn the_reference_time_and_the_message_count_wrap() {
    let now = origin();
    let mut feedback = TransportFeedback::default();
    feedback.handle_packet(now, 0);
    poll(&mut feedback, now + ms(50)).unwrap();
    for i in 1..=256_u16 {
        feedback.handle_packet(now + ms(100 * u64::from(i)), i);
        let message = poll(&mut feedback, now + ms(100 * u64::from(i) + 50)).unwrap();
        assert_eq!(message.fb_pkt_count, i as u8);
    }
    let wrapped = now + ms((1 << 24) * 64) + ms(64);
    feedback.handle_packet(wrapped, 257);
    let message = poll(&mut feedback, wrapped + ms(50)).unwrap();
    assert_eq!(message.reference_time, 1);
    message.marshal().unwrap();
}

proptest! {
    /// Whatever arrives in whatever order: the sender reads exactly the arrivals, and a loss for every other number
    /// between them.
    #[test]
    fn a_sender_reads_exactly_what_arrived(
        start_seq in any::<u16>(),
        packets in prop::collection::vec((0_u8..10, 0_u64..90_000, 0_u64..40_000), 1..800),
    ) {
        let start = origin();
        // Fate 0: lost. Gaps of up to 90 ms between sends (one in five), and up to 40 ms more on the way.
        let mut sent_us = 0;
        let mut arrivals: Vec<(u64, u16)> = Vec::new();
        for (i, (fate, gap_us, late_us)) in packets.iter().enumerate() {
            sent_us += if fate % 5 == 1 { *gap_us } else { 300 };
            if i == 0 {
                arrivals.push((0, start_seq));
            } else if *fate != 0 {
                let late_us = if *fate == 2 { *late_us } else { 0 };
                arrivals.push((sent_us + late_us, start_seq.wrapping_add(i as u16)));
            }
        }
        arrivals.sort_by_key(|(at, _)| *at);
        let mut feedback = TransportFeedback::default();
        let mut told: BTreeMap<u16, Option<i64>> = BTreeMap::new();
        let mut read = |feedback: &mut TransportFeedback, now: Instant| {
            while let Some(message) = poll(feedback, now) {
                assert!(message.marshal_size() <= MAX_FEEDBACK_BYTES + 3);
                for (seq, arrival) in decode(&message) {
                    told.insert(seq.wrapping_sub(start_seq), arrival);
                }
            }
        };
        let mut newest = 0;
        for (at, seq) in &arrivals {
            let now = start + Duration::from_micros(*at);
            if feedback.poll_timeout().is_some_and(|due| due <= now) {
                read(&mut feedback, now);
            }
            feedback.handle_packet(now, *seq);
            newest = newest.max(seq.wrapping_sub(start_seq));
        }
        read(&mut feedback, start + Duration::from_secs(3600));
        let arrived: BTreeMap<u16, i64> =
            arrivals.iter().map(|(at, seq)| (seq.wrapping_sub(start_seq), (*at / 250) as i64)).collect();
        let expected: BTreeMap<u16, Option<i64>> = (0..=newest).map(|seq| (seq, arrived.get(&seq).copied())).collect();
        prop_assert_eq!(told, expected);
    }
}
