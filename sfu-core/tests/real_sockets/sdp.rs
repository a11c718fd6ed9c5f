//! Just enough SDP to stand between our parameters and a peer that speaks nothing else.

use std::fmt::Write;
use std::net::SocketAddr;

use sfu_core::engine::WebRtcTransport;
use sfu_core::parameters::{
    CodecParameters, DtlsFingerprint, HeaderExtensionUri, IceProtocol, IceTcpCandidateType, ParameterNumber,
    ParameterValue, RtpCodecParameters, RtpHeaderExtensionParameters, RtpParameters,
};

/// What our side of one media section says.
pub(crate) struct Section<'a> {
    pub(crate) mid: &'a str,
    /// `sendonly` or `recvonly`, as we see it.
    pub(crate) direction: &'a str,
    /// `a=setup`.
    pub(crate) setup: &'a str,
    pub(crate) rtp: &'a RtpParameters,
}

/// Our description: one section on one transport.
pub(crate) fn describe(transport: &WebRtcTransport, section: &Section<'_>) -> String {
    let Section { mid, direction, setup, rtp } = section;
    let kind = rtp.codecs[0].mime_type.kind().as_str();
    let payload_types: Vec<String> = rtp.codecs.iter().map(|codec| codec.payload_type.0.to_string()).collect();
    let mut sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=msid-semantic: WMS *\r\na=group:BUNDLE {mid}\r\n\
         m={kind} 7 UDP/TLS/RTP/SAVPF {}\r\nc=IN IP4 127.0.0.1\r\na=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n",
        payload_types.join(" ")
    );
    // At media level: at session level the crate does not read it, and both sides wait for the other.
    line(&mut sdp, format_args!("a=setup:{setup}"));
    for DtlsFingerprint { algorithm, value } in transport.dtls_parameters().fingerprints.iter().take(1) {
        line(&mut sdp, format_args!("a=fingerprint:{} {value}", algorithm.as_str()));
    }
    line(&mut sdp, format_args!("a=ice-ufrag:{}", transport.ice_parameters().username_fragment));
    line(&mut sdp, format_args!("a=ice-pwd:{}", transport.ice_parameters().password));
    for codec in &rtp.codecs {
        describe_codec(&mut sdp, codec);
    }
    for RtpHeaderExtensionParameters { id, uri, .. } in &rtp.header_extensions {
        line(&mut sdp, format_args!("a=extmap:{id} {uri}"));
    }
    if *direction == "sendonly" {
        line(&mut sdp, format_args!("a=msid:stream track"));
        for encoding in &rtp.encodings {
            let ssrc = encoding.ssrc.expect("a consumer's encodings have SSRCs").0;
            let rtx = encoding.rtx.map(|rtx| rtx.ssrc.0);
            if let Some(rtx) = rtx {
                line(&mut sdp, format_args!("a=ssrc-group:FID {ssrc} {rtx}"));
            }
            for ssrc in [Some(ssrc), rtx].into_iter().flatten() {
                line(&mut sdp, format_args!("a=ssrc:{ssrc} cname:sluice"));
                line(&mut sdp, format_args!("a=ssrc:{ssrc} msid:stream track"));
            }
        }
    }
    sdp
}

/// Our candidates, as they are trickled: the crate opens TCP connections to candidates that come so only.
/// `via`: another place than where we are.
pub(crate) fn candidates(transport: &WebRtcTransport, via: Option<SocketAddr>) -> impl Iterator<Item = String> {
    transport.ice_candidates().iter().map(move |candidate| {
        let (address, port) = match via {
            Some(via) => (via.ip().to_string(), via.port()),
            None => (candidate.address.clone(), candidate.port),
        };
        let protocol = if candidate.protocol == IceProtocol::Udp { "udp" } else { "tcp" };
        let tcp_type = match candidate.tcp_type {
            Some(IceTcpCandidateType::Passive) => " tcptype passive",
            None => "",
        };
        format!(
            "candidate:{} 1 {protocol} {} {address} {port} typ host{tcp_type}",
            candidate.foundation, candidate.priority
        )
    })
}

fn describe_codec(sdp: &mut String, codec: &RtpCodecParameters) {
    let payload_type = codec.payload_type.0;
    let channels = codec.channels.filter(|&channels| channels > 1).map(|channels| format!("/{channels}"));
    line(
        sdp,
        format_args!(
            "a=rtpmap:{payload_type} {}/{}{}",
            codec.mime_type.name(),
            codec.clock_rate,
            channels.unwrap_or_default()
        ),
    );
    if !codec.parameters.is_empty() {
        line(sdp, format_args!("a=fmtp:{payload_type} {}", format_parameters(&codec.parameters)));
    }
    for feedback in &codec.rtcp_feedback {
        let text = format!("{} {}", feedback.feedback_type, feedback.parameter);
        line(sdp, format_args!("a=rtcp-fb:{payload_type} {}", text.trim_end()));
    }
}

fn format_parameters(parameters: &CodecParameters) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| match value {
            ParameterValue::Number(ParameterNumber::Integer(number)) => format!("{name}={number}"),
            ParameterValue::Text(text) => format!("{name}={text}"),
            other => panic!("{name}: nothing that SDP writes: {other:?}"),
        })
        .collect();
    pairs.join(";")
}

/// The value of the first attribute `name` of a peer's description.
pub(crate) fn attribute<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    attributes(sdp, name).next()
}

/// The header extensions of a peer's description, with the peer's ids.
pub(crate) fn header_extensions(sdp: &str) -> Vec<RtpHeaderExtensionParameters> {
    attributes(sdp, "extmap")
        .map(|value| {
            let (id, uri) = value.split_once(' ').expect("an id and a URI");
            RtpHeaderExtensionParameters {
                uri: HeaderExtensionUri::from(uri.trim().to_owned()),
                id: id.split('/').next().and_then(|id| id.parse().ok()).expect("a number"),
                encrypt: false,
                parameters: CodecParameters::default(),
            }
        })
        .collect()
}

fn attributes<'a>(sdp: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let prefix = format!("a={name}:");
    sdp.lines().filter_map(move |line| line.strip_prefix(&prefix)).map(str::trim_end)
}

fn line(sdp: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = write!(sdp, "{text}\r\n");
}
