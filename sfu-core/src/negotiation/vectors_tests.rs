//! Replays what a mediasoup router answers for producers captured from Chromium: every answer must be ours too, or
//! mediasoup-client would be told something that it was not built for. The file's `about` says how it was made.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::parameters::{HeaderExtensionUri, RtpCapabilities, RtpParameters};

const VECTORS: &str = include_str!("../../tests/vectors/ortc.json");

/// The producers that the file must hold. A case that got lost would otherwise pass unseen.
const CASES: [&str; 13] = [
    "opus",
    "opus-dtx-fec-stereo",
    "vp8",
    "vp8-simulcast3",
    "vp8-simulcast2",
    "vp9",
    "vp9-svc-L3T3_KEY",
    "vp9-svc-L3T3",
    "h264-cb",
    "h264-simulcast3",
    "av1",
    "av1-svc-L3T3_KEY",
    "av1-simulcast3",
];

/// The receivers that each of them must be offered to.
const REMOTES: [&str; 7] =
    ["audio-only", "chromium-156", "no-bwe", "no-rtx", "remb-only", "renumbered-extensions", "vp8-opus-only"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    router_media_codecs: Vec<MediaCodec>,
    router_rtp_capabilities: Value,
    remotes: BTreeMap<String, RtpCapabilities>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    kind: MediaKind,
    #[serde(rename = "type")]
    producer_type: ProducerType,
    producer_rtp_parameters: Value,
    codec_mapping: Value,
    consumable_rtp_parameters: Value,
    consumers: BTreeMap<String, ConsumerAnswer>,
    pipe_consumer: PipeAnswer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConsumerAnswer {
    can_consume: bool,
    consumer_rtp_parameters: Option<Value>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PipeAnswer {
    without_rtx: Value,
    with_rtx: Value,
}

/// One case up to what consumers may get.
struct Produced {
    consumable: RtpParameters,
    mapping: RtpMapping,
    producer: RtpParameters,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn produce(vectors: &Vectors, case: &Case) -> Produced {
    let mut capabilities: RtpCapabilities = serde_json::from_value(vectors.router_rtp_capabilities.clone()).unwrap();
    validate_rtp_capabilities(&mut capabilities).unwrap();
    let mut producer: RtpParameters = serde_json::from_value(case.producer_rtp_parameters.clone()).unwrap();
    validate_rtp_parameters(&mut producer).unwrap();
    let mapping = producer_rtp_parameters_mapping(&mut producer, &capabilities, &mut rng()).unwrap();
    let consumable = consumable_rtp_parameters(case.kind, &producer, &capabilities, &mapping).unwrap();
    Produced { consumable, mapping, producer }
}

/// Writes parameters as the file does: random SSRCs by their offset, the cname by a word, nothing for null.
fn normalised(parameters: &RtpParameters, cname: &Option<String>) -> Value {
    let base = parameters.encodings.first().and_then(|encoding| encoding.ssrc).unwrap().0;
    let rtx_base = parameters.encodings.first().and_then(|encoding| encoding.rtx).map_or(0, |rtx| rtx.ssrc.0);
    assert_eq!(&parameters.rtcp.cname, cname, "the cname must stay the producer's");

    let mut value = without_nulls(serde_json::to_value(parameters).unwrap());
    for encoding in value["encodings"].as_array_mut().unwrap() {
        let ssrc = encoding["ssrc"].as_u64().unwrap() - u64::from(base);
        encoding["ssrc"] = json!(format!("S+{ssrc}"));
        if let Some(rtx) = encoding.get_mut("rtx") {
            let ssrc = rtx["ssrc"].as_u64().unwrap();
            let text = match ssrc - u64::from(base) {
                offset @ 0..=8 => format!("S+{offset}"),
                _ => format!("R+{}", ssrc - u64::from(rtx_base)),
            };
            rtx["ssrc"] = json!(text);
        }
    }
    if cname.as_deref().is_some_and(|cname| !cname.is_empty()) {
        value["rtcp"]["cname"] = json!("CNAME");
    }
    value
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(entries) => entries.into_iter().map(without_nulls).collect(),
        value => value,
    }
}

#[test]
fn the_file_is_complete() {
    let vectors = vectors();
    assert_eq!(vectors.cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), CASES);
    assert_eq!(vectors.remotes.keys().map(String::as_str).collect::<Vec<_>>(), REMOTES);
    for case in &vectors.cases {
        assert_eq!(case.consumers.keys().map(String::as_str).collect::<Vec<_>>(), REMOTES, "{}", case.name);
    }
}

#[test]
fn router_codecs_are_those_of_mediasoup() {
    let vectors = vectors();
    let ours = serde_json::to_value(router_rtp_capabilities(&vectors.router_media_codecs).unwrap()).unwrap();
    assert_eq!(without_nulls(ours)["codecs"], without_nulls(vectors.router_rtp_capabilities)["codecs"]);
}

/// Two differences are ours, and no third: see `supported_header_extensions`.
#[test]
fn router_header_extensions_are_those_of_mediasoup_but_for_the_dependency_descriptor_and_packet_id() {
    let vectors = vectors();
    let expected: Vec<Value> = vectors.router_rtp_capabilities["headerExtensions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|extension| extension["uri"] != HeaderExtensionUri::MediasoupPacketId.as_str())
        .map(|extension| {
            let mut extension = extension.clone();
            if extension["uri"] == HeaderExtensionUri::DependencyDescriptor.as_str() {
                assert_eq!(extension["direction"], "recvonly");
                extension["direction"] = json!("sendrecv");
            }
            extension
        })
        .collect();
    assert_eq!(serde_json::to_value(supported_header_extensions()).unwrap(), Value::Array(expected));
}

/// Whatever a client sends that consumers need must survive decoding, or it is lost without a word.
#[test]
fn what_clients_send_survives_decoding() {
    let vectors = vectors();
    for case in &vectors.cases {
        let parameters: RtpParameters = serde_json::from_value(case.producer_rtp_parameters.clone()).unwrap();
        assert_eq!(serde_json::to_value(parameters).unwrap(), without_nulls(case.producer_rtp_parameters.clone()));
    }
    let raw: Value = serde_json::from_str(VECTORS).unwrap();
    for (name, remote) in &vectors.remotes {
        assert_eq!(serde_json::to_value(remote).unwrap(), without_nulls(raw["remotes"][name].clone()), "{name}");
    }
}

#[test]
fn producers_are_mapped_as_mediasoup_does() {
    let vectors = vectors();
    for case in &vectors.cases {
        let Produced { mapping, producer, .. } = produce(&vectors, case);
        assert_eq!(serde_json::to_value(&mapping.codecs).unwrap(), case.codec_mapping, "{}", case.name);
        assert_eq!(producer_type(&producer), Ok(case.producer_type), "{}", case.name);
        let first = mapping.encodings.first().unwrap().mapped_ssrc;
        for (index, (mapped, encoding)) in mapping.encodings.iter().zip(&producer.encodings).enumerate() {
            assert_eq!(mapped.mapped_ssrc, nth_ssrc(first.0, index));
            assert_eq!((mapped.ssrc, &mapped.rid), (encoding.ssrc, &encoding.rid));
        }
    }
}

#[test]
fn consumable_parameters_are_those_of_mediasoup() {
    let vectors = vectors();
    for case in &vectors.cases {
        let Produced { consumable, producer, .. } = produce(&vectors, case);
        let ours = normalised(&consumable, &producer.rtcp.cname);
        assert_eq!(ours, without_nulls(case.consumable_rtp_parameters.clone()), "{}", case.name);
    }
}

#[test]
fn consumer_parameters_are_those_of_mediasoup() {
    let vectors = vectors();
    for case in &vectors.cases {
        let Produced { consumable, producer, .. } = produce(&vectors, case);
        for (name, answer) in &case.consumers {
            let mut remote = vectors.remotes[name].clone();
            validate_rtp_capabilities(&mut remote).unwrap();
            assert_eq!(can_consume(&consumable, &remote), Ok(answer.can_consume), "{} {name}", case.name);

            let ours = consumer_rtp_parameters(&consumable, &remote, false, true, &mut rng());
            match (&answer.consumer_rtp_parameters, &answer.error) {
                (Some(expected), None) => {
                    let ours = normalised(&ours.unwrap(), &producer.rtcp.cname);
                    assert_eq!(ours, without_nulls(expected.clone()), "{} {name}", case.name);
                }
                (None, Some(error)) => assert_eq!(&ours.unwrap_err().to_string(), error, "{} {name}", case.name),
                _ => panic!("{} {name} has neither one answer nor one error", case.name),
            }
        }
    }
}

#[test]
fn pipe_consumer_parameters_are_those_of_mediasoup() {
    let vectors = vectors();
    for case in &vectors.cases {
        let Produced { consumable, producer, .. } = produce(&vectors, case);
        for (enable_rtx, expected) in [(false, &case.pipe_consumer.without_rtx), (true, &case.pipe_consumer.with_rtx)] {
            let ours = pipe_consumer_rtp_parameters(&consumable, enable_rtx, &mut rng());
            let ours = normalised(&ours, &producer.rtcp.cname);
            assert_eq!(ours, without_nulls(expected.clone()), "{} with RTX: {enable_rtx}", case.name);
        }
    }
}
