//! The gate for what strangers send: lengths, ranges, and the defaults that mediasoup fills in.

use super::codecs::channels_of;
use crate::dtls::{Fingerprint, FingerprintError};
use crate::ids::PayloadType;
use crate::parameters::{
    CodecParameters, DtlsParameters, ParameterValue, RtcpFeedback, RtpCapabilities, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters,
};

/// The limits. What exceeds one is refused with [`InvalidParameters::TooMany`] or [`InvalidParameters::TooLong`].
pub mod limits {
    pub use crate::dtls::limits::MAX_FINGERPRINTS;

    /// Codecs in capabilities or parameters: as many as there are payload types (RFC 3550: 7 bits).
    pub const MAX_CODECS: usize = 128;
    /// Header extensions in capabilities or parameters. Browsers list about 20 for both kinds together.
    pub const MAX_HEADER_EXTENSIONS: usize = 64;
    /// Streams of one producer. Browsers send at most three or four; every stream costs a receiver state.
    pub const MAX_ENCODINGS: usize = 8;
    /// RTCP feedback entries of one codec. Browsers list five.
    pub const MAX_RTCP_FEEDBACK: usize = 16;
    /// Bytes of a MID or RID: the most that a one-byte header extension carries (RFC 8285 section 4.2).
    pub const MAX_STREAM_NAME_BYTES: usize = 16;
    /// Bytes of a cname: the most that an SDES item carries (RFC 3550 section 6.5).
    pub const MAX_CNAME_BYTES: usize = 255;
    /// Bytes of an msid. RFC 8830 allows twice 64 and a space; this leaves clients some liberty.
    pub const MAX_MSID_BYTES: usize = 255;
    /// Bytes of a header extension's URI; the longest in use has 85.
    pub const MAX_URI_BYTES: usize = 255;
    /// Bytes of an RTCP feedback's type or parameter, and of a scalability mode.
    pub const MAX_TOKEN_BYTES: usize = 64;
    /// Bytes of a codec parameter's name.
    pub const MAX_PARAMETER_NAME_BYTES: usize = 64;
    /// Bytes of a codec parameter's text; H264 parameter sets in base64 take a few hundred.
    pub const MAX_PARAMETER_TEXT_BYTES: usize = 1024;
}

use limits::{
    MAX_CNAME_BYTES, MAX_CODECS, MAX_ENCODINGS, MAX_FINGERPRINTS, MAX_HEADER_EXTENSIONS, MAX_MSID_BYTES,
    MAX_PARAMETER_NAME_BYTES, MAX_PARAMETER_TEXT_BYTES, MAX_RTCP_FEEDBACK, MAX_STREAM_NAME_BYTES, MAX_TOKEN_BYTES,
    MAX_URI_BYTES,
};

/// What is wrong with parameters or capabilities. The guilty side is the peer that sent them. `field` is the path of
/// the field, such as `codecs[2].parameters`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParameters {
    /// A list beyond its limit.
    #[error("{field} has {count} entries, at most {limit} are allowed")]
    TooMany {
        /// The list.
        field: String,
        /// How many entries it has.
        count: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A text beyond its limit.
    #[error("{field} is {bytes} bytes long, at most {limit} are allowed")]
    TooLong {
        /// The text.
        field: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A list or text that must not be empty.
    #[error("{field} is empty")]
    Empty {
        /// Which.
        field: String,
    },
    /// A payload type above 127.
    #[error("{field} is {payload_type}, a payload type is at most 127")]
    PayloadTypeRange {
        /// Where.
        field: String,
        /// The value.
        payload_type: PayloadType,
    },
    /// A payload type for two codecs.
    #[error("{field} repeats payload type {payload_type}")]
    DuplicatePayloadType {
        /// Where it comes the second time.
        field: String,
        /// The value.
        payload_type: PayloadType,
    },
    /// A clock rate of 0.
    #[error("{field} is 0")]
    ZeroClockRate {
        /// Where.
        field: String,
    },
    /// A codec parameter that is neither number nor text, or an `apt` that is no number.
    #[error("{field} has the wrong type")]
    ParameterType {
        /// The parameter.
        field: String,
    },
    /// A header extension with id 0.
    #[error("{field} is 0, an id is 1 to 255")]
    ExtensionId {
        /// Where.
        field: String,
    },
    /// One id for two header extensions: no packet could be read.
    #[error("{field} repeats header extension id {id}")]
    DuplicateExtensionId {
        /// Where it comes the second time.
        field: String,
        /// The id.
        id: u8,
    },
    /// No codec but retransmission formats.
    #[error("codecs has no media codec")]
    NoMediaCodec,
    /// A stream that cannot be told from the others.
    #[error("{field} has neither ssrc nor rid")]
    UnidentifiedEncoding {
        /// The encoding.
        field: String,
    },
    /// One SSRC or RID for two streams.
    #[error("{field} repeats an earlier ssrc or rid")]
    DuplicateEncoding {
        /// Where it comes the second time.
        field: String,
    },
    /// An encoding that names a codec which is not there, or a retransmission format.
    #[error("{field} names no media codec")]
    EncodingCodec {
        /// Where.
        field: String,
    },
    /// No certificate hash that this server can check.
    #[error("fingerprints has none with sha-256, sha-384 or sha-512")]
    NoFingerprint,
    /// A certificate hash that is none.
    #[error("{field}: {fault}")]
    Fingerprint {
        /// Where.
        field: String,
        /// What is wrong with it.
        fault: FingerprintError,
    },
}

type Check = Result<(), InvalidParameters>;

/// Validates what a producer's owner sent and fills in the defaults: one channel of audio, no DTX, reduced-size RTCP,
/// and one encoding if there is none.
///
/// A producer needs something to be found by: each of several encodings an SSRC or RID, a single one these or the MID.
pub fn validate_rtp_parameters(parameters: &mut RtpParameters) -> Check {
    text("mid", parameters.mid.as_deref(), MAX_STREAM_NAME_BYTES)?;
    text("msid", parameters.msid.as_deref(), MAX_MSID_BYTES)?;
    text("rtcp.cname", parameters.rtcp.cname.as_deref(), MAX_CNAME_BYTES)?;
    count("encodings", parameters.encodings.len(), MAX_ENCODINGS)?;
    if parameters.encodings.is_empty() {
        parameters.encodings.push(RtpEncodingParameters::default());
    }
    check_codecs(parameters)?;
    check_header_extensions(&parameters.header_extensions)?;
    check_encodings(parameters)?;

    for codec in &mut parameters.codecs {
        codec.channels = channels_of(&codec.mime_type, codec.channels);
        fill_parameters(&mut codec.parameters);
    }
    for extension in &mut parameters.header_extensions {
        fill_parameters(&mut extension.parameters);
    }
    for encoding in &mut parameters.encodings {
        encoding.dtx.get_or_insert(false);
    }
    parameters.rtcp.reduced_size = true;
    Ok(())
}

/// Validates what a consumer's owner can receive and fills in the defaults: one channel of audio, and the kind of each
/// codec after its MIME type.
pub fn validate_rtp_capabilities(capabilities: &mut RtpCapabilities) -> Check {
    check_capabilities(capabilities)?;
    for codec in &mut capabilities.codecs {
        codec.kind = codec.mime_type.kind();
        codec.channels = channels_of(&codec.mime_type, codec.channels);
        fill_parameters(&mut codec.parameters);
    }
    Ok(())
}

/// The same without filling in anything.
pub(super) fn check_capabilities(capabilities: &RtpCapabilities) -> Check {
    count("codecs", capabilities.codecs.len(), MAX_CODECS)?;
    for (index, codec) in capabilities.codecs.iter().enumerate() {
        let field = format!("codecs[{index}]");
        if let Some(payload_type) = codec.preferred_payload_type {
            check_payload_type(&format!("{field}.preferredPayloadType"), payload_type)?;
        }
        check_codec(&field, codec.clock_rate, &codec.parameters, &codec.rtcp_feedback)?;
    }
    count("headerExtensions", capabilities.header_extensions.len(), MAX_HEADER_EXTENSIONS)?;
    for (index, extension) in capabilities.header_extensions.iter().enumerate() {
        let field = format!("headerExtensions[{index}]");
        check_extension_id(&format!("{field}.preferredId"), extension.preferred_id)?;
        check_uri(&field, extension.uri.as_str())?;
    }
    Ok(())
}

/// Validates what a peer says of its certificate: at least one hash that can be checked, and none malformed.
pub fn validate_dtls_parameters(parameters: &DtlsParameters) -> Check {
    count("fingerprints", parameters.fingerprints.len(), MAX_FINGERPRINTS)?;
    if parameters.fingerprints.is_empty() {
        return Err(InvalidParameters::NoFingerprint);
    }
    for (index, signalled) in parameters.fingerprints.iter().enumerate() {
        if let Err(fault) = Fingerprint::try_from(signalled) {
            return Err(InvalidParameters::Fingerprint { field: format!("fingerprints[{index}].value"), fault });
        }
    }
    Ok(())
}

fn check_codecs(parameters: &RtpParameters) -> Check {
    count("codecs", parameters.codecs.len(), MAX_CODECS)?;
    for (index, codec) in parameters.codecs.iter().enumerate() {
        let field = format!("codecs[{index}]");
        let payload_type = codec.payload_type;
        check_payload_type(&format!("{field}.payloadType"), payload_type)?;
        if parameters.codecs.iter().take(index).any(|earlier| earlier.payload_type == payload_type) {
            return Err(InvalidParameters::DuplicatePayloadType {
                field: format!("{field}.payloadType"),
                payload_type,
            });
        }
        check_codec(&field, codec.clock_rate, &codec.parameters, &codec.rtcp_feedback)?;
    }
    if parameters.codecs.iter().all(|codec| codec.mime_type.is_rtx()) {
        return Err(InvalidParameters::NoMediaCodec);
    }
    Ok(())
}

fn check_codec(field: &str, clock_rate: u32, parameters: &CodecParameters, feedback: &[RtcpFeedback]) -> Check {
    if clock_rate == 0 {
        return Err(InvalidParameters::ZeroClockRate { field: format!("{field}.clockRate") });
    }
    check_parameters(field, parameters)?;
    count(&format!("{field}.rtcpFeedback"), feedback.len(), MAX_RTCP_FEEDBACK)?;
    for (index, entry) in feedback.iter().enumerate() {
        let field = format!("{field}.rtcpFeedback[{index}]");
        if entry.feedback_type.is_empty() {
            return Err(InvalidParameters::Empty { field: format!("{field}.type") });
        }
        text(&format!("{field}.type"), Some(&entry.feedback_type), MAX_TOKEN_BYTES)?;
        text(&format!("{field}.parameter"), Some(&entry.parameter), MAX_TOKEN_BYTES)?;
    }
    Ok(())
}

/// Their number was limited in decoding.
fn check_parameters(field: &str, parameters: &CodecParameters) -> Check {
    for (name, value) in parameters.iter() {
        text(&format!("{field}.parameters' name"), Some(name), MAX_PARAMETER_NAME_BYTES)?;
        let field = || format!("{field}.parameters.{}", name.escape_debug());
        match value {
            ParameterValue::Bool(_) => return Err(InvalidParameters::ParameterType { field: field() }),
            ParameterValue::Null | ParameterValue::Text(_) if name == "apt" => {
                return Err(InvalidParameters::ParameterType { field: field() });
            }
            ParameterValue::Text(value) => text(&field(), Some(value), MAX_PARAMETER_TEXT_BYTES)?,
            ParameterValue::Null | ParameterValue::Number(_) => {}
        }
    }
    Ok(())
}

/// mediasoup writes an empty text for a parameter without a value.
fn fill_parameters(parameters: &mut CodecParameters) {
    for value in parameters.values_mut() {
        if *value == ParameterValue::Null {
            *value = ParameterValue::Text(String::new());
        }
    }
}

fn check_header_extensions(extensions: &[RtpHeaderExtensionParameters]) -> Check {
    count("headerExtensions", extensions.len(), MAX_HEADER_EXTENSIONS)?;
    for (index, extension) in extensions.iter().enumerate() {
        let field = format!("headerExtensions[{index}]");
        check_extension_id(&format!("{field}.id"), extension.id)?;
        if extensions.iter().take(index).any(|earlier| earlier.id == extension.id) {
            return Err(InvalidParameters::DuplicateExtensionId { field: format!("{field}.id"), id: extension.id });
        }
        check_uri(&field, extension.uri.as_str())?;
        check_parameters(&field, &extension.parameters)?;
    }
    Ok(())
}

fn check_encodings(parameters: &RtpParameters) -> Check {
    let encodings = &parameters.encodings;
    for (index, encoding) in encodings.iter().enumerate() {
        let field = format!("encodings[{index}]");
        text(&format!("{field}.rid"), encoding.rid.as_deref(), MAX_STREAM_NAME_BYTES)?;
        text(&format!("{field}.scalabilityMode"), encoding.scalability_mode.as_deref(), MAX_TOKEN_BYTES)?;
        let rid = encoding.rid.as_deref().filter(|rid| !rid.is_empty());
        let mid_suffices = encodings.len() == 1 && parameters.mid.as_deref().is_some_and(|mid| !mid.is_empty());
        if encoding.ssrc.is_none() && rid.is_none() && !mid_suffices {
            return Err(InvalidParameters::UnidentifiedEncoding { field });
        }
        let ssrcs = |encoding: &RtpEncodingParameters| [encoding.ssrc, encoding.rtx.map(|rtx| rtx.ssrc)];
        let [media, rtx] = ssrcs(encoding);
        let repeats = |earlier: &RtpEncodingParameters| {
            ssrcs(earlier).into_iter().flatten().any(|ssrc| Some(ssrc) == media || Some(ssrc) == rtx)
                || (rid.is_some() && earlier.rid.as_deref() == rid)
        };
        if (media.is_some() && media == rtx) || encodings.iter().take(index).any(repeats) {
            return Err(InvalidParameters::DuplicateEncoding { field });
        }
        if parameters.codec_of(encoding).is_none_or(|codec| codec.mime_type.is_rtx()) {
            return Err(InvalidParameters::EncodingCodec { field: format!("{field}.codecPayloadType") });
        }
    }
    Ok(())
}

fn check_payload_type(field: &str, payload_type: PayloadType) -> Check {
    if payload_type.0 > 127 {
        return Err(InvalidParameters::PayloadTypeRange { field: field.to_owned(), payload_type });
    }
    Ok(())
}

fn check_extension_id(field: &str, id: u8) -> Check {
    if id == 0 {
        return Err(InvalidParameters::ExtensionId { field: field.to_owned() });
    }
    Ok(())
}

fn check_uri(field: &str, uri: &str) -> Check {
    let field = format!("{field}.uri");
    if uri.is_empty() {
        return Err(InvalidParameters::Empty { field });
    }
    text(&field, Some(uri), MAX_URI_BYTES)
}

fn count(field: &str, count: usize, limit: usize) -> Check {
    if count > limit {
        return Err(InvalidParameters::TooMany { field: field.to_owned(), count, limit });
    }
    Ok(())
}

fn text(field: &str, text: Option<&str>, limit: usize) -> Check {
    match text {
        Some(text) if text.len() > limit => {
            Err(InvalidParameters::TooLong { field: field.to_owned(), bytes: text.len(), limit })
        }
        _ => Ok(()),
    }
}
