//! Trace events: what happens to a producer, consumer or transport packet by packet, for whoever asked to see it.
//!
//! Off by default: an object that is not traced pays a test of one byte. Traced packets come by the thousand, and a router's
//! owner who falls behind loses the router, so traces are never waited for: beyond [`MAX_TRACES_WAITING`] they are dropped and
//! counted.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::ids::{ConsumerId, ProducerId, RouterId, Ssrc, TransportId};
use crate::router::RouterEvent;
use crate::rtcp::ntp::NtpTime;

/// Traces that may wait, in the core for the shell and in a router's queue for its owner. A second of one video, and a
/// sixteenth of what may wait in the router's queue in all. At the limit new ones are dropped and counted.
pub const MAX_TRACES_WAITING: usize = 1024;

/// What can be traced of a producer or consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamTraceType {
    /// Every packet, but those told as key frames.
    Rtp,
    /// Packets at the start of a key frame.
    Keyframe,
    /// NACKs, sent for a producer, received for a consumer.
    Nack,
    /// PLIs, likewise.
    Pli,
    /// FIRs, likewise.
    Fir,
    /// Sender reports, received for a producer, sent for a consumer.
    Sr,
}

/// What can be traced of a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportTraceType {
    /// Probes of the path to the peer.
    Probation,
    /// What the path to the peer is estimated to carry.
    Bwe,
}

/// What is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceTarget {
    /// A transport.
    Transport(TransportId),
    /// A producer.
    Producer(ProducerId),
    /// A consumer.
    Consumer(ConsumerId),
}

/// Something that happened, as mediasoup's `trace` event has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceEvent {
    /// When, in milliseconds since 1970.
    pub timestamp: u64,
    /// Which way.
    pub direction: TraceDirection,
    /// `type` and `info`.
    #[serde(flatten)]
    pub info: TraceInfo,
}

/// Which way something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceDirection {
    /// From the peer to us.
    In,
    /// From us to the peer.
    Out,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "info", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum TraceInfo {
    /// A packet.
    Rtp {
        /// The packet.
        rtp_packet: RtpTrace,
        /// Whether it came or went as a retransmission (RFC 4588).
        is_rtx: bool,
    },
    /// A packet at the start of a key frame.
    Keyframe {
        /// The packet.
        rtp_packet: RtpTrace,
        /// Whether it came or went as a retransmission (RFC 4588).
        is_rtx: bool,
    },
    /// A NACK.
    Nack {
        /// The stream with the losses.
        ssrc: Ssrc,
        /// Packets asked for.
        packets: usize,
    },
    /// A PLI.
    Pli {
        /// The stream that a key frame is wanted of.
        ssrc: Ssrc,
    },
    /// A FIR.
    Fir {
        /// The stream that a key frame is wanted of.
        ssrc: Ssrc,
    },
    /// A sender report (RFC 3550 section 6.4.1).
    Sr {
        /// The stream that it is about.
        ssrc: Ssrc,
        /// Seconds of the sender's wall clock, since 1900.
        ntp_sec: u32,
        /// Their fraction, in 1/2^32 s.
        ntp_frac: u32,
        /// The RTP timestamp of the same moment.
        rtp_ts: u32,
        /// Packets sent so far.
        packet_count: u32,
        /// Payload bytes sent so far.
        octet_count: u32,
    },
    /// Probing of the path to the peer.
    Probation {
        /// The rate that is tried, in bits per second.
        target_bitrate: u64,
    },
    /// An estimate of the path to the peer.
    Bwe(BweTrace),
}

impl TraceInfo {
    pub(crate) fn sender_report(ssrc: Ssrc, ntp: NtpTime, rtp_ts: u32, packet_count: u32, octet_count: u32) -> Self {
        let (ntp_sec, ntp_frac) = ((ntp.0 >> 32) as u32, ntp.0 as u32);
        Self::Sr { ssrc, ntp_sec, ntp_frac, rtp_ts, packet_count, octet_count }
    }

    /// What it is a trace of.
    fn bit(&self) -> u8 {
        match self {
            Self::Rtp { .. } => bit(StreamTraceType::Rtp),
            Self::Keyframe { .. } => bit(StreamTraceType::Keyframe),
            Self::Nack { .. } => bit(StreamTraceType::Nack),
            Self::Pli { .. } => bit(StreamTraceType::Pli),
            Self::Fir { .. } => bit(StreamTraceType::Fir),
            Self::Sr { .. } => bit(StreamTraceType::Sr),
            Self::Probation { .. } => transport_bit(TransportTraceType::Probation),
            Self::Bwe(_) => transport_bit(TransportTraceType::Bwe),
        }
    }
}

/// A packet in a trace. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpTrace {
    /// As on the wire.
    pub payload_type: u8,
    /// Of the original also when it was a retransmission.
    pub sequence_number: u16,
    /// The RTP timestamp.
    pub timestamp: u32,
    /// The marker bit.
    pub marker: bool,
    /// The stream, of the original also when it was a retransmission.
    pub ssrc: Ssrc,
    /// Whether a key frame starts in it.
    pub is_key_frame: bool,
    /// The RTP packet, without what SRTP adds.
    pub size: usize,
    /// Its payload.
    pub payload_size: usize,
    /// The layer inside the stream.
    pub spatial_layer: u8,
    /// The layer inside the stream.
    pub temporal_layer: u8,
    /// Its MID (RFC 8843), where it came with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mid: Option<String>,
    /// Its RID (RFC 8852), where it came with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// The transport-wide number that it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wide_sequence_number: Option<u16>,
}

/// An estimate of the path to a peer, in bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BweTrace {
    /// What the peer's consumers would like.
    pub desired_bitrate: u64,
    /// The least that is given out.
    pub min_bitrate: u64,
    /// The most that is given out.
    pub max_bitrate: u64,
    /// What was assumed at the start.
    pub start_bitrate: u64,
    /// The estimate.
    pub available_bitrate: u64,
}

/// What is traced of an object: a bit for each type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traces(u8);

impl Traces {
    pub(crate) fn of_stream(types: &[StreamTraceType]) -> Self {
        Self(types.iter().fold(0, |bits, kind| bits | bit(*kind)))
    }

    pub(crate) fn of_transport(types: &[TransportTraceType]) -> Self {
        Self(types.iter().fold(0, |bits, kind| bits | transport_bit(*kind)))
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether each packet must be looked at.
    pub(crate) fn wants_packets(self) -> bool {
        self.0 & (bit(StreamTraceType::Rtp) | bit(StreamTraceType::Keyframe)) != 0
    }

    /// What a packet is told as.
    pub(crate) fn packet(self, rtp_packet: RtpTrace, is_rtx: bool) -> TraceInfo {
        if rtp_packet.is_key_frame && self.0 & bit(StreamTraceType::Keyframe) != 0 {
            TraceInfo::Keyframe { rtp_packet, is_rtx }
        } else {
            TraceInfo::Rtp { rtp_packet, is_rtx }
        }
    }

    fn has(self, info: &TraceInfo) -> bool {
        self.0 & info.bit() != 0
    }
}

fn bit(kind: StreamTraceType) -> u8 {
    1 << kind as u8
}

fn transport_bit(kind: TransportTraceType) -> u8 {
    1 << (kind as u8 + 6)
}

/// Who hears what of which object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traced {
    pub(crate) router: RouterId,
    pub(crate) target: TraceTarget,
    pub(crate) traces: Traces,
}

/// Traces on their way out of the core.
#[derive(Debug, Default)]
pub(crate) struct TraceQueue {
    waiting: VecDeque<(RouterId, TraceTarget, Box<TraceEvent>)>,
    dropped: u64,
}

impl TraceQueue {
    /// Tells what happened to an object, if its owner asked for that.
    pub(crate) fn tell(&mut self, traced: Traced, ntp: NtpTime, direction: TraceDirection, info: TraceInfo) {
        if !traced.traces.has(&info) {
            return;
        }
        if self.waiting.len() >= MAX_TRACES_WAITING {
            self.dropped += 1;
            return;
        }
        let event = TraceEvent { timestamp: ntp.unix_ms(), direction, info };
        self.waiting.push_back((traced.router, traced.target, Box::new(event)));
    }

    pub(crate) fn pop(&mut self) -> Option<(RouterId, RouterEvent)> {
        self.waiting.pop_front().map(|(router, target, event)| (router, RouterEvent::Trace { target, event }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Counts one that was dropped further on.
    pub(crate) fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Nobody hears of a closed router.
    pub(crate) fn forget_router(&mut self, router: RouterId) {
        self.waiting.retain(|(of, _, _)| *of != router);
    }
}

#[cfg(test)]
mod tests;
