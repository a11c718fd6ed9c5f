//! What peers and servers tell each other of transports and streams: mediasoup's types, as far as a light client needs them.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use serde_json::{Value, json};

/// The ids of header extensions in what is sent here: Chromium's.
pub mod extension {
    /// RFC 6464.
    pub const AUDIO_LEVEL: u8 = 1;
    /// When the packet left.
    pub const ABS_SEND_TIME: u8 = 2;
    /// Its number on the transport.
    pub const TRANSPORT_CC: u8 = 3;
    /// RFC 9143.
    pub const MID: u8 = 4;
    /// RFC 8852.
    pub const RID: u8 = 10;
    /// RFC 8852, of a retransmission.
    pub const REPAIRED_RID: u8 = 11;
}

/// Payload types of what is sent here: Chromium's.
pub const VP8_PAYLOAD_TYPE: u8 = 96;
/// Of retransmissions of VP8.
pub const RTX_PAYLOAD_TYPE: u8 = 97;
/// Opus.
pub const OPUS_PAYLOAD_TYPE: u8 = 111;

const AUDIO_LEVEL_URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const ABS_SEND_TIME_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const TRANSPORT_CC_URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const REPAIRED_RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// Opus.
    Audio,
    /// VP8.
    Video,
}

/// The server's side of a transport.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransportParameters {
    /// For later events.
    pub id: String,
    /// Its ICE credentials.
    pub ice_parameters: IceParameters,
    ice_candidates: Vec<IceCandidate>,
}

/// ICE credentials.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    /// Of the server.
    pub username_fragment: String,
    /// Of the server.
    pub password: String,
}

#[derive(Debug, Clone, Deserialize)]
struct IceCandidate {
    address: Option<String>,
    /// What older servers say, and newer ones too.
    ip: Option<String>,
    port: u16,
    protocol: String,
}

/// A consumer, as far as its packets are to be understood.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerParameters {
    /// For `resumeConsumer`.
    pub id: String,
    rtp_parameters: ConsumerRtpParameters,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumerRtpParameters {
    encodings: Vec<Encoding>,
    #[serde(default)]
    header_extensions: Vec<HeaderExtension>,
}

#[derive(Debug, Clone, Deserialize)]
struct Encoding {
    ssrc: Option<u32>,
    rtx: Option<Rtx>,
}

#[derive(Debug, Clone, Deserialize)]
struct Rtx {
    ssrc: u32,
}

#[derive(Debug, Clone, Deserialize)]
struct HeaderExtension {
    uri: String,
    id: u8,
}

/// What is told of a camera before it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoIdentity {
    /// Of the media section.
    pub mid: String,
    /// Of each size: media and retransmissions.
    pub ssrcs: Vec<(u32, u32)>,
}

impl MediaKind {
    /// mediasoup's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    /// From mediasoup's word.
    pub fn parse(kind: &str) -> Option<Self> {
        [Self::Audio, Self::Video].into_iter().find(|known| known.as_str() == kind)
    }
}

impl TransportParameters {
    /// The first candidate that UDP can be sent to.
    pub fn udp_candidate(&self) -> Option<SocketAddr> {
        self.ice_candidates.iter().filter(|candidate| candidate.protocol == "udp").find_map(|candidate| {
            let address: IpAddr = candidate.address.as_ref().or(candidate.ip.as_ref())?.parse().ok()?;
            Some(SocketAddr::new(address, candidate.port))
        })
    }
}

impl ConsumerParameters {
    /// The SSRC of its media.
    pub fn ssrc(&self) -> Option<u32> {
        self.rtp_parameters.encodings.first()?.ssrc
    }

    /// The SSRC of its retransmissions.
    pub fn rtx_ssrc(&self) -> Option<u32> {
        self.rtp_parameters.encodings.first()?.rtx.as_ref().map(|rtx| rtx.ssrc)
    }

    /// The id of transport-wide numbers in its packets.
    pub fn transport_cc_id(&self) -> Option<u8> {
        let mut extensions = self.rtp_parameters.header_extensions.iter();
        extensions.find(|extension| extension.uri == TRANSPORT_CC_URI).map(|extension| extension.id)
    }
}

/// What this client receives, in the router's terms: Opus and VP8, as `mediasoup-client` makes it of both sides. Without
/// `nack` nothing is asked for again.
///
/// # Errors
/// The name of the codec that the router lacks.
pub fn receive_capabilities(router: &Value, nack: bool) -> Result<Value, &'static str> {
    let list = |name: &str| router[name].as_array().cloned().unwrap_or_default();
    let codecs = list("codecs");
    let is = |codec: &Value, mime_type: &str| {
        codec["mimeType"].as_str().is_some_and(|theirs| theirs.eq_ignore_ascii_case(mime_type))
    };
    let find = |mime_type| codecs.iter().find(|codec| is(codec, mime_type)).cloned();
    let opus = find("audio/opus").ok_or("audio/opus")?;
    let vp8 = find("video/VP8").ok_or("video/VP8")?;
    let rtx = codecs
        .iter()
        .find(|codec| is(codec, "video/rtx") && codec["parameters"]["apt"] == vp8["preferredPayloadType"])
        .filter(|_| nack);
    let mut ours = vec![opus, vp8];
    for codec in &mut ours {
        if let Some(feedback) = codec["rtcpFeedback"].as_array_mut() {
            feedback.retain(|feedback| nack || feedback["type"] != "nack" || feedback["parameter"] == "pli");
        }
    }
    ours.extend(rtx.cloned());
    let known = [MID_URI, ABS_SEND_TIME_URI, TRANSPORT_CC_URI, AUDIO_LEVEL_URI];
    let extensions: Vec<Value> = list("headerExtensions")
        .into_iter()
        .filter(|extension| known.iter().any(|uri| extension["uri"] == *uri))
        .filter(|extension| extension["direction"] != "recvonly")
        .collect();
    Ok(json!({ "codecs": ours, "headerExtensions": extensions }))
}

/// `rtpParameters` of a camera, as Chromium's: with several sizes the encodings have RIDs, and no SSRC is told.
pub fn video_parameters(identity: &VideoIdentity, cname: &str) -> Value {
    let encodings: Vec<Value> = match identity.ssrcs.as_slice() {
        [(ssrc, rtx)] => vec![json!({ "ssrc": ssrc, "rtx": { "ssrc": rtx } })],
        sizes => (0..sizes.len())
            .map(|size| {
                let scale = 1 << (sizes.len() - 1 - size);
                json!({ "rid": rid(size), "scaleResolutionDownBy": scale, "scalabilityMode": "L1T3" })
            })
            .collect(),
    };
    let feedback = json!([
        { "type": "goog-remb", "parameter": "" },
        { "type": "transport-cc", "parameter": "" },
        { "type": "ccm", "parameter": "fir" },
        { "type": "nack", "parameter": "" },
        { "type": "nack", "parameter": "pli" },
    ]);
    json!({
        "mid": identity.mid,
        "codecs": [
            {
                "mimeType": "video/VP8", "payloadType": VP8_PAYLOAD_TYPE, "clockRate": 90_000, "parameters": {},
                "rtcpFeedback": feedback,
            },
            {
                "mimeType": "video/rtx", "payloadType": RTX_PAYLOAD_TYPE, "clockRate": 90_000,
                "parameters": { "apt": VP8_PAYLOAD_TYPE }, "rtcpFeedback": [],
            },
        ],
        "headerExtensions": header_extensions(&[
            (MID_URI, extension::MID),
            (ABS_SEND_TIME_URI, extension::ABS_SEND_TIME),
            (TRANSPORT_CC_URI, extension::TRANSPORT_CC),
            (RID_URI, extension::RID),
            (REPAIRED_RID_URI, extension::REPAIRED_RID),
        ]),
        "encodings": encodings,
        "rtcp": { "cname": cname, "reducedSize": true },
    })
}

/// `rtpParameters` of a microphone, as Chromium's.
pub fn audio_parameters(mid: &str, ssrc: u32, cname: &str) -> Value {
    json!({
        "mid": mid,
        "codecs": [{
            "mimeType": "audio/opus", "payloadType": OPUS_PAYLOAD_TYPE, "clockRate": 48_000, "channels": 2,
            "parameters": { "minptime": 10, "useinbandfec": 1, "sprop-stereo": 0, "usedtx": 0 },
            "rtcpFeedback": [{ "type": "transport-cc", "parameter": "" }],
        }],
        "headerExtensions": header_extensions(&[
            (MID_URI, extension::MID),
            (ABS_SEND_TIME_URI, extension::ABS_SEND_TIME),
            (TRANSPORT_CC_URI, extension::TRANSPORT_CC),
            (AUDIO_LEVEL_URI, extension::AUDIO_LEVEL),
        ]),
        "encodings": [{ "ssrc": ssrc, "dtx": false }],
        "rtcp": { "cname": cname, "reducedSize": true },
    })
}

/// The name of a size, the smallest first.
pub fn rid(size: usize) -> String {
    format!("r{size}")
}

fn header_extensions(extensions: &[(&str, u8)]) -> Value {
    let extension = |(uri, id): &(&str, u8)| json!({ "uri": uri, "id": id, "encrypt": false, "parameters": {} });
    Value::Array(extensions.iter().map(extension).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Value {
        json!({
            "codecs": [
                { "kind": "audio", "mimeType": "audio/opus", "preferredPayloadType": 100, "clockRate": 48000, "channels": 2,
                  "rtcpFeedback": [{ "type": "nack" }, { "type": "transport-cc" }] },
                { "kind": "video", "mimeType": "video/H264", "preferredPayloadType": 103, "clockRate": 90000 },
                { "kind": "video", "mimeType": "video/rtx", "preferredPayloadType": 104, "parameters": { "apt": 103 } },
                { "kind": "video", "mimeType": "video/VP8", "preferredPayloadType": 101, "clockRate": 90000,
                  "rtcpFeedback": [{ "type": "nack" }, { "type": "nack", "parameter": "pli" }] },
                { "kind": "video", "mimeType": "video/rtx", "preferredPayloadType": 102, "parameters": { "apt": 101 } },
            ],
            "headerExtensions": [
                { "kind": "video", "uri": TRANSPORT_CC_URI, "preferredId": 5, "direction": "sendrecv" },
                { "kind": "audio", "uri": TRANSPORT_CC_URI, "preferredId": 5, "direction": "recvonly" },
                { "kind": "video", "uri": "urn:3gpp:video-orientation", "preferredId": 8, "direction": "sendrecv" },
            ],
        })
    }

    #[test]
    fn capabilities_are_what_both_sides_have() {
        let ours = receive_capabilities(&router(), true).unwrap();
        let types: Vec<u64> = ours["codecs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|codec| codec["preferredPayloadType"].as_u64().unwrap())
            .collect();
        assert_eq!(types, [100, 101, 102]);
        assert_eq!(ours["headerExtensions"].as_array().unwrap().len(), 1);
        let without = receive_capabilities(&router(), false).unwrap();
        assert_eq!(without["codecs"].as_array().unwrap().len(), 2, "nothing to send again");
        assert_eq!(without["codecs"][1]["rtcpFeedback"], json!([{ "type": "nack", "parameter": "pli" }]));
        assert_eq!(receive_capabilities(&json!({ "codecs": [] }), true), Err("audio/opus"));
    }

    #[test]
    fn one_size_tells_its_ssrc_and_several_tell_rids() {
        let one = VideoIdentity { mid: "0".to_owned(), ssrcs: vec![(7, 8)] };
        let parameters = video_parameters(&one, "c");
        assert_eq!(parameters["encodings"], json!([{ "ssrc": 7, "rtx": { "ssrc": 8 } }]));
        let three = VideoIdentity { mid: "0".to_owned(), ssrcs: vec![(1, 2), (3, 4), (5, 6)] };
        let parameters = video_parameters(&three, "c");
        assert_eq!(parameters["encodings"][0]["rid"], "r0");
        assert_eq!(parameters["encodings"][2]["scaleResolutionDownBy"], 1);
        assert!(parameters["encodings"][0]["ssrc"].is_null());
    }

    #[test]
    fn of_candidates_udp_with_an_ip_address_is_taken() {
        let transport: TransportParameters = serde_json::from_value(json!({
            "id": "t", "iceParameters": { "usernameFragment": "u", "password": "p", "iceLite": true },
            "iceCandidates": [
                { "address": "127.0.0.1", "ip": "127.0.0.1", "port": 1, "protocol": "tcp" },
                { "address": "sfu.local", "port": 2, "protocol": "udp" },
                { "ip": "127.0.0.1", "port": 3, "protocol": "udp" },
            ],
        }))
        .unwrap();
        assert_eq!(transport.udp_candidate(), Some(SocketAddr::from(([127, 0, 0, 1], 3))));
    }

    #[test]
    fn a_consumer_tells_its_streams_and_its_numbers() {
        let consumer: ConsumerParameters = serde_json::from_value(json!({
            "id": "c", "kind": "video",
            "rtpParameters": {
                "codecs": [], "encodings": [{ "ssrc": 7, "rtx": { "ssrc": 8 } }],
                "headerExtensions": [{ "uri": TRANSPORT_CC_URI, "id": 5 }],
            },
        }))
        .unwrap();
        assert_eq!((consumer.ssrc(), consumer.rtx_ssrc(), consumer.transport_cc_id()), (Some(7), Some(8), Some(5)));
    }
}
