//! One producer as it is sent to one peer: rewriting, retransmission, reports.

pub mod rewriter;
pub mod send_history;
pub mod send_stats;

use std::num::NonZeroU32;
use std::time::Instant;

use rand::{Rng, RngCore};

use self::rewriter::{SequenceRewriter, TimestampRewriter};
use self::send_history::{AUDIO_HISTORY_PACKETS, SendHistory, VIDEO_HISTORY_PACKETS};
use self::send_stats::SendStats;
use crate::ids::{ConsumerId, PayloadType, RouterId, Ssrc};
use crate::parameters::MediaKind;
use crate::producer::MediaPayload;
use crate::rtcp::outgoing::Cname;
use crate::rtcp::schedule::{AUDIO_REPORT_INTERVAL, ReportSchedule, VIDEO_REPORT_INTERVAL};
use crate::rtp::codecs::FrameInfo;
use crate::rtp::writer::ExtensionPlan;
use crate::srtp::SealStream;
use crate::stats::{TraceTarget, Traced, Traces};
use crate::worker::{ProducerKey, TransportKey};

/// Where a consumer's retransmissions go when RTX was negotiated (RFC 4588).
#[derive(Debug)]
pub(crate) struct RtxTarget {
    pub(crate) ssrc: Ssrc,
    /// By media payload type, as the consumer gets it.
    pub(crate) payload_types: Vec<(PayloadType, PayloadType)>,
    pub(crate) next_sequence: u16,
    pub(crate) seal: SealStream,
}

/// What a consumer is made with, from its negotiated parameters.
#[derive(Debug)]
pub(crate) struct ConsumerSetup {
    pub(crate) id: ConsumerId,
    pub(crate) producer: ProducerKey,
    pub(crate) transport: TransportKey,
    pub(crate) kind: MediaKind,
    pub(crate) ssrc: Ssrc,
    pub(crate) rtx: Option<RtxTarget>,
    /// Payload types that the peer takes.
    pub(crate) payload_types: Vec<PayloadType>,
    pub(crate) plan: ExtensionPlan,
    pub(crate) clock_rate_hz: u32,
    pub(crate) cname: Cname,
    pub(crate) paused: bool,
}

/// A consumer.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    pub(crate) producer: ProducerKey,
    pub(crate) transport: TransportKey,
    pub(crate) kind: MediaKind,
    pub(crate) ssrc: Ssrc,
    pub(crate) rtx: Option<RtxTarget>,
    /// A bit for each payload type that the peer takes.
    payload_types: u128,
    pub(crate) plan: ExtensionPlan,
    pub(crate) cname: Cname,
    pub(crate) paused: bool,
    pub(crate) seal: SealStream,
    pub(crate) history: SendHistory,
    pub(crate) stats: SendStats,
    pub(crate) reports: ReportSchedule,
    sequences: SequenceRewriter,
    pub(crate) timestamps: TimestampRewriter,
    /// The encoding that is being forwarded. Kept over pauses, for the timeline is its.
    pub(crate) source: Option<usize>,
    /// Whether the next packet forwarded must be one that a decoder can start with.
    pub(crate) needs_start: bool,
    pub(crate) traces: Traces,
}

/// A producer's packet as a consumer looks at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) encoding: usize,
    /// The encoding to change to when its key frame comes.
    pub(crate) best: usize,
    pub(crate) media: MediaPayload,
    pub(crate) sequence_number: u16,
    pub(crate) timestamp: u32,
    pub(crate) frame: FrameInfo,
    /// Padding alone, sent to probe the publisher's path: says nothing to anybody else.
    pub(crate) is_empty: bool,
    /// The source's sequence numbers started anew.
    pub(crate) restarted: bool,
}

/// What a packet becomes for one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) sequence_number: u16,
    pub(crate) timestamp: u32,
    /// The stream starts, or starts anew, with this packet.
    pub(crate) starts: bool,
}

impl Consumer {
    pub(crate) fn new(now: Instant, setup: ConsumerSetup, rng: &mut impl RngCore) -> Self {
        let (packets, interval) = match setup.kind {
            MediaKind::Audio => (AUDIO_HISTORY_PACKETS, AUDIO_REPORT_INTERVAL),
            MediaKind::Video => (VIDEO_HISTORY_PACKETS, VIDEO_REPORT_INTERVAL),
        };
        Self {
            id: setup.id,
            producer: setup.producer,
            transport: setup.transport,
            kind: setup.kind,
            ssrc: setup.ssrc,
            rtx: setup.rtx,
            payload_types: setup.payload_types.iter().fold(0, |bits, payload_type| bits | bit(*payload_type)),
            plan: setup.plan,
            cname: setup.cname,
            paused: setup.paused,
            seal: SealStream::new(setup.ssrc),
            history: SendHistory::new(packets),
            stats: SendStats::new(setup.ssrc, setup.clock_rate_hz),
            reports: ReportSchedule::new(interval, now, rng),
            sequences: SequenceRewriter::new(first_sequence(rng)),
            timestamps: TimestampRewriter::new(rng.random()),
            source: None,
            needs_start: true,
            traces: Traces::default(),
        }
    }

    pub(crate) fn takes(&self, payload_type: PayloadType) -> bool {
        self.payload_types & bit(payload_type) != 0
    }

    /// Who hears what of it.
    pub(crate) fn traced(&self, router: RouterId) -> Traced {
        Traced { router, target: TraceTarget::Consumer(self.id), traces: self.traces }
    }

    /// Nothing more is sent until a packet comes that a decoder can start with.
    pub(crate) fn stop(&mut self) {
        self.needs_start = true;
    }

    /// Whether a key frame of `best` would get this consumer going, or further.
    pub(crate) fn wants_key_frame(&self, best: usize) -> bool {
        !self.paused && self.kind == MediaKind::Video && (self.needs_start || self.source != Some(best))
    }

    /// Decides about a packet and gives it its numbers. `None`: not for this consumer, now or ever.
    pub(crate) fn admit(&mut self, now: Instant, packet: &Candidate) -> Option<Admission> {
        if self.paused || !self.takes(packet.media.mapped) {
            return None;
        }
        let current = self.source == Some(packet.encoding) && !self.needs_start;
        let starts = if current {
            // The old layer flows until the new one can be decoded.
            packet.restarted
        } else {
            if packet.encoding != packet.best || !packet.frame.key_frame {
                return None;
            }
            true
        };
        if packet.is_empty {
            if current {
                self.sequences.skip(packet.sequence_number);
            }
            return None;
        }
        if starts {
            self.start(now, packet);
        }
        let sequence_number = self.sequences.rewrite(packet.sequence_number)?;
        let timestamp = self.timestamps.rewrite(packet.timestamp, now);
        Some(Admission { sequence_number, timestamp, starts })
    }

    fn start(&mut self, now: Instant, packet: &Candidate) {
        self.sequences.resync(packet.sequence_number);
        if (self.source != Some(packet.encoding) || packet.restarted)
            && let Some(clock_rate) = NonZeroU32::new(packet.media.clock_rate_hz)
        {
            self.timestamps.switch_source(packet.timestamp, now, clock_rate);
        }
        self.source = Some(packet.encoding);
        self.needs_start = false;
    }
}

/// A payload type has seven bits.
fn bit(payload_type: PayloadType) -> u128 {
    1 << (payload_type.0 & 0x7f)
}

/// Random, so that what a stranger guesses of one stream says nothing of another (RFC 3550 section 5.1), and in the lower
/// half, so that losing the first packets never makes a receiver guess a wrong rollover counter (RFC 3711 section 3.3.1).
pub(crate) fn first_sequence(rng: &mut impl RngCore) -> u16 {
    rng.random::<u16>() >> 1
}

#[cfg(test)]
mod tests;
