use std::fs;
use std::path::Path;

use bytes::Bytes;
use rtc_rtcp::Packet;
use rtc_rtcp::source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem};
use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, SymbolTypeTcc, TransportLayerCc,
};
use rtc_rtcp::transport_feedbacks::transport_layer_nack::NackPair;

use super::*;

fn read(datagram: &[u8]) -> (Vec<RtcpEvent<'_>>, Result<(), RtcpViolation>) {
    let mut events = Vec::new();
    let result = read_datagram(datagram, |event| events.push(event));
    (events, result)
}

fn wire(packets: &[&dyn Packet]) -> Vec<u8> {
    let packets: Vec<Box<dyn Packet>> = packets.iter().map(|packet| packet.cloned()).collect();
    rtc_rtcp::packet::marshal(&packets).unwrap().to_vec()
}

fn block(ssrc: u32) -> ReceptionReport {
    ReceptionReport { ssrc, fraction_lost: 9, ..ReceptionReport::default() }
}

fn sender_report() -> SenderReport {
    SenderReport { ssrc: 1, ntp_time: 0x1234, rtp_time: 99, reports: vec![block(10)], ..SenderReport::default() }
}

fn receiver_report(blocks: u32) -> ReceiverReport {
    ReceiverReport { ssrc: 1, reports: (0..blocks).map(block).collect(), ..ReceiverReport::default() }
}

fn sdes() -> SourceDescription {
    let item = SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: Bytes::from_static(b"name") };
    SourceDescription { chunks: vec![SourceDescriptionChunk { source: 1, items: vec![item] }] }
}

fn nack(pairs: usize) -> TransportLayerNack {
    let nacks = (0..pairs).map(|i| NackPair { packet_id: i as u16 * 17, lost_packets: 0xffff }).collect();
    TransportLayerNack { sender_ssrc: 1, media_ssrc: 10, nacks }
}

fn pli() -> PictureLossIndication {
    PictureLossIndication { sender_ssrc: 1, media_ssrc: 10 }
}

fn fir() -> FullIntraRequest {
    let fir = vec![FirEntry { ssrc: 10, sequence_number: 3 }, FirEntry { ssrc: 11, sequence_number: 4 }];
    FullIntraRequest { sender_ssrc: 1, media_ssrc: 0, fir }
}

fn remb() -> ReceiverEstimatedMaximumBitrate {
    ReceiverEstimatedMaximumBitrate { sender_ssrc: 1, bitrate: 1_500_000.0, ssrcs: vec![10, 11] }
}

fn feedback() -> TransportLayerCc {
    let symbol = SymbolTypeTcc::PacketReceivedSmallDelta;
    TransportLayerCc {
        sender_ssrc: 1,
        media_ssrc: 10,
        base_sequence_number: 7,
        packet_status_count: 2,
        reference_time: 5,
        fb_pkt_count: 1,
        packet_chunks: vec![PacketStatusChunk::RunLengthChunk(RunLengthChunk {
            packet_status_symbol: symbol,
            run_length: 2,
            ..RunLengthChunk::default()
        })],
        recv_deltas: vec![RecvDelta { type_tcc_packet: symbol, delta: 250 }; 2],
    }
}

/// Feedback as it lies in a datagram of nothing else.
fn told(datagram: &[u8]) -> RtcpEvent<'_> {
    let feedback = TransportCc::read(&datagram[4..]).unwrap();
    assert!(feedback.is_whole());
    RtcpEvent::TransportFeedback(feedback)
}

fn bye() -> Goodbye {
    Goodbye { sources: vec![1, 2], reason: Bytes::from_static(b"over") }
}

const XR: [u8; 20] = [0x80, 207, 0, 4, 0, 0, 0, 1, 4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
const APP: [u8; 12] = [0x80, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e'];

#[test]
fn each_type_becomes_what_the_transport_needs() {
    let transport_feedback = wire(&[&feedback()]);
    let cases: Vec<(&str, Vec<u8>, Vec<RtcpEvent<'_>>)> = vec![
        (
            "sender report",
            wire(&[&SenderReport { packet_count: 7, octet_count: 8, ..sender_report() }]),
            vec![
                RtcpEvent::SenderReport {
                    ssrc: Ssrc(1),
                    ntp: NtpTime(0x1234),
                    rtp_timestamp: 99,
                    packet_count: 7,
                    octet_count: 8,
                },
                RtcpEvent::ReceptionReport(block(10)),
            ],
        ),
        (
            "receiver report",
            wire(&[&receiver_report(2)]),
            vec![RtcpEvent::ReceptionReport(block(0)), RtcpEvent::ReceptionReport(block(1))],
        ),
        ("empty receiver report", wire(&[&receiver_report(0)]), vec![]),
        ("SDES, XR and APP", [wire(&[&sdes()]), XR.to_vec(), APP.to_vec()].concat(), vec![]),
        ("NACK", wire(&[&nack(1)]), vec![RtcpEvent::Nack { media_ssrc: Ssrc(10), sequences: (0..17).collect() }]),
        ("PLI", wire(&[&pli()]), vec![RtcpEvent::Pli { media_ssrc: Ssrc(10) }]),
        (
            "FIR",
            wire(&[&fir()]),
            vec![
                RtcpEvent::Fir { media_ssrc: Ssrc(10), sequence: 3 },
                RtcpEvent::Fir { media_ssrc: Ssrc(11), sequence: 4 },
            ],
        ),
        ("REMB", wire(&[&remb()]), vec![RtcpEvent::Remb { bitrate_bps: 1_500_000, ssrcs: vec![Ssrc(10), Ssrc(11)] }]),
        ("transport-wide feedback", transport_feedback.clone(), vec![told(&transport_feedback)]),
        ("BYE", wire(&[&bye()]), vec![RtcpEvent::Bye { ssrcs: vec![Ssrc(1), Ssrc(2)] }]),
        (
            "compound",
            wire(&[&receiver_report(0), &sdes(), &pli(), &bye()]),
            vec![RtcpEvent::Pli { media_ssrc: Ssrc(10) }, RtcpEvent::Bye { ssrcs: vec![Ssrc(1), Ssrc(2)] }],
        ),
    ];
    for (name, datagram, expected) in cases {
        assert_eq!(read(&datagram), (expected, Ok(())), "{name}");
    }
}

#[test]
fn a_broken_packet_does_not_silence_its_neighbours() {
    let mut broken = wire(&[&receiver_report(1)]);
    broken[0] = 0x82; // Two blocks claimed, one there.
    let datagram = [wire(&[&pli()]), broken, wire(&[&bye()])].concat();
    let (events, result) = read(&datagram);
    assert_eq!(events.len(), 2);
    assert_eq!(result, Err(RtcpViolation::BadBody { packet_type: PacketType::ReceiverReport }));
}

#[test]
fn what_cannot_be_delimited_ends_the_datagram() {
    let pli = wire(&[&pli()]);
    let cases: Vec<(&str, Vec<u8>, RtcpViolation)> = vec![
        ("nothing", vec![], RtcpViolation::BadHeader),
        ("cut header", [&pli[..], &[0x80, 200]].concat(), RtcpViolation::BadHeader),
        ("version 1", [&pli[..], &[0x40, 200, 0, 0]].concat(), RtcpViolation::BadHeader),
        ("longer than the datagram", [&pli[..], &[0x80, 200, 0xff, 0xff]].concat(), RtcpViolation::BadLength),
    ];
    for (name, datagram, violation) in cases {
        let (events, result) = read(&datagram);
        assert_eq!(result, Err(violation), "{name}");
        assert_eq!(events.len(), usize::from(!datagram.is_empty()), "{name}: what came before stands");
    }
}

#[test]
fn padding_is_never_taken_for_content() {
    let mut padded = wire(&[&nack(1)]);
    padded[0] |= 0x20;
    padded[3] += 1;
    padded.extend_from_slice(&[0, 0, 0, 4]);
    let (events, result) = read(&padded);
    assert_eq!(events, [RtcpEvent::Nack { media_ssrc: Ssrc(10), sequences: (0..17).collect() }]);
    assert_eq!(result, Ok(()));

    for (name, last) in [("none", 0), ("longer than the packet", 20)] {
        let mut datagram = [&padded[..], &wire(&[&pli()])].concat();
        datagram[padded.len() - 1] = last;
        let (events, result) = read(&datagram);
        assert_eq!(result, Err(RtcpViolation::BadPadding), "{name}");
        assert_eq!(events, [RtcpEvent::Pli { media_ssrc: Ssrc(10) }], "{name}");
    }
}

#[test]
fn alignment_passes_for_padding_in_the_middle_of_a_compound() {
    let mut unaligned = feedback();
    unaligned.packet_status_count = 1;
    unaligned.recv_deltas.truncate(1);
    unaligned.packet_chunks = vec![PacketStatusChunk::RunLengthChunk(RunLengthChunk {
        packet_status_symbol: SymbolTypeTcc::PacketReceivedSmallDelta,
        run_length: 1,
        ..RunLengthChunk::default()
    })];
    let datagram = wire(&[&unaligned, &pli()]);
    assert_ne!(datagram[0] & 0x20, 0, "the case needs padding");
    let (events, result) = read(&datagram);
    assert_eq!(events, [told(&datagram[..24]), RtcpEvent::Pli { media_ssrc: Ssrc(10) }]);
    assert_eq!(result, Ok(()));
}

#[test]
fn a_datagrams_packets_are_limited() {
    let datagram = wire(&[&pli()]).repeat(MAX_PACKETS_PER_DATAGRAM);
    assert_eq!(read(&datagram).1, Ok(()));
    let one_more = [datagram, wire(&[&pli()])].concat();
    let (events, result) = read(&one_more);
    assert_eq!((events.len(), result), (MAX_PACKETS_PER_DATAGRAM, Err(RtcpViolation::TooManyPackets)));
}

#[test]
fn a_datagrams_nacks_are_limited_over_all_its_packets() {
    let datagram = wire(&[&nack(50), &nack(50), &pli()]);
    let (events, result) = read(&datagram);
    let counts: Vec<usize> = events
        .iter()
        .filter_map(|event| if let RtcpEvent::Nack { sequences, .. } = event { Some(sequences.len()) } else { None })
        .collect();
    assert_eq!(counts, [850, MAX_NACKED_PER_DATAGRAM - 850]);
    assert_eq!((events.len(), result), (3, Ok(())));
}

#[test]
fn feedback_that_claims_more_than_it_can_is_refused_unparsed() {
    let mut datagram = wire(&[&feedback()]);
    datagram[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    assert_eq!(read(&datagram).1, Err(RtcpViolation::OversizedFeedback { statuses: u16::MAX }));
}

/// Harm prevented: packets that were lost with the message's end are taken as received, or as lost.
#[test]
fn feedback_that_is_cut_short_is_refused() {
    let mut datagram = wire(&[&feedback()]);
    datagram[14..16].copy_from_slice(&8_u16.to_be_bytes());
    assert_eq!(read(&datagram).1, Err(RtcpViolation::BadBody { packet_type: PacketType::TransportSpecificFeedback }));
}

#[test]
fn a_remb_of_zero_means_zero_and_one_beyond_all_bounds_saturates() {
    let mut datagram = wire(&[&remb()]);
    for (field, bitrate_bps) in [([0x14, 0, 0], 0), ([0x04, 0, 5], 10), ([0xff, 0xff, 0xff], u64::MAX)] {
        datagram[17..20].copy_from_slice(&field);
        let (events, _) = read(&datagram);
        assert_eq!(events, [RtcpEvent::Remb { bitrate_bps, ssrcs: vec![Ssrc(10), Ssrc(11)] }]);
    }
}

#[test]
fn another_applications_feedback_is_not_taken_for_remb() {
    let mut datagram = wire(&[&remb()]);
    datagram[12] = b'X';
    assert_eq!(read(&datagram), (vec![], Ok(())));
}

#[test]
fn the_corpus_holds_each_type() {
    let corpus: Vec<(&str, Vec<u8>)> = vec![
        ("sender_report", wire(&[&sender_report(), &sdes()])),
        ("receiver_report", wire(&[&receiver_report(31), &sdes()])),
        ("nack", wire(&[&nack(30)])),
        ("pli", wire(&[&pli()])),
        ("fir", wire(&[&fir()])),
        ("remb", wire(&[&remb()])),
        ("transport_feedback", wire(&[&feedback()])),
        ("bye", wire(&[&bye()])),
        ("xr_and_app", [XR.to_vec(), APP.to_vec()].concat()),
        ("compound", wire(&[&receiver_report(1), &sdes(), &nack(2), &pli(), &fir(), &remb(), &feedback(), &bye()])),
        ("empty", vec![]),
        ("far_length", vec![0x80, 200, 0xff, 0xff]),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/rtcp");
    for (name, expected) in corpus {
        let kept = fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(kept, expected, "{name}");
    }
}
