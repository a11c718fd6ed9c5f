use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtc_rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc};
use rtc_shared::marshal::{Marshal, Unmarshal};

use super::*;
use crate::congestion::transport_feedback::TransportFeedback;
use crate::ids::Ssrc;
use crate::test_support::{ms, mutate, origin};

/// The bytes of an RTCP header.
const HEADER: usize = 4;

fn told(message: &TransportCc<&[u8]>) -> Vec<(u16, Arrival)> {
    let mut told = Vec::new();
    message.for_each(|offset, arrival| told.push((offset, arrival)));
    told
}

/// The same of a message as `rtc-rtcp` has read it.
fn told_by_rtc(message: &TransportLayerCc) -> Vec<(u16, Arrival)> {
    let symbols = message.packet_chunks.iter().flat_map(|chunk| match chunk {
        PacketStatusChunk::RunLengthChunk(run) => vec![run.packet_status_symbol; usize::from(run.run_length)],
        PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.clone(),
    });
    let mut times = message.recv_deltas.iter();
    (0..message.packet_status_count)
        .zip(symbols)
        .map(|(offset, symbol)| {
            let arrival = match symbol {
                SymbolTypeTcc::PacketNotReceived => Arrival::Missing,
                SymbolTypeTcc::PacketReceivedWithoutDelta => Arrival::Untimed,
                _ => Arrival::After(times.next().unwrap().delta),
            };
            (offset, arrival)
        })
        .collect()
}

/// Messages of an honest receiver behind a path that loses, reorders and halts.
fn honest_messages(rng: &mut StdRng) -> Vec<Vec<u8>> {
    let mut receiver = TransportFeedback::default();
    let (mut messages, mut now) = (Vec::new(), origin());
    for packet in 0..3_000_u16 {
        now += ms(if rng.random_ratio(1, 50) { 90 } else { rng.random_range(0..8) });
        if rng.random_ratio(4, 5) {
            receiver.handle_packet(now, packet.wrapping_sub(rng.random_range(0..3)));
        }
        while let Some(feedback) = receiver.poll_feedback(now, Ssrc(1), Ssrc(2)) {
            messages.push(feedback.marshal().unwrap().to_vec());
        }
    }
    messages
}

/// Harm prevented: the estimate is made of other packets and times than those that the receiver told of.
#[test]
fn honest_messages_say_what_another_reader_reads() {
    let mut rng = StdRng::seed_from_u64(0x7cc);
    let messages = honest_messages(&mut rng);
    assert!(messages.len() > 100, "an honest receiver sends feedback");
    for bytes in messages {
        let ours = TransportCc::read(&bytes[HEADER..]).unwrap();
        let theirs = TransportLayerCc::unmarshal(&mut bytes.as_slice()).unwrap();
        assert!(ours.is_whole());
        assert_eq!(ours.base_sequence_number(), theirs.base_sequence_number);
        assert_eq!((ours.status_count(), ours.reference_time()), (theirs.packet_status_count, theirs.reference_time));
        assert_eq!(told(&ours), told_by_rtc(&theirs));
    }
}

/// Every kind of chunk and status, as `rtc-rtcp` never writes but others do.
#[test]
fn whatever_another_reader_takes_says_the_same_here() {
    let mut rng = StdRng::seed_from_u64(0xc4a05);
    let messages = honest_messages(&mut rng);
    let (mut taken, mut cut) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = messages[round % messages.len()].clone();
        mutate(&mut rng, &mut bytes);
        let Ok(theirs) = TransportLayerCc::unmarshal(&mut bytes.as_slice()) else { continue };
        let end = 4 * (1 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]])));
        let ours = TransportCc::read(&bytes[HEADER..end]).unwrap();
        if !ours.is_whole() {
            // It takes the one byte that is left for a time of two.
            cut += 1;
            continue;
        }
        assert_eq!(told(&ours), told_by_rtc(&theirs), "{bytes:?}");
        taken += 1;
    }
    assert!(taken > 1_000 && cut < taken / 10, "{taken}, {cut}");
}

/// Harm prevented: padding is read as times, or statuses that nobody sent are.
#[test]
fn a_message_that_ends_too_early_is_not_whole_and_is_read_as_far_as_it_goes() {
    // Three packets: received, missing, received with a time of two bytes.
    let whole = [0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0, 3, 0, 0, 5, 0, 0b1101_0010, 0, 4, 0xff, 0xff];
    let (first, second) = ((0, Arrival::After(1000)), (1, Arrival::Missing));
    let read = TransportCc::read(&whole[..]).unwrap();
    assert_eq!((read.base_sequence_number(), read.reference_time(), read.is_whole()), (7, 5, true));
    assert_eq!(told(&read), [first, second, (2, Arrival::After(-250))]);
    for (len, expected) in [(20, &[first, second][..]), (19, &[first, second]), (18, &[]), (17, &[]), (16, &[])] {
        let read = TransportCc::read(&whole[..len]).unwrap();
        assert_eq!((read.is_whole(), &told(&read)[..]), (false, expected), "{len}");
    }
    assert_eq!(TransportCc::read(&whole[..15]), None);
}
