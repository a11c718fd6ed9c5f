use rtc_rtcp::header::PacketType::{
    PayloadSpecificFeedback as Pli, ReceiverReport as Rr, SenderReport as Sr, SourceDescription as Sdes,
};
use rtc_rtcp::header::{Header, PacketType};
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc_shared::marshal::Unmarshal;

use super::*;

fn builder(reduced_size: bool) -> CompoundBuilder {
    CompoundBuilder::new(Ssrc(1), Cname::new("us").unwrap(), reduced_size)
}

fn sender_report(ssrc: u32) -> SenderReport {
    SenderReport { ssrc, ..SenderReport::default() }
}

fn block(ssrc: u32) -> ReceptionReport {
    ReceptionReport { ssrc, ..ReceptionReport::default() }
}

fn pli(media_ssrc: u32) -> PictureLossIndication {
    PictureLossIndication { sender_ssrc: 1, media_ssrc }
}

/// The packets of all datagrams, each parsed by the crate.
fn datagrams(builder: &mut CompoundBuilder) -> Vec<Vec<Box<dyn Packet>>> {
    let mut buf = [0; 1500];
    let mut datagrams = Vec::new();
    while let Some(len) = builder.poll_datagram(&mut buf).unwrap() {
        assert!(len <= MAX_RTCP_DATAGRAM_BYTES);
        datagrams.push(rtc_rtcp::packet::unmarshal(&mut &buf[..len]).unwrap());
        assert!(datagrams.len() < 1000, "the queue does not drain");
    }
    datagrams
}

fn types(packets: &[Box<dyn Packet>]) -> Vec<PacketType> {
    packets.iter().map(|packet| packet.header().packet_type).collect()
}

#[test]
fn datagrams_have_the_order_that_the_rfc_asks_for() {
    type Fill = fn(&mut CompoundBuilder);
    let cases: &[(&str, bool, Fill, &[PacketType])] = &[
        ("feedback alone", false, |b| b.push_feedback(pli(2)).unwrap(), &[Rr, Sdes, Pli]),
        ("feedback alone, reduced size", true, |b| b.push_feedback(pli(2)).unwrap(), &[Pli]),
        ("blocks alone", true, |b| b.push_reception_report(block(2)).unwrap(), &[Rr, Sdes]),
        (
            "all, whatever order they were queued in",
            true,
            |b| {
                b.push_feedback(pli(2)).unwrap();
                b.push_reception_report(block(2)).unwrap();
                b.push_sender_report(sender_report(3), Cname::new("them").unwrap()).unwrap();
            },
            &[Sr, Rr, Sdes, Pli],
        ),
        (
            "a sender report is head enough",
            false,
            |b| {
                b.push_sender_report(sender_report(3), Cname::new("them").unwrap()).unwrap();
                b.push_feedback(pli(2)).unwrap();
            },
            &[Sr, Sdes, Pli],
        ),
    ];
    for (name, reduced_size, fill, expected) in cases {
        let mut builder = builder(*reduced_size);
        fill(&mut builder);
        let datagrams = datagrams(&mut builder);
        assert_eq!(datagrams.len(), 1, "{name}");
        assert_eq!(types(&datagrams[0]), *expected, "{name}");
        assert!(builder.is_empty());
    }
}

#[test]
fn every_reporting_source_is_named() {
    let mut builder = builder(true);
    builder.push_sender_report(sender_report(3), Cname::new("them").unwrap()).unwrap();
    builder.push_reception_report(block(9)).unwrap();
    let datagrams = datagrams(&mut builder);
    let sdes = datagrams[0].iter().find_map(|packet| packet.as_any().downcast_ref::<SourceDescription>()).unwrap();
    let names: Vec<(u32, &[u8])> = sdes.chunks.iter().map(|chunk| (chunk.source, &chunk.items[0].text[..])).collect();
    assert_eq!(names, [(3, &b"them"[..]), (1, &b"us"[..])], "without a name the receiver cannot pair audio and video");
}

#[test]
fn what_does_not_fit_one_datagram_goes_into_more_and_nothing_is_lost() {
    let mut builder = builder(false);
    for ssrc in 0..100 {
        builder.push_sender_report(sender_report(1000 + ssrc), Cname::new(&"n".repeat(255)).unwrap()).unwrap();
        builder.push_reception_report(block(2000 + ssrc)).unwrap();
        builder.push_feedback(pli(3000 + ssrc)).unwrap();
    }
    let datagrams = datagrams(&mut builder);
    for packets in &datagrams {
        assert!(matches!(types(packets)[0], Sr | Rr), "{:?}", types(packets));
        let sdes = packets.iter().filter(|packet| packet.header().packet_type == Sdes).count();
        assert_eq!(sdes, 1);
    }
    let mut seen: Vec<u32> = datagrams
        .iter()
        .flatten()
        .filter(|packet| packet.header().packet_type != Sdes)
        .flat_map(|packet| packet.destination_ssrc())
        .collect();
    seen.sort_unstable();
    let expected: Vec<u32> = (1000..1100).chain(2000..2100).chain(3000..3100).collect();
    assert_eq!(seen, expected);
}

#[test]
fn many_short_reports_stay_within_the_five_bit_counts() {
    let mut builder = builder(true);
    for ssrc in 0..80 {
        builder.push_sender_report(sender_report(ssrc), Cname::new("").unwrap()).unwrap();
        builder.push_reception_report(block(ssrc)).unwrap();
    }
    let reports: usize = datagrams(&mut builder)
        .iter()
        .flatten()
        .filter_map(|packet| packet.as_any().downcast_ref::<ReceiverReport>())
        .map(|report| report.reports.len())
        .sum();
    assert_eq!(reports, 80);
}

#[test]
fn the_largest_nack_fits_and_a_larger_packet_is_refused() {
    let mut builder = builder(false);
    let nack = |pairs| TransportLayerNack { sender_ssrc: 1, media_ssrc: 2, nacks: vec![NackPair::new(1); pairs] };
    builder.push_feedback(nack(crate::producer::nack::MAX_PAIRS_PER_NACK)).unwrap();
    assert_eq!(builder.push_feedback(nack(300)), Err(OutgoingError::TooLarge { bytes: 1212 }));
    assert_eq!(datagrams(&mut builder).len(), 1);
}

#[test]
fn limits_are_refusals() {
    assert_eq!(Cname::new(&"n".repeat(256)), Err(OutgoingError::CnameTooLong { bytes: 256 }));
    let mut builder = builder(true);
    for _ in 0..MAX_QUEUED {
        builder.push_feedback(pli(1)).unwrap();
    }
    assert_eq!(builder.push_feedback(pli(1)), Err(OutgoingError::QueueFull));
    assert_eq!(builder.poll_datagram(&mut [0; 100]), Err(OutgoingError::BufferTooSmall { bytes: 100 }));
    assert!(!builder.is_empty(), "a buffer that is too small must not cost the queue");
}

#[test]
fn lengths_are_true_to_the_bytes() {
    let mut builder = builder(false);
    builder.push_reception_report(block(2)).unwrap();
    builder.push_feedback(pli(2)).unwrap();
    let mut buf = [0; 1500];
    let len = builder.poll_datagram(&mut buf).unwrap().unwrap();
    let mut rest = &buf[..len];
    while !rest.is_empty() {
        let header = Header::unmarshal(&mut &rest[..4]).unwrap();
        rest = &rest[4 + usize::from(header.length) * 4..];
    }
}
