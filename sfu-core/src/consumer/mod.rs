//! One producer as it is sent to one peer: rewriting, retransmission, reports.

pub mod rewriter;
pub(crate) mod selector;
pub mod send_history;
pub mod send_stats;
mod wishes;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use rand::{Rng, RngCore};

use self::rewriter::{ClockReports, Numbering, PictureRewriter, SequenceRewriter, TimestampRewriter};
use self::selector::{Decision, LayerSelector, Layering};
use self::send_history::{AUDIO_HISTORY_PACKETS, SendHistory, VIDEO_HISTORY_PACKETS};
use self::send_stats::SendStats;
use crate::ids::{ConsumerId, PayloadType, RouterId, Ssrc};
use crate::parameters::MediaKind;
use crate::producer::MediaPayload;
use crate::producer::receive_stream::SourceReport;
use crate::router::SuspendReason;
use crate::rtcp::outgoing::Cname;
use crate::rtcp::schedule::{AUDIO_REPORT_INTERVAL, ReportSchedule, VIDEO_REPORT_INTERVAL};
use crate::rtp::codecs::FrameInfo;
use crate::rtp::layers::Layers;
use crate::rtp::writer::ExtensionPlan;
use crate::srtp::SealStream;
use crate::stats::{TraceTarget, Traced, Traces};
use crate::worker::{ProducerKey, TransportKey};

/// How long a packet waits at most for the next one to tell its marker. Paths halt for tens of milliseconds in the midst of a
/// picture, and what comes behind a picture's end is left out: with 40 ms a jitter of 60 ms cost a key frame every three seconds,
/// with 80 ms none. Nobody notices it of a picture after which nothing moves; while pictures come, the next one tells sooner.
pub const MAX_HOLD: Duration = Duration::from_millis(80);

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
    pub(crate) layering: Layering,
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
    /// Among those of its transport when not everything fits: higher goes first.
    pub(crate) priority: u8,
    /// What the peer's path allows, once that was decided; `Some(None)`: nothing.
    pub(crate) allowed: Option<Option<Layers>>,
    /// The layers of the producer that it is counted as a user of, a bit for each.
    pub(crate) counted_layers: u8,
    /// Why nothing flows, if that is not its owner's doing or its producer's.
    pub(crate) suspended: Option<SuspendReason>,
    /// The worker has more to forward than it can, and this is among what it leaves out.
    pub(crate) is_shed: bool,
    pub(crate) seal: SealStream,
    pub(crate) history: SendHistory,
    pub(crate) stats: SendStats,
    pub(crate) reports: ReportSchedule,
    pub(crate) selector: LayerSelector,
    sequences: SequenceRewriter,
    pub(crate) timestamps: TimestampRewriter,
    /// There from the first packet of a codec with picture ids.
    pictures: Option<Box<PictureRewriter>>,
    /// Waits for the next packet to tell its marker. Its sequence number is given when it leaves.
    held: Option<Held>,
    /// How long it waits at most.
    held_until: Option<Instant>,
    pub(crate) traces: Traces,
}

/// A producer's packet as a consumer looks at it.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) encoding: usize,
    pub(crate) media: MediaPayload,
    /// The unwrapped sequence number; its low half is the number on the wire.
    pub(crate) extended: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) frame: FrameInfo,
    /// Padding alone, sent to probe the publisher's path: says nothing to anybody else.
    pub(crate) is_empty: bool,
    /// The source's sequence numbers started anew.
    pub(crate) restarted: bool,
    /// The latest sender report of an encoding.
    pub(crate) reports: &'a dyn Fn(usize) -> Option<SourceReport>,
}

/// What a packet becomes for one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) sequence_number: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    /// The picture id and the TL0PICIDX to be written into the payload; the latter only where the payload has one.
    pub(crate) numbers: Option<(u16, u8)>,
    /// The stream starts, or starts anew, with this packet.
    pub(crate) starts: bool,
}

/// What is to be done with a packet for one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing, now or ever.
    Drop,
    /// It is to be sent.
    Send(Admission),
    /// It comes out of [`Consumer::take_held`] with one of the next packets.
    Hold {
        /// The stream starts, or starts anew, with this packet.
        starts: bool,
    },
}

/// A packet that waited, to be sent from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) encoding: usize,
    pub(crate) extended: u64,
    pub(crate) admission: Admission,
    /// As the source sent it.
    timestamp: u32,
    spatial: u8,
    /// All layers that flow are there: only one more that begins right behind it could follow.
    is_whole: bool,
}

impl Candidate<'_> {
    /// Whether it goes on with the picture of `before`, right behind it: who gets the one gets the other.
    pub(crate) fn goes_on_from(&self, before: &Self) -> bool {
        self.encoding == before.encoding
            && self.extended == before.extended + 1
            && self.timestamp == before.timestamp
            && self.media == before.media
            && (self.frame.layers, self.frame.numbers) == (before.frame.layers, before.frame.numbers)
            && !(self.restarted || self.is_empty || before.is_empty)
    }
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
            history: match &setup.rtx {
                Some(_) => SendHistory::without_stamps(packets),
                None => SendHistory::new(packets),
            },
            rtx: setup.rtx,
            payload_types: setup.payload_types.iter().fold(0, |bits, payload_type| bits | bit(*payload_type)),
            plan: setup.plan,
            cname: setup.cname,
            paused: setup.paused,
            priority: 1,
            allowed: None,
            counted_layers: 0,
            suspended: None,
            is_shed: false,
            seal: SealStream::new(setup.ssrc),
            stats: SendStats::new(setup.ssrc, setup.clock_rate_hz),
            reports: ReportSchedule::new(interval, now, rng),
            sequences: SequenceRewriter::new(first_sequence(rng)),
            selector: LayerSelector::new(setup.layering),
            timestamps: TimestampRewriter::new(rng.random()),
            pictures: None,
            held: None,
            held_until: None,
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
        self.selector.stop();
        // It has no number yet: nobody will miss it.
        self.held = None;
        self.held_until = None;
    }

    /// A packet that was held and now knows, by the producer's `next` packet, whether it is the last of its picture. To be
    /// asked before `next` is given to [`Self::admit`], for it goes first.
    pub(crate) fn take_held(&mut self, next: &Candidate<'_>) -> Option<Held> {
        let held = self.held?;
        // Of another stream, from before it, or nothing to this consumer: none of them can tell.
        if next.encoding != held.encoding || next.extended <= held.extended || self.is_nothing(next) {
            return None;
        }
        let is_last = if next.restarted {
            true
        } else if next.timestamp == held.timestamp && self.selector.wants(next) {
            false
        } else {
            // What is missing between the two is most likely the layer above, and will come: a picture that was ended before it
            // would be decoded without, and all that is predicted from it would be lost. A layer that does not flow yet will not
            // begin behind a gap.
            held.is_whole || self.selector.is_next(next)
        };
        self.release(held, is_last)
    }

    /// When a held packet has waited long enough for [`Self::take_overdue`].
    pub(crate) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// A packet that was held and is not told its marker by any other: the source has fallen silent. Its picture ends with it.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Option<Held> {
        let held = self.held.filter(|_| self.held_until.is_some_and(|until| until <= now))?;
        self.selector.end_picture((!held.is_whole).then_some(held.spatial), held.extended);
        self.release(held, true)
    }

    fn release(&mut self, mut held: Held, is_last: bool) -> Option<Held> {
        self.held = None;
        self.held_until = None;
        held.admission.marker = is_last;
        // The low half of the unwrapped number is the number on the wire.
        held.admission.sequence_number = self.sequences.rewrite(held.extended as u16)?;
        Some(held)
    }

    /// Decides about a packet and gives it its numbers.
    pub(crate) fn admit(&mut self, now: Instant, packet: &Candidate<'_>) -> Verdict {
        if self.paused {
            return Verdict::Drop;
        }
        let sequence_number = packet.extended as u16;
        if self.is_nothing(packet) {
            if self.selector.leave_out(packet) {
                self.sequences.skip(sequence_number);
            }
            return Verdict::Drop;
        }
        let source = self.selector.source();
        let was_newest = self.selector.is_newest(packet);
        let decision = self.selector.decide(packet);
        let (marker, starts) = match decision {
            Decision::Forward { marker, starts } => (marker, starts),
            Decision::Hold { starts } => (false, starts),
            Decision::Drop => {
                if source == Some(packet.encoding) {
                    self.skip(packet, was_newest);
                }
                return Verdict::Drop;
            }
        };
        if starts {
            self.start(now, packet, source);
        }
        let Ok(numbers) = self.picture_numbers(packet, was_newest || starts) else {
            self.sequences.skip(sequence_number);
            return Verdict::Drop;
        };
        let mut admission = Admission { sequence_number, timestamp: 0, marker, numbers, starts };
        if decision == (Decision::Hold { starts }) {
            admission.timestamp = self.timestamps.rewrite(packet.timestamp, now);
            let Candidate { encoding, extended, timestamp, .. } = *packet;
            let is_whole = self.selector.is_whole(packet);
            let spatial = packet.frame.layers.spatial;
            self.held = Some(Held { encoding, extended, admission, timestamp, spatial, is_whole });
            self.held_until = Some(now + MAX_HOLD);
            return Verdict::Hold { starts };
        }
        let Some(sequence_number) = self.sequences.rewrite(sequence_number) else { return Verdict::Drop };
        admission.sequence_number = sequence_number;
        admission.timestamp = self.timestamps.rewrite(packet.timestamp, now);
        Verdict::Send(admission)
    }

    /// The same as [`Self::admit`] of a packet that goes on from the one that was admitted as `last` in this very moment
    /// ([`Candidate::goes_on_from`]). `None`: it is not as simple as that, and to be admitted as any other.
    #[inline]
    pub(crate) fn follow(&mut self, last: &Admission, packet: &Candidate<'_>) -> Option<Admission> {
        if !self.selector.follow(packet) {
            return None;
        }
        let sequence_number = self.sequences.rewrite(packet.extended as u16)?;
        Some(Admission { sequence_number, marker: packet.marker, starts: false, ..*last })
    }

    /// Whether a packet says nothing to this peer: padding, or a codec that it did not negotiate.
    fn is_nothing(&self, packet: &Candidate<'_>) -> bool {
        packet.is_empty || !self.takes(packet.media.mapped)
    }

    fn skip(&mut self, packet: &Candidate<'_>, is_newest: bool) {
        self.sequences.skip(packet.extended as u16);
        if let (Some(pictures), Some(numbers)) = (&mut self.pictures, packet.frame.numbers) {
            pictures.skip(numbers, is_newest);
        }
    }

    /// The numbers for the payload, if it has any. An error: the picture is dropped.
    fn picture_numbers(&mut self, packet: &Candidate<'_>, is_newest: bool) -> Result<Option<(u16, u8)>, Refused> {
        let (Some(pictures), Some(numbers)) = (&mut self.pictures, packet.frame.numbers) else { return Ok(None) };
        pictures.rewrite(numbers, is_newest).map(Some).ok_or(Refused)
    }

    /// Starts with a packet, `source` being what flowed before.
    fn start(&mut self, now: Instant, packet: &Candidate<'_>, source: Option<usize>) {
        self.held = None;
        self.held_until = None;
        self.sequences.resync(packet.extended as u16);
        if let (Some(source), Some(clock_rate)) = (source, NonZeroU32::new(packet.media.clock_rate_hz)) {
            if packet.restarted {
                self.timestamps.switch_source(packet.timestamp, now, clock_rate, None);
            } else if source == packet.encoding {
                self.timestamps.resume(packet.timestamp, now, clock_rate);
            } else {
                let reports = (packet.reports)(source).zip((packet.reports)(packet.encoding));
                let reports = reports.map(|(old, new)| ClockReports { old, new });
                self.timestamps.switch_source(packet.timestamp, now, clock_rate, reports);
            }
        }
        if let (Some(numbers), Some(numbering)) = (packet.frame.numbers, Numbering::of(packet.media.codec)) {
            match &mut self.pictures {
                Some(pictures) => pictures.resync(numbering, numbers),
                // Once in a consumer's life.
                None => self.pictures = Some(Box::new(PictureRewriter::new(numbering, numbers))),
            }
        }
    }
}

/// A picture of which no packet is to be forwarded.
struct Refused;

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
mod properties;
#[cfg(test)]
mod tests;
