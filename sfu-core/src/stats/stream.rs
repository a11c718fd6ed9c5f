//! What `getStats` says of one stream of a producer or consumer.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::Ssrc;
use crate::parameters::MediaKind;

/// Statistics of one stream, field for field mediasoup's `ProducerStat` and `ConsumerStat`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamStat {
    /// `type`, and what only one direction has.
    #[serde(flatten)]
    pub direction: StreamDirection,
    /// When this was true, in milliseconds since 1970.
    pub timestamp: u64,
    /// The stream.
    pub ssrc: Ssrc,
    /// Its retransmissions' stream (RFC 4588).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<Ssrc>,
    /// Its RID, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Audio or video.
    pub kind: MediaKind,
    /// Its codec.
    pub mime_type: String,
    /// 0 to 10.
    pub score: u8,
    /// The smoothed round trip to the receiver in milliseconds, where it is known: of what we send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_time: Option<f64>,
    /// The rate over the last second, in bits per second.
    pub bitrate: u64,
    /// What was counted.
    #[serde(flatten)]
    pub counts: StreamCounts,
}

/// A stream's direction.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum StreamDirection {
    /// From a peer to us.
    #[serde(rename = "inbound-rtp", rename_all = "camelCase")]
    Inbound {
        /// Interarrival jitter in timestamp units (RFC 3550 section 6.4.1).
        jitter: u32,
        /// The rate of each layer inside the stream with the lower ones that it needs, by `"<spatial>.<temporal>"`, in bits per
        /// second; empty when there is but one layer.
        bitrate_by_layer: BTreeMap<String, u64>,
    },
    /// From us to a peer.
    #[serde(rename = "outbound-rtp")]
    Outbound,
}

/// A stream's counters over its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamCounts {
    /// Packets that did not arrive; negative if duplicates outnumber losses.
    pub packets_lost: i64,
    /// The part lost in the last report's interval, in 1/256.
    pub fraction_lost: u8,
    /// Packets dropped where they arrived: too old, or an unconfirmed jump.
    pub packets_discarded: u64,
    /// Retransmissions that came or went.
    pub packets_retransmitted: u64,
    /// Packets that retransmissions made up for; where we send, those sent again at least once.
    pub packets_repaired: u64,
    /// NACK messages sent (inbound) or received (outbound).
    pub nack_count: u64,
    /// Packets asked for by them.
    pub nack_packet_count: u64,
    /// PLIs sent or received.
    pub pli_count: u64,
    /// FIRs sent or received.
    pub fir_count: u64,
    /// Packets that came or went, retransmissions apart from those that made up for a loss.
    pub packet_count: u64,
    /// Bytes of these packets with their RTP headers.
    pub byte_count: u64,
    /// Packets of the retransmissions' stream that were dropped where they arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_packets_discarded: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> StreamCounts {
        StreamCounts {
            packets_lost: -1,
            fraction_lost: 2,
            packets_discarded: 3,
            packets_retransmitted: 4,
            packets_repaired: 5,
            nack_count: 6,
            nack_packet_count: 7,
            pli_count: 8,
            fir_count: 9,
            packet_count: 10,
            byte_count: 11,
            rtx_packets_discarded: Some(12),
        }
    }

    /// Harm prevented: a dashboard made for mediasoup reads nothing.
    #[test]
    fn fields_are_named_as_mediasoup_names_them_and_what_is_unknown_is_absent() {
        let inbound = StreamStat {
            direction: StreamDirection::Inbound {
                jitter: 1,
                bitrate_by_layer: BTreeMap::from([("0.1".to_owned(), 2), ("0.0".to_owned(), 1)]),
            },
            timestamp: 2,
            ssrc: Ssrc(3),
            rtx_ssrc: Some(Ssrc(4)),
            rid: Some("r0".to_owned()),
            kind: MediaKind::Video,
            mime_type: "video/VP8".to_owned(),
            score: 5,
            round_trip_time: Some(6.5),
            bitrate: 7,
            counts: counts(),
        };
        let mut expected = serde_json::json!({
            "type": "inbound-rtp", "jitter": 1, "bitrateByLayer": {"0.0": 1, "0.1": 2},
            "timestamp": 2, "ssrc": 3, "rtxSsrc": 4, "rid": "r0", "kind": "video", "mimeType": "video/VP8",
            "score": 5, "roundTripTime": 6.5, "bitrate": 7,
            "packetsLost": -1, "fractionLost": 2, "packetsDiscarded": 3, "packetsRetransmitted": 4,
            "packetsRepaired": 5, "nackCount": 6, "nackPacketCount": 7, "pliCount": 8, "firCount": 9,
            "packetCount": 10, "byteCount": 11, "rtxPacketsDiscarded": 12
        });
        assert_eq!(serde_json::to_value(&inbound).unwrap(), expected);

        let outbound = StreamStat {
            direction: StreamDirection::Outbound,
            rtx_ssrc: None,
            rid: None,
            round_trip_time: None,
            counts: StreamCounts { rtx_packets_discarded: None, ..counts() },
            ..inbound
        };
        let object = expected.as_object_mut().unwrap();
        object.insert("type".to_owned(), "outbound-rtp".into());
        for absent in ["jitter", "bitrateByLayer", "rtxSsrc", "rid", "roundTripTime", "rtxPacketsDiscarded"] {
            object.remove(absent);
        }
        assert_eq!(serde_json::to_value(&outbound).unwrap(), expected);
    }
}
