use serde_json::{Value, json};

use super::*;
use crate::ids::{PayloadType, Ssrc};

fn opus() -> Value {
    json!({"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2})
}

#[test]
fn fields_that_we_do_not_know_are_ignored() {
    let parameters: RtpParameters =
        serde_json::from_value(json!({"codecs": [opus()], "headerExtensionOptions": {"x": 1}, "rtcp": {"mux": true}}))
            .unwrap();
    assert!(parameters.rtcp.reduced_size);
    assert!(parameters.encodings.is_empty());
}

/// mediasoup takes null for absence; a client that writes null would otherwise be unable to publish.
#[test]
fn null_is_absence() {
    let parameters: RtpParameters = serde_json::from_value(json!({
        "mid": null, "codecs": [opus()], "headerExtensions": null, "rtcp": null, "msid": null,
        "encodings": [{"ssrc": 1, "rid": null, "rtx": null, "dtx": null, "maxBitrate": null}],
    }))
    .unwrap();
    assert_eq!(parameters.encodings[0].ssrc, Some(Ssrc(1)));
}

#[test]
fn a_missing_field_or_malformed_value_is_named() {
    let table = [
        (json!({}), "codecs"),
        (json!({"codecs": [{"payloadType": 96, "clockRate": 90000}]}), "mimeType"),
        (json!({"codecs": [{"mimeType": "video/VP8", "clockRate": 90000}]}), "payloadType"),
        (json!({"codecs": [{"mimeType": "text/plain", "payloadType": 96, "clockRate": 90000}]}), "mimeType"),
        (json!({"codecs": [{"mimeType": "video/", "payloadType": 96, "clockRate": 90000}]}), "mimeType"),
        (
            json!({"codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 1, "parameters": {"apt": {}}}]}),
            "apt",
        ),
        (json!({"codecs": [], "encodings": [{"rtx": {}}]}), "ssrc"),
    ];
    for (input, field) in table {
        let error = serde_json::from_value::<RtpParameters>(input.clone()).unwrap_err().to_string();
        assert!(error.contains(field), "{input}: {error}");
    }
}

#[test]
fn a_number_comes_back_as_it_came() {
    let text = r#"{"apt":96,"x":1.5,"profile-level-id":"42e01f","flag":null,"on":true}"#;
    let parameters: CodecParameters = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&parameters).unwrap(), text);
    assert_eq!(parameters.integer("apt"), Some(96));
}

/// Each name is looked up among those before it: without a limit, one message of a stranger costs the square of its length.
#[test]
fn the_number_of_codec_parameters_is_limited() {
    let object = |count: usize| Value::Object((0..count).map(|i| (format!("p{i}"), json!(i))).collect());
    let limit = codec_parameters::MAX_DECODED_PARAMETERS;
    assert!(serde_json::from_value::<CodecParameters>(object(limit)).is_ok());
    let error = serde_json::from_value::<CodecParameters>(object(limit + 1)).unwrap_err().to_string();
    assert!(error.contains("more than"), "{error}");
}

#[test]
fn bit_rates_lose_their_fraction_and_sign() {
    for (input, expected) in [(json!(1500), 1500), (json!(1500.7), 1500), (json!(-5), 0), (json!(1e300), u64::MAX)] {
        let encoding: RtpEncodingParameters = serde_json::from_value(json!({"maxBitrate": input})).unwrap();
        assert_eq!(encoding.max_bitrate, Some(expected));
    }
}

#[test]
fn a_header_extension_is_its_uri_on_the_wire() {
    for uri in ["urn:ietf:params:rtp-hdrext:sdes:mid", "urn:example:unknown"] {
        let decoded: HeaderExtensionUri = serde_json::from_value(json!(uri)).unwrap();
        assert_eq!(decoded.as_str(), uri);
        assert_eq!(serde_json::to_value(&decoded).unwrap(), json!(uri));
    }
    assert_eq!(HeaderExtensionUri::from("urn:3gpp:video-orientation".to_owned()), HeaderExtensionUri::VideoOrientation);
}

#[test]
fn mime_types_compare_without_case() {
    let mime = |text: &str| text.parse::<MimeType>().unwrap();
    assert_eq!(mime("Video/vp8"), mime("video/VP8"));
    assert_ne!(mime("audio/opus"), mime("video/opus"));
    assert!(mime("video/RTX").is_rtx());
    assert_eq!(mime("AUDIO/opus").kind(), MediaKind::Audio);
    for bad in ["", "video", "video/", "/VP8", "video/a b", "video/a/b", "x/VP8", "video/é"] {
        assert_eq!(bad.parse::<MimeType>(), Err(MimeTypeError), "{bad}");
    }
    let longest = "x".repeat(MimeType::MAX_NAME_BYTES);
    assert!(format!("video/{longest}").parse::<MimeType>().is_ok());
    assert!(format!("video/{longest}x").parse::<MimeType>().is_err());
}

/// Browsers list several hashes; one that we do not compute must not refuse the others.
#[test]
fn fingerprints_of_unknown_algorithms_are_passed_over() {
    let value = "AB:".repeat(31) + "CD";
    let parameters: DtlsParameters = serde_json::from_value(json!({"fingerprints": [
        {"algorithm": "sha-1", "value": "00"}, {"algorithm": "SHA-256", "value": &value},
    ]}))
    .unwrap();
    assert_eq!(parameters.role, DtlsRole::Auto);
    assert_eq!(parameters.fingerprints, [DtlsFingerprint { algorithm: FingerprintAlgorithm::Sha256, value }]);
}

#[test]
fn only_a_retransmission_codec_repeats_another() {
    for (mime_type, parameters, expected) in [
        ("video/rtx", json!({"apt": 96}), Some(PayloadType(96))),
        ("video/rtx", json!({"apt": 256}), None),
        ("video/rtx", json!({"apt": -160}), None),
        ("video/rtx", json!({"apt": 96.5}), None),
        ("video/rtx", json!({}), None),
        ("video/VP8", json!({"apt": 96}), None),
    ] {
        let codec = json!({"mimeType": mime_type, "payloadType": 97, "clockRate": 90000, "parameters": parameters});
        let codec: RtpCodecParameters = serde_json::from_value(codec).unwrap();
        assert_eq!(codec.associated_payload_type(), expected, "{codec:?}");
    }
}

/// mediasoup-client of either age finds the address: the old reads `ip`, the new `address`.
#[test]
fn a_candidate_carries_both_names_of_its_address() {
    let candidate = IceCandidate {
        foundation: "udpcandidate".to_owned(),
        priority: 1,
        ip: "127.0.0.1".to_owned(),
        address: "127.0.0.1".to_owned(),
        protocol: IceProtocol::Tcp,
        port: 40000,
        candidate_type: IceCandidateType::Host,
        tcp_type: Some(IceTcpCandidateType::Passive),
    };
    let expected = json!({
        "foundation": "udpcandidate", "priority": 1, "ip": "127.0.0.1", "address": "127.0.0.1", "protocol": "tcp",
        "port": 40000, "type": "host", "tcpType": "passive",
    });
    assert_eq!(serde_json::to_value(&candidate).unwrap(), expected);
}
