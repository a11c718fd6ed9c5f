use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::limits::{MAX_CODECS, MAX_ENCODINGS, MAX_HEADER_EXTENSIONS, MAX_STREAM_NAME_BYTES};
use super::*;
use crate::parameters::{DtlsParameters, HeaderExtensionUri, RtpCapabilities, RtpParameters};

fn router() -> RtpCapabilities {
    router_rtp_capabilities(&default_media_codecs()).unwrap()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(3)
}

/// VP8 with RTX as a browser sends it, with `changes` laid over it.
fn vp8(changes: Value) -> RtpParameters {
    let mut value = json!({
        "mid": "0",
        "codecs": [
            {"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000},
            {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000, "parameters": {"apt": 96}},
        ],
        "headerExtensions": [{"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4}],
        "encodings": [{"ssrc": 1111, "rtx": {"ssrc": 2222}}],
        "rtcp": {"cname": "x"},
    });
    for (name, change) in changes.as_object().unwrap() {
        value[name] = change.clone();
    }
    serde_json::from_value(value).unwrap()
}

fn mapped(mut parameters: RtpParameters) -> Result<RtpMapping, NegotiationError> {
    producer_rtp_parameters_mapping(&mut parameters, &router(), &mut rng())
}

fn consumable(mut parameters: RtpParameters) -> RtpParameters {
    validate_rtp_parameters(&mut parameters).unwrap();
    let mapping = producer_rtp_parameters_mapping(&mut parameters, &router(), &mut rng()).unwrap();
    consumable_rtp_parameters(MediaKind::Video, &parameters, &router(), &mapping).unwrap()
}

fn codec(mime_type: &str, payload_type: u8, parameters: Value) -> Value {
    json!({"mimeType": mime_type, "payloadType": payload_type, "clockRate": 90000, "parameters": parameters})
}

#[test]
fn parameters_that_cannot_work_are_refused_by_name() {
    let vp8_codec = codec("video/VP8", 96, json!({}));
    let long = "x".repeat(MAX_STREAM_NAME_BYTES + 1);
    let extension = |id: u32| json!({"uri": format!("urn:x:{id}"), "id": id});
    let table = [
        (json!({"mid": long}), "mid is 17 bytes long"),
        (json!({"msid": "x".repeat(256)}), "msid is 256 bytes long"),
        (json!({"rtcp": {"cname": "x".repeat(256)}}), "rtcp.cname is 256 bytes long"),
        (json!({"codecs": []}), "codecs has no media codec"),
        (json!({"codecs": [codec("video/rtx", 97, json!({"apt": 96}))]}), "codecs has no media codec"),
        (json!({"codecs": [vp8_codec, vp8_codec]}), "codecs[1].payloadType repeats payload type 96"),
        (json!({"codecs": [codec("video/VP8", 128, json!({}))]}), "codecs[0].payloadType is 128"),
        (json!({"codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 0}]}), "codecs[0].clockRate is 0"),
        (
            json!({"codecs": [codec("video/VP8", 96, json!({"apt": "96"}))]}),
            "codecs[0].parameters.apt has the wrong type",
        ),
        (json!({"codecs": [codec("video/VP8", 96, json!({"x": true}))]}), "codecs[0].parameters.x has the wrong type"),
        (
            json!({"codecs": [codec("video/VP8", 96, json!({"x": "y".repeat(1025)}))]}),
            "parameters.x is 1025 bytes long",
        ),
        (json!({"codecs": [codec("video/VP8", 96, json!({"x".repeat(65): 1}))]}), "parameters' name is 65 bytes long"),
        (json!({"codecs": vec![vp8_codec.clone(); MAX_CODECS + 1]}), "codecs has 129 entries"),
        (json!({"headerExtensions": [extension(0)]}), "headerExtensions[0].id is 0"),
        (json!({"headerExtensions": [extension(5), extension(5)]}), "headerExtensions[1].id repeats"),
        (json!({"headerExtensions": [{"uri": "", "id": 1}]}), "headerExtensions[0].uri is empty"),
        (json!({"headerExtensions": [{"uri": "x".repeat(256), "id": 1}]}), "headerExtensions[0].uri is 256 bytes long"),
        (json!({"headerExtensions": (1..=65).map(extension).collect::<Vec<_>>()}), "headerExtensions has 65 entries"),
        (json!({"encodings": [{"ssrc": 1}, {}]}), "encodings[1] has neither ssrc nor rid"),
        (json!({"encodings": [{"rid": "a"}, {"rid": ""}]}), "encodings[1] has neither ssrc nor rid"),
        (json!({"mid": null, "encodings": []}), "encodings[0] has neither ssrc nor rid"),
        (json!({"encodings": [{"rid": "a"}, {"rid": "a"}]}), "encodings[1] repeats"),
        (json!({"encodings": [{"ssrc": 1, "rtx": {"ssrc": 2}}, {"ssrc": 2}]}), "encodings[1] repeats"),
        (json!({"encodings": [{"ssrc": 1, "rtx": {"ssrc": 1}}]}), "encodings[0] repeats"),
        (
            json!({"encodings": [{"ssrc": 1, "codecPayloadType": 97}]}),
            "encodings[0].codecPayloadType names no media codec",
        ),
        (
            json!({"encodings": [{"ssrc": 1, "codecPayloadType": 9}]}),
            "encodings[0].codecPayloadType names no media codec",
        ),
        (json!({"encodings": [{"rid": long}]}), "encodings[0].rid is 17 bytes long"),
        (json!({"encodings": [{"ssrc": 1, "scalabilityMode": "x".repeat(65)}]}), "encodings[0].scalabilityMode is 65"),
        (json!({"encodings": vec![json!({"ssrc": 1}); MAX_ENCODINGS + 1]}), "encodings has 9 entries"),
    ];
    for (changes, expected) in table {
        let error = validate_rtp_parameters(&mut vp8(changes.clone())).unwrap_err().to_string();
        assert!(error.contains(expected), "{changes}: {error}");
    }
}

#[test]
fn what_is_just_within_the_limits_passes() {
    let codecs: Vec<Value> = (0..MAX_CODECS as u8).map(|n| codec("video/VP8", n, json!({}))).collect();
    let extensions: Vec<Value> =
        (1..=MAX_HEADER_EXTENSIONS).map(|id| json!({"uri": "u".repeat(255), "id": id})).collect();
    let encodings: Vec<Value> = (0..MAX_ENCODINGS).map(|n| json!({"ssrc": n})).collect();
    let mid = "m".repeat(MAX_STREAM_NAME_BYTES);
    let changes = json!({"mid": mid, "codecs": codecs, "headerExtensions": extensions, "encodings": encodings});
    assert_eq!(validate_rtp_parameters(&mut vp8(changes)), Ok(()));
}

#[test]
fn validation_fills_in_what_mediasoup_does() {
    let mut parameters = vp8(json!({"encodings": null, "rtcp": {"reducedSize": false}, "codecs": [
        {"mimeType": "audio/PCMU", "payloadType": 0, "clockRate": 8000, "parameters": {"x": null}},
        {"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000, "channels": 2},
    ]}));
    validate_rtp_parameters(&mut parameters).unwrap();
    assert_eq!(parameters.codecs[0].channels, Some(1));
    assert_eq!(parameters.codecs[0].parameters.text("x"), Some(""));
    assert_eq!(parameters.codecs[1].channels, None);
    assert_eq!(parameters.encodings.len(), 1);
    assert_eq!(parameters.encodings[0].dtx, Some(false));
    assert!(parameters.rtcp.reduced_size);
}

#[test]
fn capabilities_are_held_to_the_same_limits() {
    let capability = json!({"kind": "audio", "mimeType": "video/VP8", "clockRate": 90000});
    let feedback = |entry: Value| json!({"codecs": [{"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "rtcpFeedback": entry}]});
    let extension = json!({"kind": "audio", "uri": "urn:x", "preferredId": 1});
    let table = [
        (json!({"codecs": vec![capability.clone(); 129]}), "codecs has 129 entries"),
        (json!({"headerExtensions": vec![extension; 65]}), "headerExtensions has 65 entries"),
        (
            json!({"headerExtensions": [{"kind": "audio", "uri": "u", "preferredId": 0}]}),
            "headerExtensions[0].preferredId is 0",
        ),
        (feedback(json!([{"type": ""}])), "codecs[0].rtcpFeedback[0].type is empty"),
        (feedback(json!([{"type": "x".repeat(65)}])), "codecs[0].rtcpFeedback[0].type is 65"),
        (feedback(json!([{"type": "x", "parameter": "x".repeat(65)}])), "codecs[0].rtcpFeedback[0].parameter is 65"),
        (feedback(json!(vec![json!({"type": "nack"}); 17])), "codecs[0].rtcpFeedback has 17 entries"),
    ];
    for (input, expected) in table {
        let mut capabilities: RtpCapabilities = serde_json::from_value(input.clone()).unwrap();
        let error = validate_rtp_capabilities(&mut capabilities).unwrap_err();
        assert!(error.to_string().contains(expected), "{input}: {error}");
        // Neither function may be the way around validation.
        let producer = consumable(vp8(json!({})));
        assert_eq!(can_consume(&producer, &capabilities), Err(error.clone().into()));
        let answer = consumer_rtp_parameters(&producer, &capabilities, false, true, &mut rng());
        assert_eq!(answer, Err(error.into()));
    }
    let mut capabilities: RtpCapabilities = serde_json::from_value(json!({"codecs": [capability]})).unwrap();
    validate_rtp_capabilities(&mut capabilities).unwrap();
    assert_eq!(capabilities.codecs[0].kind, MediaKind::Video);
}

#[test]
fn a_producer_that_the_router_cannot_take_is_refused() {
    let rtx =
        |parameters: Value| json!({"codecs": [codec("video/VP8", 96, json!({})), codec("video/rtx", 97, parameters)]});
    let table = [
        (
            json!({"codecs": [codec("video/H265", 96, json!({}))]}),
            "unsupported codec [mimeType:video/H265, payloadType:96]",
        ),
        (
            json!({"codecs": [codec("video/VP9", 98, json!({"profile-id": 1}))]}),
            "unsupported codec [mimeType:video/VP9, payloadType:98]",
        ),
        (rtx(json!({})), "missing media codec found for RTX PT 97"),
        (rtx(json!({"apt": 50})), "missing media codec found for RTX PT 97"),
        (rtx(json!({"apt": 97})), "missing media codec found for RTX PT 97"),
    ];
    for (changes, expected) in table {
        assert_eq!(mapped(vp8(changes.clone())).unwrap_err().to_string(), expected, "{changes}");
    }
}

#[test]
fn audio_cannot_have_a_retransmission_codec_that_the_router_lacks() {
    let parameters = vp8(json!({"codecs": [
        {"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2},
        {"mimeType": "audio/rtx", "payloadType": 112, "clockRate": 48000, "parameters": {"apt": 111}},
    ]}));
    assert_eq!(mapped(parameters), Err(NegotiationError::NoRtxCodec { payload_type: PayloadType(100) }));
}

#[test]
fn a_codec_of_the_other_kind_is_refused() {
    let parameters = vp8(json!({}));
    let mapping = mapped(parameters.clone()).unwrap();
    let answer = consumable_rtp_parameters(MediaKind::Audio, &parameters, &router(), &mapping);
    assert!(matches!(answer, Err(NegotiationError::WrongKind { kind: MediaKind::Audio, .. })));
}

#[test]
fn a_mapping_of_other_parameters_is_the_callers_error() {
    let parameters = vp8(json!({}));
    for mapping in [RtpMapping::default(), RtpMapping { encodings: Vec::new(), ..mapped(parameters.clone()).unwrap() }]
    {
        let answer = consumable_rtp_parameters(MediaKind::Video, &parameters, &router(), &mapping);
        assert_eq!(answer, Err(NegotiationError::ForeignMapping));
    }
}

/// Consumers must be told the level that was negotiated and not the one that the producer claims.
#[test]
fn an_h264_producer_takes_the_negotiated_level() {
    let h264 = |profile_level_id: &str| {
        json!({"codecs": [codec("video/H264", 108, json!({
            "packetization-mode": 1, "profile-level-id": profile_level_id,
        }))]})
    };
    let level = |profile_level_id: &str| {
        let answer = consumable(vp8(h264(profile_level_id)));
        (answer.codecs[0].payload_type.0, answer.codecs[0].parameters.text("profile-level-id").unwrap().to_owned())
    };
    assert_eq!(level("42e034"), (107, "42e01f".to_owned()), "without asymmetry the lower level stands");
    assert_eq!(level("42c015"), (107, "42e015".to_owned()));
    assert_eq!(level("4d401f"), (109, "4d001f".to_owned()));
    assert!(mapped(vp8(h264("64001f"))).is_err(), "a profile that the router has not");
    assert!(mapped(vp8(h264("nonsense"))).is_err());
}

/// A payload type that stands twice makes an SDP that browsers refuse.
#[test]
fn several_codecs_of_a_producer_that_are_one_of_the_routers_are_consumable_once() {
    let codecs = json!([codec("video/VP8", 96, json!({})), codec("video/VP8", 98, json!({}))]);
    let payload_types: Vec<_> =
        consumable(vp8(json!({"codecs": codecs}))).codecs.iter().map(|codec| codec.payload_type.0).collect();
    assert_eq!(payload_types, [101, 102]);
}

/// Chromium decodes AV1 with spatial layers only if it gets the descriptor.
#[test]
fn consumers_get_the_dependency_descriptor() {
    let producer = consumable(vp8(json!({})));
    let consumer = consumer_rtp_parameters(&producer, &router(), false, true, &mut rng()).unwrap();
    let has = |uri| consumer.header_extensions.iter().any(|extension| extension.uri == uri);
    assert!(has(HeaderExtensionUri::DependencyDescriptor));
    assert!(!has(HeaderExtensionUri::MediasoupPacketId));
}

#[test]
fn the_capture_time_is_offered_only_if_the_producer_gives_it() {
    let uri = HeaderExtensionUri::AbsCaptureTime;
    let has = |answer: RtpParameters| answer.header_extensions.iter().any(|extension| extension.uri == uri);
    assert!(!has(consumable(vp8(json!({})))));
    assert!(has(consumable(vp8(json!({"headerExtensions": [{"uri": uri.as_str(), "id": 13}]})))));
}

#[test]
fn without_rtx_a_consumer_gets_neither_rtx_nor_nack() {
    let producer = consumable(vp8(json!({})));
    let consumer = consumer_rtp_parameters(&producer, &router(), false, false, &mut rng()).unwrap();
    assert_eq!(consumer.codecs.len(), 1);
    assert!(consumer.codecs[0].rtcp_feedback.iter().all(|feedback| !feedback.is("nack", "")));
    assert!(consumer.codecs[0].rtcp_feedback.iter().any(|feedback| feedback.is("nack", "pli")));
    assert_eq!(consumer.encodings[0].rtx, None);
}

#[test]
fn a_consumer_over_a_pipe_keeps_every_encoding() {
    let producer =
        consumable(vp8(json!({"encodings": [{"rid": "a", "maxBitrate": 1}, {"rid": "b", "maxBitrate": 2}]})));
    let consumer = consumer_rtp_parameters(&producer, &router(), true, true, &mut rng()).unwrap();
    assert_eq!(consumer.encodings.iter().map(|encoding| encoding.max_bitrate).collect::<Vec<_>>(), [Some(1), Some(2)]);
    let mut ssrcs: Vec<_> =
        consumer.encodings.iter().flat_map(|encoding| [encoding.ssrc.unwrap(), encoding.rtx.unwrap().ssrc]).collect();
    ssrcs.sort();
    ssrcs.dedup();
    assert_eq!(ssrcs.len(), 4);
}

/// A receiver without the media codec must not be given its retransmission alone.
#[test]
fn retransmission_alone_is_nothing_to_consume() {
    let producer = consumable(vp8(json!({})));
    let remote: RtpCapabilities = serde_json::from_value(json!({"codecs": [
        {"kind": "video", "mimeType": "video/rtx", "clockRate": 90000, "parameters": {"apt": 101}},
    ]}))
    .unwrap();
    assert_eq!(can_consume(&producer, &remote), Ok(false));
    let answer = consumer_rtp_parameters(&producer, &remote, false, true, &mut rng());
    assert_eq!(answer, Err(NegotiationError::NoCompatibleCodecs));
}

#[test]
fn the_producer_type_follows_encodings_layers_and_codec() {
    let opus = json!([{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2}]);
    let of = |codecs: Value, encodings: Value| producer_type(&vp8(json!({"codecs": codecs, "encodings": encodings})));
    let video = |name: &str| json!([codec(name, 96, json!({}))]);
    let layers = |mode: &str| json!([{"ssrc": 1, "scalabilityMode": mode}]);
    let two = json!([{"rid": "a"}, {"rid": "b"}]);
    let table = [
        (video("video/VP8"), json!([{"ssrc": 1}]), Some(ProducerType::Simple)),
        (video("video/VP9"), layers("L1T1"), Some(ProducerType::Simple)),
        (video("video/VP9"), layers("L1T3"), Some(ProducerType::Svc)),
        (video("video/AV1"), layers("L3T3_KEY"), Some(ProducerType::Svc)),
        (video("video/VP8"), layers("L1T3"), Some(ProducerType::Simulcast)),
        (video("video/H264"), two.clone(), Some(ProducerType::Simulcast)),
        (opus.clone(), two, None),
        (opus, layers("L1T3"), None),
    ];
    for (codecs, encodings, expected) in table {
        let answer = of(codecs.clone(), encodings.clone());
        assert_eq!(answer.clone().ok(), expected, "{codecs} {encodings}");
        if expected.is_none() {
            assert!(matches!(answer, Err(NegotiationError::UnsupportedType { .. })));
        }
    }
}

#[test]
fn ssrcs_follow_the_generator() {
    let ssrc = |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut parameters = vp8(json!({}));
        producer_rtp_parameters_mapping(&mut parameters, &router(), &mut rng).unwrap().encodings[0].mapped_ssrc
    };
    assert_eq!(ssrc(1), ssrc(1));
    assert_ne!(ssrc(1), ssrc(2));
}

#[test]
fn a_certificate_without_a_usable_hash_is_refused() {
    let good = json!({"algorithm": "sha-256", "value": "AB:".repeat(31) + "AB"});
    let table = [
        (json!([]), Some("fingerprints has none")),
        (json!([{"algorithm": "sha-1", "value": "AB"}]), Some("fingerprints has none")),
        (json!([good, {"algorithm": "sha-256", "value": "AB"}]), Some("fingerprints[1].value")),
        (json!(vec![good.clone(); 9]), Some("fingerprints has 9 entries")),
        (json!(vec![good; 8]), None),
    ];
    for (fingerprints, expected) in table {
        let parameters: DtlsParameters = serde_json::from_value(json!({"fingerprints": fingerprints})).unwrap();
        let error = validate_dtls_parameters(&parameters).err().map(|error| error.to_string());
        assert_eq!(error.is_some(), expected.is_some(), "{error:?}");
        assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
}
