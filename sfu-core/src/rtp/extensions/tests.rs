use super::*;

fn ids() -> ExtensionIds {
    let mut ids = ExtensionIds::new();
    for (index, kind) in ExtensionKind::ALL.into_iter().enumerate() {
        ids.set(kind, index as u8 + 1).unwrap();
    }
    ids
}

/// A packet whose extension block has `profile` and the `elements`, padded with zeros to a multiple of 4.
fn packet(profile: u16, elements: &[u8]) -> Vec<u8> {
    let words = elements.len().div_ceil(4);
    let mut packet = vec![0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    packet.extend(profile.to_be_bytes());
    packet.extend((words as u16).to_be_bytes());
    packet.extend(elements);
    packet.resize(16 + words * 4, 0);
    packet
}

fn parse(ids: &ExtensionIds, packet: &[u8]) -> ExtensionValues {
    ids.parse(packet, &RtpHeader::parse(packet).unwrap())
}

/// The kinds read, with their bytes.
fn read(profile: u16, elements: &[u8]) -> Vec<(ExtensionKind, Vec<u8>)> {
    let packet = packet(profile, elements);
    let values = parse(&ids(), &packet);
    ExtensionKind::ALL.into_iter().filter_map(|kind| Some((kind, values.bytes(kind, &packet)?.to_vec()))).collect()
}

#[test]
fn the_list_of_kinds_is_in_the_order_of_the_discriminants() {
    for (index, kind) in ExtensionKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, index);
    }
}

#[test]
fn one_byte_elements_are_read_with_padding_between_them() {
    let elements = [0x12, b'a', b'b', b'c', 0, 0, 0x42, 0x12, 0x34, 0x56, 0x51, 0xab, 0xcd, 0x60, 0x9e, 0x70, 0x0d];
    let packet = packet(ONE_BYTE_PROFILE, &elements);
    let values = parse(&ids(), &packet);
    assert_eq!(values.bytes(ExtensionKind::Mid, &packet), Some(&b"abc"[..]));
    assert_eq!(values.abs_send_time.unwrap().as_raw(), 0x12_3456);
    assert_eq!(values.transport_cc, Some(0xabcd));
    assert_eq!(values.audio_level, Some(AudioLevel { voice: true, minus_dbov: 30 }));
    let orientation = VideoOrientation { back_camera: true, flip: true, rotation_degrees: 90 };
    assert_eq!(values.video_orientation, Some(orientation));
    assert_eq!(values.range(ExtensionKind::Rid), None);
}

#[test]
fn two_byte_elements_are_read_whatever_the_application_bits() {
    let descriptor = [7; 95];
    let elements = [&[11, 95][..], &descriptor, &[0, 0, 2, 1, b'h', 0, 6, 1, 0x7f]].concat();
    for profile in [0x1000, 0x100f] {
        let read = read(profile, &elements);
        let expected = [
            (ExtensionKind::Rid, b"h".to_vec()),
            (ExtensionKind::AudioLevel, vec![0x7f]),
            (ExtensionKind::DependencyDescriptor, descriptor.to_vec()),
        ];
        assert_eq!(read, expected);
    }
}

#[test]
fn two_byte_elements_reach_ids_above_14() {
    let mut ids = ExtensionIds::new();
    ids.set(ExtensionKind::Rid, 255).unwrap();
    let packet = packet(TWO_BYTE_PROFILE, &[15, 1, 1, 255, 2, b'h', b'i']);
    assert_eq!(parse(&ids, &packet).bytes(ExtensionKind::Rid, &packet), Some(&b"hi"[..]));
}

/// RFC 8285 section 4.2: the id 15 and an id 0 with a length end the block.
#[test]
fn what_follows_id_15_or_a_long_id_0_is_ignored() {
    for stop in [0xf0, 0xf2, 0x01, 0x03] {
        // As long as the stop claims, so that reading on would find the level.
        let value = vec![0x99; usize::from(stop & 0x0f) + 1];
        let read = read(ONE_BYTE_PROFILE, &[&[0x10, b'a', stop], &value[..], &[0x60, 1]].concat());
        assert_eq!(read, [(ExtensionKind::Mid, b"a".to_vec())], "stopped by {stop:#x}");
    }
}

#[test]
fn a_truncated_element_ends_the_reading_and_spares_what_came_before() {
    let mid = (ExtensionKind::Mid, b"a".to_vec());
    assert_eq!(read(ONE_BYTE_PROFILE, &[0x10, b'a', 0x42, 0]), std::slice::from_ref(&mid));
    assert_eq!(read(TWO_BYTE_PROFILE, &[1, 1, b'a', 11]), std::slice::from_ref(&mid));
    assert_eq!(read(TWO_BYTE_PROFILE, &[1, 1, b'a', 11, 255, 1, 2, 3]), [mid]);
}

#[test]
fn another_profile_is_no_extension_block() {
    for profile in [0, 0xbedf, 0x1010, 0x2000] {
        assert_eq!(read(profile, &[0x10, b'a', 0, 0]), []);
    }
}

/// A level of three bytes, forwarded, would be a malformed extension with our name on it.
#[test]
fn a_value_of_the_wrong_length_is_skipped_and_the_rest_is_read() {
    let elements = [0x62, 1, 2, 3, 0x50, 1, 0x40, 9, 0xb1, 1, 2, 0x10, b'a'];
    assert_eq!(read(ONE_BYTE_PROFILE, &elements), [(ExtensionKind::Mid, b"a".to_vec())]);
    assert_eq!(read(TWO_BYTE_PROFILE, &[1, 0, 2, 1, b'h']), [(ExtensionKind::Rid, b"h".to_vec())]);
}

#[test]
fn of_two_elements_of_a_kind_the_first_counts() {
    assert_eq!(read(ONE_BYTE_PROFILE, &[0x10, b'a', 0x10, b'b']), [(ExtensionKind::Mid, b"a".to_vec())]);
}

#[test]
fn unknown_ids_are_stepped_over() {
    assert_eq!(read(ONE_BYTE_PROFILE, &[0xe1, 1, 2, 0x10, b'a']), [(ExtensionKind::Mid, b"a".to_vec())]);
}

#[test]
fn a_kind_has_one_id_and_an_id_one_kind() {
    let mut ids = ExtensionIds::new();
    ids.set(ExtensionKind::Mid, 1).unwrap();
    ids.set(ExtensionKind::Mid, 2).unwrap();
    ids.set(ExtensionKind::Rid, 2).unwrap();
    ids.set(ExtensionKind::Rid, 2).unwrap();
    assert_eq!(ids.get(ExtensionKind::Mid), None);
    assert_eq!(ids.get(ExtensionKind::Rid), Some(2));
    let packet = packet(ONE_BYTE_PROFILE, &[0x10, b'a', 0x20, b'b']);
    let values = parse(&ids, &packet);
    assert_eq!(values.range(ExtensionKind::Mid), None);
    assert_eq!(values.bytes(ExtensionKind::Rid, &packet), Some(&b"b"[..]));
}

#[test]
fn reserved_ids_are_refused() {
    for id in [0, 15] {
        assert_eq!(ExtensionIds::new().set(ExtensionKind::Mid, id), Err(ReservedExtensionId(id)));
    }
}

#[test]
fn absolute_send_time_is_6_18_fixed_point_and_wraps_at_64_s() {
    for (seconds, fraction, raw) in [
        (1, 1 << 31, 3 << 17),
        (63, u32::MAX, 0x00ff_ffff),
        (64, 0, 0),
        // The lower six bits of the seconds, then the upper eighteen of their fraction.
        (0x1122_3344, 0x5566_7788, ((0x44 & 0x3f) << 18) | (0x5566_7788 >> 14)),
    ] {
        let time = AbsSendTime::from_ntp(NtpTime(seconds << 32 | u64::from(fraction)));
        assert_eq!(time.as_raw(), raw, "{seconds} s and {fraction:#x}");
        assert_eq!([&[0][..], &time.to_bytes()].concat(), raw.to_be_bytes());
    }
}

#[test]
fn a_kind_that_is_unset_is_neither_read_nor_written() {
    let mut ids = ids();
    let id = ids.get(ExtensionKind::AudioLevel).unwrap();
    ids.unset(ExtensionKind::AudioLevel);
    ids.unset(ExtensionKind::AudioLevel);
    assert_eq!(ids.get(ExtensionKind::AudioLevel), None);
    assert_eq!(parse(&ids, &packet(ONE_BYTE_PROFILE, &[id << 4, 7])).range(ExtensionKind::AudioLevel), None);
    ids.set(ExtensionKind::PlayoutDelay, id).unwrap();
    assert_eq!(ids.get(ExtensionKind::PlayoutDelay), Some(id));
}
