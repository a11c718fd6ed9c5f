//! The bodies of the fuzz targets. They are compiled in every build, so that a change to a parser cannot leave them
//! behind, and the tests replay a corpus through them; the fuzzer's own crate only calls them.
//!
//! Each takes any bytes and panics when an invariant is broken: that is a bug of ours, whatever the bytes.

use super::codecs::{Codec, FrameInfo, FrameReader, PictureNumbers};
use super::demux::PacketKind;
use super::extensions::{AbsSendTime, ExtensionIds, ExtensionKind};
use super::header::{FIXED_HEADER_LEN, RtpHeader};
use super::layers::Layers;
use super::rtx::{unwrap_rtx, write_rtx_packet};
use super::writer::{ExtensionPlan, HEADER_LEN_MAX, HeaderRewrite, SourcePacket, write_packet};
use crate::ids::{PayloadType, Ssrc};
use crate::rtcp::ntp::NtpTime;

/// A fuzz target: its name, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 10] = [
    ("rtp_header", fuzz_rtp_header),
    ("rtp_extensions", fuzz_rtp_extensions),
    ("rtp_forward", fuzz_rtp_forward),
    ("rtx", fuzz_rtx),
    ("vp8", fuzz_vp8),
    ("vp9", fuzz_vp9),
    ("h264", fuzz_h264),
    ("av1", fuzz_av1),
    ("dependency_descriptors", fuzz_dependency_descriptors),
    ("red", super::red::fuzz_red),
];

/// `data` is a datagram: header and payload lie inside it, and what is RTP is classified as such.
pub fn fuzz_rtp_header(data: &[u8]) {
    let Ok(header) = RtpHeader::parse(data) else { return };
    assert!(matches!(PacketKind::of(data), PacketKind::Rtp | PacketKind::Rtcp | PacketKind::Unknown));
    assert!(header.header_len >= FIXED_HEADER_LEN && header.header_len <= data.len());
    assert!(header.payload_type.0 < 128 && header.csrc_count < 16);
    if let Some(block) = header.extension {
        assert!(block.start >= FIXED_HEADER_LEN + 4 && block.len % 4 == 0);
        assert_eq!(block.start + block.len, header.header_len);
    }
    if let Ok(payload) = header.payload_range(data) {
        assert!(payload.start == header.header_len && payload.start <= payload.end);
        assert_eq!(payload.end == data.len(), !header.has_padding);
    }
}

/// `data` is a datagram: every value lies inside the extension block and has a length that its kind may have.
pub fn fuzz_rtp_extensions(data: &[u8]) {
    let Ok(header) = RtpHeader::parse(data) else { return };
    let values = every_kind(1).parse(data, &header);
    for kind in ExtensionKind::ALL {
        let Some(range) = values.range(kind) else {
            assert!(values.bytes(kind, data).is_none());
            continue;
        };
        let Some(block) = header.extension else { panic!("a value without a block") };
        assert!(range.start > block.start && range.end <= block.start + block.len);
        assert!((1..=255).contains(&range.len()));
    }
    assert_eq!(values.transport_cc.is_some(), values.range(ExtensionKind::TransportCc).is_some());
    assert_eq!(values.audio_level.is_some(), values.range(ExtensionKind::AudioLevel).is_some());
    assert!(values.abs_send_time.is_none_or(|time| time.as_raw() < 1 << 24));
}

/// `data` is a publisher's packet: what a consumer gets of it is well-formed and carries the same values.
pub fn fuzz_rtp_forward(data: &[u8]) {
    let Ok(header) = RtpHeader::parse(data) else { return };
    let Ok(range) = header.payload_range(data) else { return };
    let extensions = every_kind(1).parse(data, &header);
    let source = SourcePacket { packet: data, extensions: &extensions, payload: &data[range] };
    // Targets whose ids fit one-byte elements, and targets whose ids do not.
    for first_id in [1, u8::MAX - 20] {
        let ids = every_kind(first_id);
        let plan = ExtensionPlan::new(&ids, Some("mid")).expect("the MID is short");
        let padding = data[0];
        let mut out = vec![0xff; HEADER_LEN_MAX + source.payload.len() + usize::from(padding)];
        let written =
            write_packet(&mut out, &rewrite(), &plan, &source, padding).expect("there is room for the longest header");
        written.stamps.stamp_abs_send_time(&mut out, AbsSendTime::from_ntp(NtpTime(u64::MAX)));
        written.stamps.stamp_transport_cc(&mut out, 0x1234);

        let out = &out[..written.len];
        let view = RtpHeader::parse(out).expect("we wrote a header");
        assert_eq!((view.ssrc, view.sequence_number, view.header_len), (Ssrc(1), 3, written.header_len));
        assert_eq!(&out[view.payload_range(out).expect("the padding is whole")], source.payload);
        let copy = ids.parse(out, &view);
        assert_eq!(copy.bytes(ExtensionKind::Mid, out), Some(&b"mid"[..]));
        assert_eq!(copy.transport_cc, Some(0x1234));
        assert_eq!(copy.abs_send_time, Some(AbsSendTime::from_ntp(NtpTime(u64::MAX))));
        assert_eq!((copy.audio_level, copy.video_orientation), (extensions.audio_level, extensions.video_orientation));
        let descriptor = ExtensionKind::DependencyDescriptor;
        assert_eq!(copy.bytes(descriptor, out), extensions.bytes(descriptor, data));
        assert!(copy.range(ExtensionKind::Rid).is_none() && copy.range(ExtensionKind::RepairedRid).is_none());
    }
}

/// `data` is a retransmission: what is unwrapped lies inside it, and survives being wrapped again.
pub fn fuzz_rtx(data: &[u8]) {
    let Ok(header) = RtpHeader::parse(data) else { return };
    let Ok(Some(rtx)) = unwrap_rtx(data, &header) else { return };
    let extensions = every_kind(1).parse(data, &header);
    let source = SourcePacket { packet: data, extensions: &extensions, payload: &data[rtx.payload] };
    let plan = ExtensionPlan::new(&every_kind(1), Some("mid")).expect("the MID is short");
    let mut out = vec![0xff; HEADER_LEN_MAX + 2 + source.payload.len()];
    let written = write_rtx_packet(&mut out, &rewrite(), &plan, &source, rtx.original_sequence_number)
        .expect("there is room for the longest header");
    let out = &out[..written.len];
    let view = RtpHeader::parse(out).expect("we wrote a header");
    let again = unwrap_rtx(out, &view).expect("the padding is whole").expect("we wrote a sequence number");
    assert_eq!(again.original_sequence_number, rtx.original_sequence_number);
    assert_eq!(&out[again.payload], source.payload);
}

/// `data` is a payload of VP8.
pub fn fuzz_vp8(data: &[u8]) {
    fuzz_video(Codec::Vp8, data);
}

/// `data` is a payload of VP9.
pub fn fuzz_vp9(data: &[u8]) {
    fuzz_video(Codec::Vp9, data);
}

/// `data` is a payload of H.264.
pub fn fuzz_h264(data: &[u8]) {
    fuzz_video(Codec::H264, data);
}

/// `data` is a payload of AV1; and again a dependency descriptor, preceded by its length in one byte, with a payload.
pub fn fuzz_av1(data: &[u8]) {
    fuzz_video(Codec::Av1, data);
    let Some((&len, rest)) = data.split_first() else { return };
    if let Some((descriptor, payload)) = rest.split_at_checked(usize::from(len)) {
        check_frame(FrameReader::default().read(Codec::Av1, payload, Some(descriptor), false), payload);
    }
}

/// `data` is the dependency descriptors of one stream's packets, each preceded by its length in one byte.
pub fn fuzz_dependency_descriptors(data: &[u8]) {
    for codec in [Codec::Av1, Codec::H264] {
        let mut frames = FrameReader::default();
        let mut rest = data;
        while let Some((&len, after)) = rest.split_first() {
            let (descriptor, after) = after.split_at(usize::from(len).min(after.len()));
            // A slice that starts a picture, or an OBU that is a packet's first.
            let payload = [0x41, 0x80];
            let info = frames.read(codec, &payload, Some(descriptor), false);
            check_frame(info, &payload);
            let starts = descriptor.len() >= 3 && descriptor[0] & 0x80 != 0;
            assert!(codec != Codec::Av1 || info.starts_frame == starts);
            assert!(info.layers == Layers::MAX || info.layers.spatial < 4);
            rest = after;
        }
    }
}

fn fuzz_video(codec: Codec, payload: &[u8]) {
    for marker in [false, true] {
        let info = FrameReader::default().read(codec, payload, None, marker);
        check_frame(info, payload);
        check_numbers(codec, payload, marker, info);
    }
}

/// The packet that a decoder can start or switch with starts a frame, and has bytes; no layer is beyond those that are counted.
fn check_frame(info: FrameInfo, payload: &[u8]) {
    assert!(!info.key_frame || info.spatial_switch && info.temporal_switch);
    assert!(!(info.spatial_switch || info.temporal_switch) || info.starts_frame);
    assert!(!info.starts_frame || !payload.is_empty());
    assert_eq!(info.layers.min(Layers::MAX), info.layers);
    assert!(info.layers.temporal > 0 || info.temporal_switch == info.starts_frame);
}

/// The numbers lie inside the payload, and other numbers in their place change nothing else.
fn check_numbers(codec: Codec, payload: &[u8], marker: bool, info: FrameInfo) {
    let Some(numbers) = info.numbers else { return };
    let at = usize::from(numbers.picture_id_at);
    let mut places = if numbers.is_long { at..at + 2 } else { at..at + 1 }.collect::<Vec<_>>();
    places.extend(numbers.tl0_picture_index.map(|(_, at)| usize::from(at)));
    assert!(places.iter().all(|&place| place < payload.len()));

    let (picture_id, index) = (!numbers.picture_id, !numbers.tl0_picture_index.map_or(0, |(index, _)| index));
    let mut copy = payload.to_vec();
    numbers.write(&mut copy, picture_id, index);
    let unchanged = |place: usize| places.contains(&place) || payload.get(place) == copy.get(place);
    assert!((0..payload.len()).all(unchanged));
    let picture_id = picture_id & if numbers.is_long { 0x7fff } else { 0x7f };
    let tl0_picture_index = numbers.tl0_picture_index.map(|(_, at)| (index, at));
    let written = PictureNumbers { picture_id, tl0_picture_index, ..numbers };
    let again = FrameReader::default().read(codec, &copy, None, marker);
    assert_eq!(again, FrameInfo { numbers: Some(written), ..info });
}

/// All kinds, under ids from `first_id` on.
fn every_kind(first_id: u8) -> ExtensionIds {
    let mut ids = ExtensionIds::new();
    for (kind, id) in ExtensionKind::ALL.into_iter().zip(first_id..) {
        ids.set(kind, id).expect("neither 0 nor 15");
    }
    ids
}

fn rewrite() -> HeaderRewrite {
    HeaderRewrite { ssrc: Ssrc(1), payload_type: PayloadType(2), sequence_number: 3, timestamp: 4, marker: true }
}
