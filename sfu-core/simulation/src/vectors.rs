//! Parameters and capabilities as a browser has them, out of the negotiation's vectors.

use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sfu_core::parameters::{MediaKind, RtpCapabilities, RtpParameters};

fn vectors() -> &'static Value {
    static VECTORS: OnceLock<Value> = OnceLock::new();
    VECTORS.get_or_init(|| serde_json::from_str(include_str!("../../tests/vectors/ortc.json")).unwrap())
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// What the router offers.
pub fn router_capabilities() -> RtpCapabilities {
    read(&vectors()["routerRtpCapabilities"])
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

/// Without retransmission streams.
pub fn without_rtx(mut parameters: RtpParameters) -> RtpParameters {
    parameters.codecs.retain(|codec| !codec.mime_type.is_rtx());
    for encoding in &mut parameters.encodings {
        encoding.rtx = None;
    }
    parameters
}
