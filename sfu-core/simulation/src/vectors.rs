//! Parameters and capabilities as a browser has them, out of the negotiation's vectors.

use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sfu_core::parameters::{MediaKind, RtpCapabilities, RtpCodecCapability, RtpParameters};

fn vectors() -> &'static Value {
    static VECTORS: OnceLock<Value> = OnceLock::new();
    VECTORS.get_or_init(|| serde_json::from_str(include_str!("../../tests/vectors/ortc.json")).unwrap())
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// What the router offers: the vectors' codecs, and redundant audio.
pub fn router_capabilities() -> RtpCapabilities {
    let mut capabilities: RtpCapabilities = read(&vectors()["routerRtpCapabilities"]);
    capabilities.codecs.push(red(127, "100/100"));
    capabilities
}

/// A client that takes redundant audio as well.
pub fn with_red(mut capabilities: RtpCapabilities) -> RtpCapabilities {
    capabilities.codecs.push(red(127, "111/111"));
    capabilities
}

fn red(payload_type: u8, parameters: &str) -> RtpCodecCapability {
    let codec = json!({
        "kind": "audio", "mimeType": "audio/red", "preferredPayloadType": payload_type, "clockRate": 48000, "channels": 2,
        "parameters": {"": parameters}, "rtcpFeedback": [{"type": "nack"}],
    });
    read(&codec)
}

/// What a client can receive; `chromium-156` is the browser itself.
pub fn capabilities(client: &str) -> RtpCapabilities {
    read(&vectors()["remotes"][client])
}

/// What Chromium sends in this case: its kind and parameters.
pub fn producer(case: &str) -> (MediaKind, RtpParameters) {
    let cases = vectors()["cases"].as_array().unwrap();
    let case = cases.iter().find(|known| known["name"] == case).unwrap_or_else(|| panic!("no case {case}"));
    (read(&case["kind"]), read(&case["producerRtpParameters"]))
}

/// What Chromium sends of a microphone with redundancy.
pub fn redundant_microphone() -> (MediaKind, RtpParameters) {
    let (kind, mut parameters) = producer("opus");
    let red = json!({
        "mimeType": "audio/red", "payloadType": 63, "clockRate": 48000, "channels": 2, "parameters": {"": "111/111"},
    });
    parameters.codecs.insert(0, read(&red));
    (kind, parameters)
}

/// Without retransmission streams.
pub fn without_rtx(mut parameters: RtpParameters) -> RtpParameters {
    parameters.codecs.retain(|codec| !codec.mime_type.is_rtx());
    for encoding in &mut parameters.encodings {
        encoding.rtx = None;
    }
    parameters
}
