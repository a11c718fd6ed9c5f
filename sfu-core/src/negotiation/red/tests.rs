use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::super::*;
use super::is_red;
use crate::parameters::{RtpCapabilities, RtpParameters};

fn router() -> RtpCapabilities {
    router_rtp_capabilities(&default_media_codecs()).unwrap()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(5)
}

fn opus() -> Value {
    json!({"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2,
           "parameters": {"minptime": 10, "useinbandfec": 1}, "rtcpFeedback": [{"type": "transport-cc"}]})
}

fn red(parameters: Value) -> Value {
    json!({"mimeType": "audio/red", "payloadType": 63, "clockRate": 48000, "channels": 2, "parameters": parameters})
}

/// What consumers may get of a microphone with these codecs.
fn consumable(codecs: Value) -> Result<RtpParameters, NegotiationError> {
    let mut parameters: RtpParameters =
        serde_json::from_value(json!({"mid": "0", "codecs": codecs, "encodings": [{"ssrc": 1}]})).unwrap();
    validate_rtp_parameters(&mut parameters).unwrap();
    let mapping = producer_rtp_parameters_mapping(&mut parameters, &router(), &mut rng())?;
    consumable_rtp_parameters(MediaKind::Audio, &parameters, &router(), &mapping)
}

/// The capabilities of a client with these audio codecs, as mediasoup-client makes them of ours.
fn client(names: &[&str]) -> RtpCapabilities {
    let mut capabilities = router();
    capabilities.codecs.retain(|codec| names.contains(&codec.mime_type.as_str()));
    for codec in &mut capabilities.codecs {
        if codec.mime_type.as_str() == "audio/red" {
            codec.parameters = [("111/111", "")].into_iter().collect();
        }
    }
    capabilities
}

fn names(parameters: &RtpParameters) -> Vec<&str> {
    parameters.codecs.iter().map(|codec| codec.mime_type.as_str()).collect()
}

fn number(capabilities: &RtpCapabilities, name: &str) -> u8 {
    let mut codecs = capabilities.codecs.iter();
    codecs.find(|codec| codec.mime_type.as_str() == name).unwrap().preferred_payload_type.unwrap().0
}

/// Clients send the first audio codec; and other codecs' numbers are those of a router without redundant audio.
#[test]
fn routers_offer_it_last() {
    let with = router();
    let mut plain = default_media_codecs();
    plain.retain(|codec| codec.mime_type.as_str() != "audio/red");
    let plain = router_rtp_capabilities(&plain).unwrap();
    let (last, others) = with.codecs.split_last().unwrap();
    assert_eq!(others, plain.codecs);
    assert_eq!(last.mime_type.as_str(), "audio/red");
    let opus = number(&with, "audio/opus");
    assert_eq!(serde_json::to_value(&last.parameters).unwrap(), json!({"": format!("{opus}/{opus}")}));
}

#[test]
fn a_router_must_offer_opus_before_it() {
    let mut codecs = default_media_codecs();
    codecs.rotate_right(1);
    let missing = CodecListError::MissingPrimaryCodec { index: 0, mime_type: "audio/red".parse().unwrap() };
    assert_eq!(router_rtp_capabilities(&codecs).unwrap_err(), missing);
    codecs.truncate(1);
    assert_eq!(router_rtp_capabilities(&codecs).unwrap_err(), missing);
}

#[test]
fn producers_may_list_it_before_or_after_opus_however_their_sdp_was_read() {
    for parameters in [json!({"111/111": ""}), json!({"111/111": null}), json!({"": "111/111"}), json!({})] {
        for (codecs, order) in [
            (json!([red(parameters.clone()), opus()]), ["audio/red", "audio/opus"]),
            (json!([opus(), red(parameters.clone())]), ["audio/opus", "audio/red"]),
        ] {
            let consumable = consumable(codecs).unwrap();
            assert_eq!(names(&consumable), order);
            for codec in &consumable.codecs {
                assert_eq!(codec.payload_type.0, number(&router(), codec.mime_type.as_str()));
            }
            let red = consumable.codecs.iter().find(|codec| is_red(&codec.mime_type)).unwrap();
            let opus = number(&router(), "audio/opus");
            assert_eq!(red.parameters.text(""), Some(format!("{opus}/{opus}").as_str()));
        }
    }
}

/// Nobody could be sent its blocks: there would be no number for them.
#[test]
fn producers_that_send_it_without_opus_are_refused() {
    let missing = Err(NegotiationError::MissingPrimaryCodec { payload_type: PayloadType(63) });
    let pcmu = json!({"mimeType": "audio/PCMU", "payloadType": 0, "clockRate": 8000});
    for codecs in [
        json!([red(json!({"111/111": ""}))]),
        json!([red(json!({})), pcmu]),
        json!([red(json!({"0/0": ""})), pcmu, opus()]),
        json!([red(json!({"112/112": ""})), opus()]),
    ] {
        assert_eq!(consumable(codecs.clone()), missing, "{codecs}");
    }
}

#[test]
fn consumers_get_what_they_can_take() {
    let consumable = consumable(json!([red(json!({"111/111": ""})), opus()])).unwrap();
    let table: [(&[&str], Option<&[&str]>); 4] = [
        (&["audio/opus", "audio/red"], Some(&["audio/red", "audio/opus"])),
        (&["audio/opus"], Some(&["audio/opus"])),
        (&["audio/red"], None),
        (&["audio/PCMU"], None),
    ];
    for (takes, expected) in table {
        let client = client(takes);
        assert_eq!(can_consume(&consumable, &client), Ok(expected.is_some()), "{takes:?}");
        let answer = consumer_rtp_parameters(&consumable, &client, false, true, &mut rng());
        assert_eq!(answer.as_ref().ok().map(names).as_deref(), expected, "{takes:?}");
    }
    let pipe = pipe_consumer_rtp_parameters(&consumable, false, &mut rng());
    assert_eq!(names(&pipe), ["audio/red", "audio/opus"]);
}

/// mediasoup-client writes `name=value` of each parameter into the SDP that the browser is offered. libwebrtc reads
/// `=100/100` as the list; at `100/100=` it drops redundant audio from its answer, and what is sent as such is not heard.
#[test]
fn the_parameters_for_consumers_are_written_as_browsers_read_them() {
    let consumable = consumable(json!([opus(), red(json!({"111/111": ""}))])).unwrap();
    let client = client(&["audio/opus", "audio/red"]);
    let answer = consumer_rtp_parameters(&consumable, &client, false, true, &mut rng()).unwrap();
    let red = serde_json::to_value(answer.codecs.last().unwrap()).unwrap();
    assert_eq!(red["parameters"], json!({"": "100/100"}));
}

#[test]
fn a_microphone_without_redundancy_is_as_ever() {
    let consumable = consumable(json!([opus()])).unwrap();
    let answer =
        consumer_rtp_parameters(&consumable, &client(&["audio/opus", "audio/red"]), false, true, &mut rng()).unwrap();
    assert_eq!(names(&answer), ["audio/opus"]);
}

#[test]
fn video_of_that_name_is_another_format() {
    assert!(is_red(&"audio/RED".parse().unwrap()));
    assert!(!is_red(&"video/red".parse().unwrap()));
}
