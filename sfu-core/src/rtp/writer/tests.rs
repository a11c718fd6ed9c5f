use rtc_shared::marshal::Unmarshal;

use super::*;
use crate::rtcp::ntp::NtpTime;
use crate::rtp::header::RtpHeader;

const REWRITE: HeaderRewrite = HeaderRewrite {
    ssrc: Ssrc(0xdead_beef),
    payload_type: PayloadType(101),
    sequence_number: 0x1234,
    timestamp: 0xffff_fff0,
    marker: true,
};

const PAYLOAD: [u8; 5] = [1, 2, 3, 4, 5];

fn ids(ids: &[(ExtensionKind, u8)]) -> ExtensionIds {
    let mut all = ExtensionIds::new();
    for &(kind, id) in ids {
        all.set(kind, id).unwrap();
    }
    all
}

/// Kinds under the ids that the publisher uses.
fn publisher() -> ExtensionIds {
    let mut all = ExtensionIds::new();
    for (index, kind) in ExtensionKind::ALL.into_iter().enumerate() {
        all.set(kind, 14 - index as u8).unwrap();
    }
    all
}

/// A publisher's packet with a CSRC, padding and the `extensions` as two-byte elements.
fn source_packet(extensions: &[(ExtensionKind, &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (kind, value) in extensions {
        block.extend([publisher().get(*kind).unwrap(), value.len() as u8]);
        block.extend(*value);
    }
    block.resize(block.len().next_multiple_of(4), 0);
    let mut packet = vec![0xb1, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0x10, 0, 0, (block.len() / 4) as u8];
    packet.extend(block);
    packet.extend(PAYLOAD);
    packet.extend([0, 0, 0, 4]);
    packet
}

fn write(plan: &ExtensionPlan, packet: &[u8]) -> (Vec<u8>, WrittenPacket) {
    let header = RtpHeader::parse(packet).unwrap();
    let extensions = publisher().parse(packet, &header);
    let payload = &packet[header.payload_range(packet).unwrap()];
    let mut out = vec![0xff; 2_000];
    let written =
        write_packet(&mut out, &REWRITE, plan, &SourcePacket { packet, extensions: &extensions, payload }, 0).unwrap();
    out.truncate(written.len);
    (out, written)
}

fn independent(packet: &[u8]) -> rtc_rtp::packet::Packet {
    rtc_rtp::packet::Packet::unmarshal(&mut &packet[..]).unwrap()
}

#[test]
fn an_independent_parser_reads_what_was_written() {
    let target = ids(&[
        (ExtensionKind::Mid, 1),
        (ExtensionKind::Rid, 2),
        (ExtensionKind::AbsSendTime, 4),
        (ExtensionKind::TransportCc, 5),
        (ExtensionKind::AudioLevel, 10),
        (ExtensionKind::DependencyDescriptor, 8),
    ]);
    let plan = ExtensionPlan::new(&target, Some("7")).unwrap();
    let packet = source_packet(&[
        (ExtensionKind::Mid, b"publisher"),
        (ExtensionKind::Rid, b"h"),
        (ExtensionKind::AbsSendTime, &[9, 9, 9]),
        (ExtensionKind::AudioLevel, &[0x85]),
        (ExtensionKind::PlayoutDelay, &[1, 1, 1]),
        (ExtensionKind::DependencyDescriptor, &[0xc0, 0, 1]),
    ]);
    let (mut out, written) = write(&plan, &packet);
    written.stamps.stamp_abs_send_time(&mut out, AbsSendTime::from_ntp(NtpTime(0x12_3456 << 14)));
    written.stamps.stamp_transport_cc(&mut out, 0xabcd);

    let read = independent(&out);
    assert_eq!(read.header.extension_profile, ONE_BYTE_PROFILE);
    assert!(read.header.marker && !read.header.padding && read.header.csrc.is_empty());
    assert_eq!((read.header.ssrc, read.header.payload_type), (0xdead_beef, 101));
    assert_eq!((read.header.sequence_number, read.header.timestamp), (0x1234, 0xffff_fff0));
    assert_eq!(read.payload[..], PAYLOAD);
    let extensions: Vec<_> = read.header.extensions.iter().map(|e| (e.id, e.payload.to_vec())).collect();
    let expected = [
        (1, b"7".to_vec()),
        (4, vec![0x12, 0x34, 0x56]),
        (5, vec![0xab, 0xcd]),
        (10, vec![0x85]),
        (8, vec![0xc0, 0, 1]),
    ];
    assert_eq!(extensions, expected, "neither the RID nor what was not negotiated is passed on");
}

/// The dependency descriptor of an AV1 key frame does not fit a one-byte element, and is what makes SVC decode.
#[test]
fn a_long_descriptor_makes_the_block_two_byte() {
    let target = ids(&[
        (ExtensionKind::Mid, 1),
        (ExtensionKind::AbsSendTime, 4),
        (ExtensionKind::TransportCc, 5),
        (ExtensionKind::DependencyDescriptor, 8),
    ]);
    let plan = ExtensionPlan::new(&target, Some("12")).unwrap();
    for len in [16, 17, 95, 255] {
        let descriptor: Vec<u8> = (1..=len).collect();
        let (mut out, written) = write(&plan, &source_packet(&[(ExtensionKind::DependencyDescriptor, &descriptor)]));
        written.stamps.stamp_transport_cc(&mut out, 0xabcd);
        let read = independent(&out);
        let profile = if len <= 16 { ONE_BYTE_PROFILE } else { TWO_BYTE_PROFILE };
        assert_eq!(read.header.extension_profile, profile, "{len} bytes");
        assert_eq!(read.header.get_extension(1).unwrap()[..], *b"12");
        assert_eq!(read.header.get_extension(5).unwrap()[..], [0xab, 0xcd]);
        assert_eq!(read.header.get_extension(8).unwrap()[..], descriptor);
        assert_eq!(read.payload[..], PAYLOAD);
    }
}

#[test]
fn an_id_above_14_makes_the_block_two_byte() {
    let plan = ExtensionPlan::new(&ids(&[(ExtensionKind::Mid, 200)]), Some("m")).unwrap();
    let read = independent(&write(&plan, &source_packet(&[])).0);
    assert_eq!(read.header.extension_profile, TWO_BYTE_PROFILE);
    assert_eq!(read.header.get_extension(200).unwrap()[..], *b"m");
}

/// Packets of unequal length cannot be joined into one send.
#[test]
fn the_block_keeps_its_length_when_orientation_comes_and_goes() {
    let target = ids(&[
        (ExtensionKind::Mid, 1),
        (ExtensionKind::AbsSendTime, 4),
        (ExtensionKind::TransportCc, 5),
        (ExtensionKind::VideoOrientation, 11),
    ]);
    for mid in ["0", "10", "100", "1000", "10000"] {
        let plan = ExtensionPlan::new(&target, Some(mid)).unwrap();
        let (_, with) = write(&plan, &source_packet(&[(ExtensionKind::VideoOrientation, &[1])]));
        let (_, without) = write(&plan, &source_packet(&[]));
        assert_eq!(with, without);
    }
}

#[test]
fn without_extensions_there_is_no_block() {
    let none = ExtensionPlan::new(&ids(&[(ExtensionKind::Mid, 1)]), None).unwrap();
    let (out, written) = write(&none, &source_packet(&[(ExtensionKind::AudioLevel, &[1])]));
    assert_eq!(written, WrittenPacket { header_len: 12, payload_start: 12, len: 17, stamps: StampOffsets::default() });
    assert!(!independent(&out).header.extension);
}

/// A plan whose only kinds are absent from this packet must not leave a block that counts no element.
#[test]
fn a_kind_absent_from_the_packet_leaves_no_element() {
    let plan = ExtensionPlan::new(&ids(&[(ExtensionKind::PlayoutDelay, 3)]), None).unwrap();
    assert_eq!(write(&plan, &source_packet(&[])).1.header_len, 12);
}

#[test]
fn the_longest_header_has_the_stated_length() {
    let mut target = ExtensionIds::new();
    for (index, kind) in ExtensionKind::ALL.into_iter().enumerate() {
        target.set(kind, 100 + index as u8).unwrap();
    }
    let plan = ExtensionPlan::new(&target, Some("0123456789abcdef")).unwrap();
    let longest = source_packet(&[
        (ExtensionKind::AudioLevel, &[1]),
        (ExtensionKind::VideoOrientation, &[1]),
        (ExtensionKind::TransmissionOffset, &[1; 3]),
        (ExtensionKind::AbsCaptureTime, &[1; 16]),
        (ExtensionKind::PlayoutDelay, &[1; 3]),
        (ExtensionKind::DependencyDescriptor, &[1; 255]),
    ]);
    assert_eq!(write(&plan, &longest).1.header_len, HEADER_LEN_MAX);
}

#[test]
fn a_slab_too_short_is_an_error_and_a_short_header_leaves_it_unchanged() {
    let plan = ExtensionPlan::new(&ids(&[(ExtensionKind::Mid, 1)]), Some("m")).unwrap();
    let source = SourcePacket { packet: &[], extensions: &ExtensionValues::default(), payload: &PAYLOAD };
    let needed = 12 + 4 + 4 + PAYLOAD.len();
    let mut out = [0xff; 64];
    for available in 0..needed {
        let result = write_packet(&mut out[..available], &REWRITE, &plan, &source, 0);
        let reported = if available < 20 { 20 } else { needed };
        assert_eq!(result, Err(WriteError::BufferTooSmall { needed: reported, available }));
        assert!(available >= 20 || out == [0xff; 64]);
    }
    assert_eq!(write_packet(&mut out[..needed], &REWRITE, &plan, &source, 0).unwrap().len, needed);
}

#[test]
fn a_mid_is_1_to_16_bytes() {
    let target = ids(&[(ExtensionKind::Mid, 1)]);
    for len in [0, 17, 300] {
        assert_eq!(ExtensionPlan::new(&target, Some(&"m".repeat(len))), Err(PlanError::MidLength { len }));
    }
    assert!(ExtensionPlan::new(&target, Some(&"m".repeat(16))).is_ok());
}

#[test]
fn stamping_a_packet_cut_short_does_nothing() {
    let stamps = StampOffsets { abs_send_time: Some(2), transport_cc: Some(9) };
    let mut packet = [0; 4];
    stamps.stamp_abs_send_time(&mut packet, AbsSendTime::from_ntp(NtpTime(u64::MAX)));
    stamps.stamp_transport_cc(&mut packet, 0xffff);
    assert_eq!(packet, [0; 4]);
}
