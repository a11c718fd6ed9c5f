//! Redundant audio (`audio/red`, RFC 2198): a format that carries another codec, Opus, and is never alone.
//!
//! In SDP its parameters are a list of payload types, `a=fmtp:63 111/111`, the primary one first, without a name. In a
//! client's capabilities that list stands as a name without a value. Here it is the value of the empty name: mediasoup-client
//! writes `=111/111` of it, which libwebrtc reads as the list, while it drops RED from its answer at `111/111=`.

use crate::ids::PayloadType;
use crate::parameters::{CodecParameters, MediaKind, MimeType, ParameterValue, RtpCodecParameters};

/// Whether a codec is redundant audio.
pub(crate) fn is_red(mime_type: &MimeType) -> bool {
    mime_type.kind() == MediaKind::Audio && mime_type.is_codec("red")
}

/// Whether redundant audio may carry a codec.
pub(super) fn is_carried(mime_type: &MimeType) -> bool {
    mime_type.kind() == MediaKind::Audio && mime_type.is_codec("opus")
}

/// The parameters of redundant audio with one repeated block of the same codec as the primary one.
pub(super) fn parameters(carried: PayloadType) -> CodecParameters {
    [("", ParameterValue::Text(format!("{carried}/{carried}")))].into_iter().collect()
}

/// The codec of the primary blocks of `red`, among `codecs`: the one that its parameters name, and if they name none
/// (JSON loses a name without a value), the first that can be carried.
pub(crate) fn primary_codec<'a>(
    red: &RtpCodecParameters,
    codecs: &'a [RtpCodecParameters],
) -> Option<&'a RtpCodecParameters> {
    let mut carried = codecs.iter().filter(|codec| is_carried(&codec.mime_type));
    match named_primary(&red.parameters) {
        Some(payload_type) => carried.find(|codec| codec.payload_type == payload_type),
        None => carried.next(),
    }
}

/// The first payload type of the list, wherever a client has put it.
fn named_primary(parameters: &CodecParameters) -> Option<PayloadType> {
    parameters.iter().find_map(|(name, value)| {
        let list = match value {
            ParameterValue::Text(list) if name.is_empty() => list,
            _ => name,
        };
        let (first, _) = list.split_once('/')?;
        first.trim().parse().ok().map(PayloadType)
    })
}

#[cfg(test)]
mod tests;
