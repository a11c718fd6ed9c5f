//! What `getStats` says of a transport.

use std::net::IpAddr;

use serde::Serialize;

use crate::dtls::DtlsState;
use crate::ice::IceState;
use crate::ids::TransportId;
use crate::transport::tuple::{Protocol, Tuple};

/// Statistics of a transport, field for field mediasoup's `WebRtcTransportStat` (there is no SCTP state). Bitrates are in bits
/// per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "type", rename = "webrtc-transport")]
pub struct TransportStat {
    /// Which transport.
    pub transport_id: TransportId,
    /// When this was true, in milliseconds since 1970.
    pub timestamp: u64,
    /// Everything received, in bytes.
    pub bytes_received: u64,
    /// Its rate.
    pub recv_bitrate: u64,
    /// Everything sent, in bytes.
    pub bytes_sent: u64,
    /// Its rate.
    pub send_bitrate: u64,
    /// Media received, without retransmissions, in bytes.
    pub rtp_bytes_received: u64,
    /// Its rate.
    pub rtp_recv_bitrate: u64,
    /// Media sent, without retransmissions, in bytes.
    pub rtp_bytes_sent: u64,
    /// Its rate.
    pub rtp_send_bitrate: u64,
    /// Retransmissions received, in bytes.
    pub rtx_bytes_received: u64,
    /// Their rate.
    pub rtx_recv_bitrate: u64,
    /// Retransmissions sent, in bytes.
    pub rtx_bytes_sent: u64,
    /// Their rate.
    pub rtx_send_bitrate: u64,
    /// Probes sent, in bytes.
    pub probation_bytes_sent: u64,
    /// Their rate.
    pub probation_send_bitrate: u64,
    /// What the path to and from the peer carries, and may carry.
    #[serde(flatten)]
    pub bandwidth: Bandwidth,
    /// The part of the peer's media that was lost in the streams' latest intervals, 0 to 1; absent while nothing was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtp_packet_loss_received: Option<f64>,
    /// The part of our media that was lost by the peer's latest reports, 0 to 1; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtp_packet_loss_sent: Option<f64>,
    /// Always controlled.
    pub ice_role: IceRole,
    /// The state of ICE.
    pub ice_state: IceState,
    /// The path that is used, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_selected_tuple: Option<SelectedTuple>,
    /// The state of DTLS.
    pub dtls_state: DtlsState,
}

/// What a transport's path carries by estimate and may carry by configuration, in bits per second; absent where nothing is
/// known or set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bandwidth {
    /// Estimated, to the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_outgoing_bitrate: Option<u64>,
    /// Estimated, from the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_incoming_bitrate: Option<u64>,
    /// The most that the peer is told to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_incoming_bitrate: Option<u64>,
    /// The most that the peer is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_outgoing_bitrate: Option<u64>,
}

/// Our part in ICE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IceRole {
    /// The peer nominates (RFC 8445 section 2.5: a lite agent's part).
    Controlled,
}

/// A path between a peer and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectedTuple {
    /// Our address.
    pub local_address: IpAddr,
    /// Our port.
    pub local_port: u16,
    /// The peer's address, as we see it.
    pub remote_ip: IpAddr,
    /// The peer's port, as we see it.
    pub remote_port: u16,
    /// How datagrams travel.
    pub protocol: Protocol,
}

impl From<Tuple> for SelectedTuple {
    fn from(tuple: Tuple) -> Self {
        Self {
            local_address: tuple.local.ip(),
            local_port: tuple.local.port(),
            remote_ip: tuple.remote.ip(),
            remote_port: tuple.remote.port(),
            protocol: tuple.protocol,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    /// Harm prevented: a dashboard made for mediasoup reads nothing.
    #[test]
    fn fields_are_named_as_mediasoup_names_them_and_what_is_unknown_is_absent() {
        let transport_id = TransportId::random(&mut StdRng::seed_from_u64(1));
        let tuple = Tuple {
            protocol: Protocol::Udp,
            local: ([192, 0, 2, 1], 40_000).into(),
            remote: ([198, 51, 100, 1], 50_000).into(),
        };
        let mut stat = TransportStat {
            transport_id,
            timestamp: 1,
            bytes_received: 2,
            recv_bitrate: 3,
            bytes_sent: 4,
            send_bitrate: 5,
            rtp_bytes_received: 6,
            rtp_recv_bitrate: 7,
            rtp_bytes_sent: 8,
            rtp_send_bitrate: 9,
            rtx_bytes_received: 10,
            rtx_recv_bitrate: 11,
            rtx_bytes_sent: 12,
            rtx_send_bitrate: 13,
            probation_bytes_sent: 14,
            probation_send_bitrate: 15,
            bandwidth: Bandwidth {
                available_outgoing_bitrate: Some(16),
                available_incoming_bitrate: Some(17),
                max_incoming_bitrate: Some(18),
                max_outgoing_bitrate: Some(19),
            },
            rtp_packet_loss_received: Some(0.25),
            rtp_packet_loss_sent: Some(0.5),
            ice_role: IceRole::Controlled,
            ice_state: IceState::Completed,
            ice_selected_tuple: Some(tuple.into()),
            dtls_state: DtlsState::Connected,
        };
        let expected = serde_json::json!({
            "type": "webrtc-transport", "transportId": transport_id.to_string(), "timestamp": 1,
            "bytesReceived": 2, "recvBitrate": 3, "bytesSent": 4, "sendBitrate": 5,
            "rtpBytesReceived": 6, "rtpRecvBitrate": 7, "rtpBytesSent": 8, "rtpSendBitrate": 9,
            "rtxBytesReceived": 10, "rtxRecvBitrate": 11, "rtxBytesSent": 12, "rtxSendBitrate": 13,
            "probationBytesSent": 14, "probationSendBitrate": 15,
            "availableOutgoingBitrate": 16, "availableIncomingBitrate": 17,
            "maxIncomingBitrate": 18, "maxOutgoingBitrate": 19,
            "rtpPacketLossReceived": 0.25, "rtpPacketLossSent": 0.5,
            "iceRole": "controlled", "iceState": "completed", "dtlsState": "connected",
            "iceSelectedTuple": {
                "localAddress": "192.0.2.1", "localPort": 40000,
                "remoteIp": "198.51.100.1", "remotePort": 50000, "protocol": "udp"
            }
        });
        assert_eq!(serde_json::to_value(&stat).unwrap(), expected);

        stat.bandwidth = Bandwidth::default();
        (stat.rtp_packet_loss_received, stat.rtp_packet_loss_sent, stat.ice_selected_tuple) = (None, None, None);
        let value = serde_json::to_value(&stat).unwrap();
        assert!(value.as_object().unwrap().values().all(|value| !value.is_null()), "{value}");
    }
}
