//! RTP header extensions by their URI.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Defines the enum with both directions of the text form, so that a URI is written once.
macro_rules! header_extension_uris {
    ($($(#[$doc:meta])* $name:ident = $uri:literal,)*) => {
        /// What an RTP header extension means (RFC 8285). On the wire it is the URI.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum HeaderExtensionUri {
            $($(#[$doc])* $name,)*
            /// One that this server attaches no meaning to. Its length is judged by validation.
            Other(String),
        }

        impl HeaderExtensionUri {
            /// The URI as it is written in SDP and on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $uri,)*
                    Self::Other(uri) => uri,
                }
            }
        }

        impl From<String> for HeaderExtensionUri {
            fn from(uri: String) -> Self {
                match uri.as_str() {
                    $($uri => Self::$name,)*
                    _ => Self::Other(uri),
                }
            }
        }
    };
}

header_extension_uris! {
    /// The media section that a packet belongs to (RFC 9143 section 15.2).
    Mid = "urn:ietf:params:rtp-hdrext:sdes:mid",
    /// The name of a simulcast stream (RFC 8852 section 3.1).
    RtpStreamId = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    /// The name of the simulcast stream that a retransmission belongs to (RFC 8852 section 3.2).
    RepairedRtpStreamId = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    /// When the packet left its sender, 24 bits of 6.18 fixed-point seconds.
    AbsSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    /// The transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2).
    TransportWideCc = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    /// The audio level of a packet (RFC 6464).
    SsrcAudioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    /// What a frame depends on (AV1 RTP specification, appendix A).
    DependencyDescriptor = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    /// How a picture is to be turned (3GPP TS 26.114 section 7.4.5).
    VideoOrientation = "urn:3gpp:video-orientation",
    /// The offset from capture to sending (RFC 5450).
    TransmissionTimeOffset = "urn:ietf:params:rtp-hdrext:toffset",
    /// When a frame was captured, as an NTP timestamp.
    AbsCaptureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    /// The delay that the receiver should aim at.
    PlayoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    /// mediasoup's own numbering of packets within one of its workers.
    MediasoupPacketId = "urn:mediasoup:params:rtp-hdrext:packet-id",
}

impl fmt::Display for HeaderExtensionUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for HeaderExtensionUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for HeaderExtensionUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
