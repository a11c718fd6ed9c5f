use serde_json::{Value, json};

use super::*;
use crate::parameters::RtpCapabilities;

fn list(entries: Value) -> Result<RtpCapabilities, CodecListError> {
    router_rtp_capabilities(&serde_json::from_value::<Vec<MediaCodec>>(entries).unwrap())
}

fn video(name: &str, more: Value) -> Value {
    let mut entry = json!({"kind": "video", "mimeType": name, "clockRate": 90000});
    for (name, value) in more.as_object().unwrap() {
        entry[name] = value.clone();
    }
    entry
}

#[test]
fn a_bad_list_is_refused_by_its_entry() {
    let h264 = |parameters: Value| video("video/H264", json!({"parameters": parameters}));
    let plain = |name: &str| video(name, json!({}));
    let preferring = |name: &str, payload_type: u32| video(name, json!({"preferredPayloadType": payload_type}));
    let table = [
        (json!([]), "the codec list is empty"),
        (json!([plain("video/H265")]), "codec 0 (video/H265): media codec not supported"),
        (json!([plain("video/opus")]), "codec 0 (video/opus): media codec not supported"),
        (json!([plain("video/rtx")]), "codec 0 (video/rtx): media codec not supported"),
        (json!([video("video/VP8", json!({"kind": "audio"}))]), "codec 0 (video/VP8): kind is audio"),
        (json!([video("video/VP8", json!({"clockRate": 48000}))]), "clockRate is 48000, must be 90000"),
        (json!([video("video/VP8", json!({"channels": 1}))]), "channels is 1, must be absent"),
        (json!([{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000}]), "channels is 1, must be 2"),
        (json!([plain("video/VP8"), plain("video/vp8")]), "codec 1 (video/VP8): the same codec as entry 0"),
        (
            json!([h264(json!({"profile-level-id": "42e01f"})), h264(json!({"profile-level-id": "42e034"}))]),
            "codec 1 (video/H264): the same codec as entry 0",
        ),
        (json!([h264(json!({"profile-level-id": "xyz"}))]), "parameter profile-level-id is not valid"),
        (json!([h264(json!({"packetization-mode": 2}))]), "parameter packetization-mode is not valid"),
        (json!([video("video/VP9", json!({"parameters": {"profile-id": "2"}}))]), "parameter profile-id is not valid"),
        (json!([video("video/VP8", json!({"parameters": {"x": true}}))]), "parameter x is not valid"),
        (
            json!([video("video/VP8", json!({"rtcpFeedback": [{"type": "ccm", "parameter": "tstr"}]}))]),
            "`ccm tstr` not supported",
        ),
        (json!([preferring("video/VP8", 200)]), "preferredPayloadType 200 is not"),
        (json!([preferring("video/VP8", 72)]), "preferredPayloadType 72 is not"),
        (json!([plain("video/VP8"), preferring("video/VP9", 100)]), "payload type 100 is taken by video/VP8"),
        (json!([plain("video/VP8"), preferring("video/VP9", 101)]), "payload type 101 is taken by video/rtx"),
    ];
    for (entries, expected) in table {
        let error = list(entries.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{entries}: {error}");
    }
}

#[test]
fn payload_types_run_out_by_name() {
    // Every entry differs by a parameter that decides: VP9 has four profiles, H264 two modes of six profiles.
    let mut entries: Vec<Value> =
        (0..4).map(|id| video("video/VP9", json!({"parameters": {"profile-id": id}}))).collect();
    for mode in 0..2 {
        for id in ["42e01f", "42001f", "4d001f", "640c1f", "64001f", "f4001f"] {
            let parameters = json!({"packetization-mode": mode, "profile-level-id": id});
            entries.push(video("video/H264", json!({"parameters": parameters})));
        }
    }
    let all = list(json!(entries)).unwrap();
    assert_eq!(all.codecs.len(), 32);
    assert_eq!(all.codecs.last().unwrap().preferred_payload_type, Some(PayloadType(99)));
    entries.push(video("video/VP8", json!({})));
    assert!(matches!(list(json!(entries)), Err(CodecListError::TooMany { index: 16, .. })));
}

#[test]
fn a_preferred_payload_type_is_kept_and_not_given_out_again() {
    let capabilities =
        list(json!([video("video/VP8", json!({"preferredPayloadType": 101})), video("video/VP9", json!({}))]));
    let payload_types: Vec<_> =
        capabilities.unwrap().codecs.iter().map(|codec| codec.preferred_payload_type.unwrap().0).collect();
    assert_eq!(payload_types, [101, 100, 102, 103]);
}

#[test]
fn feedback_can_be_narrowed() {
    let feedback = json!([{"type": "nack"}, {"type": "nack", "parameter": "pli"}]);
    let capabilities = list(json!([video("video/VP8", json!({"rtcpFeedback": feedback}))])).unwrap();
    assert_eq!(capabilities.codecs[0].rtcp_feedback.len(), 2);
}

#[test]
fn the_default_list_is_good() {
    let capabilities = router_rtp_capabilities(&default_media_codecs()).unwrap();
    let names: Vec<_> =
        capabilities.codecs.iter().map(|codec| codec.mime_type.name()).filter(|name| *name != "rtx").collect();
    assert_eq!(names, ["opus", "PCMU", "PCMA", "VP8", "VP9", "VP9", "H264", "H264", "AV1", "red"]);
    let text = capabilities.codecs.iter().find_map(|codec| codec.parameters.text("profile-level-id"));
    assert_eq!(text, Some("42e01f"));
}
