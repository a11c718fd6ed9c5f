//! From the URIs of negotiation to the ids of packets.

use crate::parameters::{HeaderExtensionUri, RtpParameters};
use crate::rtp::extensions::{ExtensionIds, ExtensionKind};

/// Adds the header extensions of `parameters` to `ids`. Those that the media plane does not know stay unread. Validated
/// parameters hold no reserved id but 15, which one-byte blocks cannot carry: such an extension stays unread as well.
pub(crate) fn extension_ids(parameters: &RtpParameters, ids: &mut ExtensionIds) {
    for extension in &parameters.header_extensions {
        if let Some(kind) = kind(&extension.uri)
            && ids.set(kind, extension.id).is_err()
        {
            tracing::debug!(id = extension.id, uri = extension.uri.as_str(), "a header extension with a reserved id");
        }
    }
}

fn kind(uri: &HeaderExtensionUri) -> Option<ExtensionKind> {
    Some(match uri {
        HeaderExtensionUri::Mid => ExtensionKind::Mid,
        HeaderExtensionUri::RtpStreamId => ExtensionKind::Rid,
        HeaderExtensionUri::RepairedRtpStreamId => ExtensionKind::RepairedRid,
        HeaderExtensionUri::AbsSendTime => ExtensionKind::AbsSendTime,
        HeaderExtensionUri::TransportWideCc => ExtensionKind::TransportCc,
        HeaderExtensionUri::SsrcAudioLevel => ExtensionKind::AudioLevel,
        HeaderExtensionUri::VideoOrientation => ExtensionKind::VideoOrientation,
        HeaderExtensionUri::TransmissionTimeOffset => ExtensionKind::TransmissionOffset,
        HeaderExtensionUri::AbsCaptureTime => ExtensionKind::AbsCaptureTime,
        HeaderExtensionUri::PlayoutDelay => ExtensionKind::PlayoutDelay,
        HeaderExtensionUri::DependencyDescriptor => ExtensionKind::DependencyDescriptor,
        HeaderExtensionUri::MediasoupPacketId | HeaderExtensionUri::Other(_) => return None,
    })
}
