use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use super::*;

fn packet(is_key_frame: bool) -> RtpTrace {
    RtpTrace {
        payload_type: 96,
        sequence_number: 1,
        timestamp: 2,
        marker: true,
        ssrc: Ssrc(3),
        is_key_frame,
        size: 4,
        payload_size: 5,
        spatial_layer: 6,
        temporal_layer: 7,
        mid: Some("0".to_owned()),
        rid: None,
        wide_sequence_number: Some(8),
    }
}

fn event(info: TraceInfo) -> TraceEvent {
    TraceEvent { timestamp: 9, direction: TraceDirection::In, info }
}

/// Harm prevented: a listener made for mediasoup reads nothing.
#[test]
fn events_are_written_as_mediasoup_writes_them() {
    let ssrc = Ssrc(3);
    let sr = TraceInfo::Sr { ssrc, ntp_sec: 1, ntp_frac: 2, rtp_ts: 4, packet_count: 5, octet_count: 6 };
    let bwe = BweTrace { desired_bitrate: 1, min_bitrate: 2, max_bitrate: 3, start_bitrate: 4, available_bitrate: 5 };
    let rtp_packet = json!({
        "payloadType": 96, "sequenceNumber": 1, "timestamp": 2, "marker": true, "ssrc": 3, "isKeyFrame": true,
        "size": 4, "payloadSize": 5, "spatialLayer": 6, "temporalLayer": 7, "mid": "0", "wideSequenceNumber": 8
    });
    let cases = [
        (
            TraceInfo::Keyframe { rtp_packet: packet(true), is_rtx: false },
            "keyframe",
            json!({"rtpPacket": rtp_packet, "isRtx": false}),
        ),
        (TraceInfo::Nack { ssrc, packets: 2 }, "nack", json!({"ssrc": 3, "packets": 2})),
        (TraceInfo::Pli { ssrc }, "pli", json!({"ssrc": 3})),
        (TraceInfo::Fir { ssrc }, "fir", json!({"ssrc": 3})),
        (sr, "sr", json!({"ssrc": 3, "ntpSec": 1, "ntpFrac": 2, "rtpTs": 4, "packetCount": 5, "octetCount": 6})),
        (TraceInfo::Probation { target_bitrate: 7 }, "probation", json!({"targetBitrate": 7})),
        (
            TraceInfo::Bwe(bwe),
            "bwe",
            json!({
                "desiredBitrate": 1, "minBitrate": 2, "maxBitrate": 3, "startBitrate": 4, "availableBitrate": 5
            }),
        ),
    ];
    for (info, name, expected) in cases {
        let value = serde_json::to_value(event(info)).unwrap();
        assert_eq!(value, json!({"type": name, "info": expected, "timestamp": 9, "direction": "in"}));
    }
}

fn traced(router: RouterId, traces: Traces) -> Traced {
    let target = TraceTarget::Producer(ProducerId::random(&mut StdRng::seed_from_u64(2)));
    Traced { router, target, traces }
}

/// Harm prevented: one type that was asked for brings another, a thousand times a second.
#[test]
fn only_what_was_asked_for_is_told() {
    use StreamTraceType::{Fir, Keyframe, Nack, Pli, Rtp, Sr};
    let ssrc = Ssrc(1);
    let bwe = BweTrace { desired_bitrate: 1, min_bitrate: 1, max_bitrate: 1, start_bitrate: 1, available_bitrate: 1 };
    let infos = [
        TraceInfo::Rtp { rtp_packet: packet(false), is_rtx: false },
        TraceInfo::Keyframe { rtp_packet: packet(true), is_rtx: false },
        TraceInfo::Nack { ssrc, packets: 1 },
        TraceInfo::Pli { ssrc },
        TraceInfo::Fir { ssrc },
        TraceInfo::sender_report(ssrc, NtpTime(0), 0, 0, 0),
        TraceInfo::Probation { target_bitrate: 1 },
        TraceInfo::Bwe(bwe),
    ];
    let sets = [Rtp, Keyframe, Nack, Pli, Fir, Sr].map(|kind| Traces::of_stream(&[kind]));
    let transport = [TransportTraceType::Probation, TransportTraceType::Bwe];
    let sets = sets.into_iter().chain(transport.map(|kind| Traces::of_transport(&[kind])));
    let router = RouterId::random(&mut StdRng::seed_from_u64(1));
    for (asked, set) in sets.enumerate() {
        assert_eq!(set.wants_packets(), asked < 2);
        for (happened, info) in infos.iter().enumerate() {
            let mut queue = TraceQueue::default();
            queue.tell(traced(router, set), NtpTime(0), TraceDirection::In, info.clone());
            assert_eq!(queue.is_empty(), asked != happened, "{info:?} where {asked} was asked for");
        }
    }
    let names = serde_json::to_value([Rtp, Keyframe, Nack, Pli, Fir, Sr]).unwrap();
    assert_eq!(names, json!(["rtp", "keyframe", "nack", "pli", "fir", "sr"]));
}

#[test]
fn a_packet_is_told_once_and_as_a_key_frame_only_where_that_was_asked_for() {
    use StreamTraceType::{Keyframe, Rtp};
    let router = RouterId::random(&mut StdRng::seed_from_u64(1));
    let told = |types: &[StreamTraceType], is_key_frame| {
        let traces = Traces::of_stream(types);
        let mut queue = TraceQueue::default();
        let info = traces.packet(packet(is_key_frame), false);
        queue.tell(traced(router, traces), NtpTime(0), TraceDirection::In, info);
        let event = queue.pop().map(|(_, event)| event);
        assert!(queue.is_empty());
        match event {
            Some(RouterEvent::Trace { event, .. }) => match event.info {
                TraceInfo::Keyframe { .. } => "keyframe",
                _ => "rtp",
            },
            _ => "nothing",
        }
    };
    let cases: [(&[StreamTraceType], &str, &str); 3] =
        [(&[Keyframe], "keyframe", "nothing"), (&[Rtp], "rtp", "rtp"), (&[Keyframe, Rtp], "keyframe", "rtp")];
    for (types, key, other) in cases {
        assert_eq!((told(types, true), told(types, false)), (key, other), "{types:?}");
    }
}

/// Harm prevented: who traces a busy room loses it, for its events are not read fast enough.
#[test]
fn at_the_limit_traces_are_dropped_and_counted() {
    let mut rng = StdRng::seed_from_u64(1);
    let (router, other) = (RouterId::random(&mut rng), RouterId::random(&mut rng));
    let traces = Traces::of_stream(&[StreamTraceType::Pli]);
    let pli = TraceInfo::Pli { ssrc: Ssrc(1) };
    let mut queue = TraceQueue::default();
    for _ in 0..MAX_TRACES_WAITING + 3 {
        queue.tell(traced(router, traces), NtpTime(0), TraceDirection::In, pli.clone());
    }
    assert_eq!(queue.dropped(), 3);
    assert!(matches!(queue.pop(), Some((of, RouterEvent::Trace { .. })) if of == router));
    queue.tell(traced(other, traces), NtpTime(0), TraceDirection::In, pli);
    assert_eq!(queue.dropped(), 3, "there is room again");
    queue.forget_router(router);
    assert!(matches!(queue.pop(), Some((of, _)) if of == other));
    assert!(queue.is_empty());
}
