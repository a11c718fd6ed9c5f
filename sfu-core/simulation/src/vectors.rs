//! Parameters and capabilities as a browser has them, out of the negotiation's vectors.
//!
//! # Panics
//! Everything here does when the vectors lack what is asked for.

use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sfu_core::ids::PayloadType;
use sfu_core::parameters::{
    HeaderExtensionDirection, HeaderExtensionUri, MediaKind, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpParameters,
};

use crate::source::video::{Audio, Video, VideoCodec};

fn vectors() -> &'static Value {
    static VECTORS: OnceLock<Value> = OnceLock::new();
    VECTORS.get_or_init(|| serde_json::from_str(include_str!("../../tests/vectors/ortc.json")).unwrap())
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// What the router offers: the vectors' capabilities, with the dependency descriptor for receivers too, and
/// redundant audio.
pub fn router_capabilities() -> RtpCapabilities {
    let mut capabilities: RtpCapabilities = read(&vectors()["routerRtpCapabilities"]);
    for extension in &mut capabilities.header_extensions {
        if extension.uri == HeaderExtensionUri::DependencyDescriptor {
            extension.direction = HeaderExtensionDirection::SendRecv;
        }
    }
    capabilities.codecs.push(red(127, PayloadType(100)));
    capabilities
}

/// A client that takes redundant audio as well.
pub fn with_red(mut capabilities: RtpCapabilities) -> RtpCapabilities {
    capabilities.codecs.push(red(127, PayloadType(111)));
    capabilities
}

fn red(payload_type: u8, opus: PayloadType) -> RtpCodecCapability {
    let codec = json!({
        "kind": "audio", "mimeType": "audio/red", "preferredPayloadType": payload_type, "clockRate": 48000, "channels": 2,
        "parameters": {"": format!("{opus}/{opus}")}, "rtcpFeedback": [{"type": "nack"}],
    });
    read(&codec)
}

/// What a client of mediasoup can receive; `chromium-156` is the browser itself.
pub fn capabilities(client: &str) -> RtpCapabilities {
    read(&vectors()["remotes"][client])
}

/// What Chromium can receive when it is offered the dependency descriptor too.
pub fn chromium() -> RtpCapabilities {
    let mut capabilities = capabilities("chromium-156");
    let offered = router_capabilities().header_extensions;
    capabilities
        .header_extensions
        .extend(offered.into_iter().filter(|known| known.uri == HeaderExtensionUri::DependencyDescriptor));
    capabilities
}

/// What Chromium sends in this case: its kind and parameters.
pub fn producer(case: &str) -> (MediaKind, RtpParameters) {
    let cases = vectors()["cases"].as_array().unwrap();
    let case = cases.iter().find(|known| known["name"] == case).unwrap_or_else(|| panic!("no case {case}"));
    (read(&case["kind"]), read(&case["producerRtpParameters"]))
}

/// The same as one of several media of one connection, as Chromium numbers header extensions there: the vectors were captured
/// one by one, and give one number different meanings.
///
/// # Panics
/// There is an extension that Chromium does not send.
pub fn bundled(mut parameters: RtpParameters) -> RtpParameters {
    for extension in &mut parameters.header_extensions {
        extension.id = match extension.uri {
            HeaderExtensionUri::SsrcAudioLevel => 1,
            HeaderExtensionUri::AbsSendTime => 2,
            HeaderExtensionUri::TransportWideCc => 3,
            HeaderExtensionUri::Mid => 4,
            HeaderExtensionUri::PlayoutDelay => 5,
            HeaderExtensionUri::RtpStreamId => 10,
            HeaderExtensionUri::RepairedRtpStreamId => 11,
            HeaderExtensionUri::DependencyDescriptor => 12,
            HeaderExtensionUri::VideoOrientation => 13,
            HeaderExtensionUri::TransmissionTimeOffset => 14,
            ref other => panic!("{other:?}"),
        };
    }
    parameters
}

/// What Chromium says of such a video: SSRCs when it is one stream, RIDs when it is a simulcast.
pub fn video_parameters(video: &Video) -> RtpParameters {
    let codec = match video.codec {
        VideoCodec::Vp8 => "vp8",
        VideoCodec::Vp9 => "vp9",
        VideoCodec::H264 => "h264-cb",
        VideoCodec::Av1 => "av1",
    };
    let (_, mut parameters) = producer(codec);
    // The extensions of a sender with layers, which has the dependency descriptor.
    if video.encodings.iter().any(|encoding| encoding.mode != "L1T1") {
        parameters.header_extensions = producer("av1-svc-L3T3_KEY").1.header_extensions;
    }
    let template = parameters.encodings[0].clone();
    let is_simulcast = video.encodings.len() > 1;
    let encodings = video.encodings.iter().enumerate().map(|(index, encoding)| RtpEncodingParameters {
        ssrc: template.ssrc.filter(|_| !is_simulcast),
        rtx: template.rtx.filter(|_| !is_simulcast),
        rid: is_simulcast.then(|| format!("r{index}")),
        active: Some(true),
        scalability_mode: Some(encoding.mode.clone()),
        max_bitrate: Some(encoding.bitrates.iter().sum()),
        ..template.clone()
    });
    parameters.encodings = encodings.collect();
    bundled(parameters)
}

/// What Chromium says of such a microphone.
pub fn audio_parameters(audio: Audio) -> RtpParameters {
    let (_, mut parameters) = producer("opus");
    if audio.is_red {
        let opus = &parameters.codecs[0];
        let red = RtpCodecParameters {
            mime_type: "audio/red".parse().expect("a MIME type"),
            payload_type: PayloadType(63),
            parameters: [("", format!("{0}/{0}", opus.payload_type.0).as_str())].into_iter().collect(),
            ..opus.clone()
        };
        parameters.codecs.insert(0, red);
    }
    bundled(parameters)
}

/// Without retransmission streams.
pub fn without_rtx(mut parameters: RtpParameters) -> RtpParameters {
    parameters.codecs.retain(|codec| !codec.mime_type.is_rtx());
    for encoding in &mut parameters.encodings {
        encoding.rtx = None;
    }
    parameters
}
