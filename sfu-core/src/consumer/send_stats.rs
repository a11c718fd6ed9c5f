//! What is known of one outgoing SSRC: counts for its sender reports, and what the peer reports back.

use std::time::{Duration, Instant};

use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;

use crate::congestion::rate::RateMeter;
use crate::ids::Ssrc;
use crate::producer::receive_stream::SourceReport;
use crate::rtcp::ntp::{WallClock, from_short_ntp};
use crate::stats::{ConsumerScore, Interval, ScoreKeeper};

/// The longest round trip that is believed; more is a peer's error or a lie.
pub const MAX_RTT: Duration = Duration::from_secs(10);

/// What the peer said about the stream last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerReport {
    /// The fraction lost in the report's interval, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all; negative if duplicates outnumber losses.
    pub packets_lost: i32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
}

/// Counts over the stream's life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SendTotals {
    /// Packets sent.
    pub packets_sent: u64,
    /// Bytes of payload sent, without headers and padding.
    pub payload_bytes_sent: u64,
    /// Bytes of packets sent, with their RTP headers.
    pub bytes_sent: u64,
    /// Packets sent again, each time counted.
    pub packets_retransmitted: u64,
    /// Packets sent again at least once.
    pub packets_repaired: u64,
    /// Packets that the peer asked for again.
    pub nacked_packets: u64,
    /// NACK messages received.
    pub nack_count: u64,
    /// PLIs received.
    pub pli_count: u64,
    /// FIRs received.
    pub fir_count: u64,
}

/// One SSRC as it is sent to one peer.
#[derive(Debug, Clone)]
pub struct SendStats {
    ssrc: Ssrc,
    clock_rate_hz: u32,
    totals: SendTotals,
    rate: RateMeter,
    /// When the latest packet was sent and its outgoing timestamp.
    last_packet: Option<(Instant, u32)>,
    peer_report: Option<PeerReport>,
    smoothed_rtt: Option<Duration>,
    score: ScoreKeeper,
    /// The score that was told to the owner.
    told_score: Option<ConsumerScore>,
    /// What the score's last interval ended with.
    scored: Scored,
}

/// Where an interval between two scores begins.
#[derive(Debug, Clone, Copy, Default)]
struct Scored {
    sent: u64,
    lost: u64,
    repaired: u64,
    retransmitted: u64,
}

impl SendStats {
    /// A stream that has sent nothing. `clock_rate_hz` is its codec's RTP clock.
    pub fn new(ssrc: Ssrc, clock_rate_hz: u32) -> Self {
        Self {
            ssrc,
            clock_rate_hz,
            totals: SendTotals::default(),
            rate: RateMeter::default(),
            last_packet: None,
            peer_report: None,
            smoothed_rtt: None,
            score: ScoreKeeper::default(),
            told_score: None,
            scored: Scored::default(),
        }
    }

    /// Counts a packet sent under this SSRC. `timestamp` is the outgoing one; `payload_bytes` are without padding,
    /// `packet_bytes` with the RTP header.
    pub fn handle_sent(&mut self, now: Instant, timestamp: u32, payload_bytes: usize, packet_bytes: usize) {
        self.totals.packets_sent += 1;
        self.totals.payload_bytes_sent += payload_bytes as u64;
        self.totals.bytes_sent += packet_bytes as u64;
        self.rate.handle_bytes(now, packet_bytes);
        self.last_packet = Some((now, timestamp));
    }

    /// Counts a packet sent again; `is_first` unless it was before.
    pub fn handle_resent(&mut self, is_first: bool) {
        self.totals.packets_retransmitted += 1;
        self.totals.packets_repaired += u64::from(is_first);
    }

    /// Makes the sender report for `now` (RFC 3550 section 6.4.1). None before the first packet.
    ///
    /// The NTP time is ours, of this moment. The RTP timestamp of the same moment is worked out:
    /// - from the producer's latest report, if there is one: its timestamp in the consumer's numbering (`map`), plus
    ///   the time since it came. Audio and video of one peer have the same path, so that what their reports are late
    ///   by cancels out, and the receiver gets the sender's own relation of the two: they stay in sync;
    /// - else from the last packet sent: its timestamp plus the time since. A packet's timestamp is when it was
    ///   sampled, and capture and encoding take longer for video than for audio, so that sync may be some tens of
    ///   milliseconds off until the producer's first report.
    pub fn sender_report(
        &self,
        now: Instant,
        clock: &WallClock,
        source: Option<SourceReport>,
        map: impl Fn(u32) -> u32,
    ) -> Option<SenderReport> {
        let (last_sent_at, last_timestamp) = self.last_packet?;
        let (at, timestamp) = match source {
            Some(source) => (source.received_at, map(source.rtp_timestamp)),
            None => (last_sent_at, last_timestamp),
        };
        Some(SenderReport {
            ssrc: self.ssrc.0,
            ntp_time: clock.ntp(now).0,
            rtp_time: timestamp.wrapping_add(self.clock_units(now.saturating_duration_since(at))),
            // Both wrap on the wire, as the RFC has it.
            packet_count: self.totals.packets_sent as u32,
            octet_count: self.totals.payload_bytes_sent as u32,
            ..SenderReport::default()
        })
    }

    /// Takes the peer's report block about this SSRC.
    pub fn handle_reception_report(&mut self, now: Instant, clock: &WallClock, report: &ReceptionReport) {
        self.peer_report = Some(PeerReport {
            fraction_lost: report.fraction_lost,
            packets_lost: sign_extend_24(report.total_lost),
            jitter: report.jitter,
        });
        if let Some(rtt) = round_trip(now, clock, report) {
            // The weights of RFC 6298 section 2.
            self.smoothed_rtt = Some(self.smoothed_rtt.map_or(rtt, |smoothed| (smoothed * 7 + rtt) / 8));
        }
        self.update_score(sign_extend_24(report.total_lost));
    }

    /// Ends an interval of the score. The peer's reports are of what it should have had by then, which is a round trip less
    /// than what we have sent: over several intervals that evens out.
    fn update_score(&mut self, packets_lost: i32) {
        let now = Scored {
            sent: self.totals.packets_sent,
            lost: u64::try_from(packets_lost).unwrap_or(0),
            repaired: self.totals.packets_repaired,
            retransmitted: self.totals.packets_retransmitted,
        };
        let before = std::mem::replace(&mut self.scored, now);
        self.score.handle_interval(Interval {
            expected: now.sent - before.sent,
            lost: now.lost.saturating_sub(before.lost),
            repaired: now.repaired - before.repaired,
            retransmitted: now.retransmitted - before.retransmitted,
        });
    }

    /// How well the stream arrives at the peer, 0 to 10.
    pub fn score(&self) -> u8 {
        self.score.score()
    }

    /// The score to tell the owner, if it is not the one that was told last. `producer_scores` are those of the producer's
    /// streams in the order of its encodings, `source` the one that is forwarded.
    pub fn score_news(
        &mut self,
        source: Option<usize>,
        producer_scores: impl Iterator<Item = u8> + Clone,
    ) -> Option<ConsumerScore> {
        let producer_score = source.and_then(|index| producer_scores.clone().nth(index)).unwrap_or(0);
        let is_news = self.told_score.as_ref().is_none_or(|told| {
            (told.score, told.producer_score) != (self.score.score(), producer_score)
                || !told.producer_scores.iter().copied().eq(producer_scores.clone())
        });
        let score =
            || ConsumerScore { score: self.score.score(), producer_score, producer_scores: producer_scores.collect() };
        is_news.then(|| self.told_score.insert(score()).clone())
    }

    /// What happened between the peer's last two reports.
    pub fn last_interval(&self) -> Interval {
        self.score.last_interval()
    }

    /// Counts a NACK for `packets` packets.
    pub fn handle_nack(&mut self, packets: usize) {
        self.totals.nack_count += 1;
        self.totals.nacked_packets += packets as u64;
    }

    /// Counts a PLI.
    pub fn handle_pli(&mut self) {
        self.totals.pli_count += 1;
    }

    /// Counts a FIR.
    pub fn handle_fir(&mut self) {
        self.totals.fir_count += 1;
    }

    /// The peer's latest report.
    pub fn peer_report(&self) -> Option<PeerReport> {
        self.peer_report
    }

    /// The smoothed round trip to the peer, once it has answered a sender report.
    pub fn rtt(&self) -> Option<Duration> {
        self.smoothed_rtt
    }

    /// The counts so far.
    pub fn totals(&self) -> SendTotals {
        self.totals
    }

    /// The rate over the last second, with RTP headers, in bits per second.
    pub fn bitrate_bps(&self, now: Instant) -> u64 {
        self.rate.bitrate_bps(now)
    }

    fn clock_units(&self, elapsed: Duration) -> u32 {
        (elapsed.as_micros() * u128::from(self.clock_rate_hz) / 1_000_000) as u32
    }
}

/// The round trip that a report block tells (RFC 3550 section 6.4.1, figure 2). None if the peer has had no sender
/// report, or if the sum is absurd. A small negative one, from the clocks' different steps, counts as zero.
fn round_trip(now: Instant, clock: &WallClock, report: &ReceptionReport) -> Option<Duration> {
    if report.last_sender_report == 0 {
        return None;
    }
    let units = clock.ntp(now).middle_32().wrapping_sub(report.last_sender_report).wrapping_sub(report.delay);
    let slack_units = 0x1_0000 / 100;
    if (units as i32) < -slack_units {
        return None;
    }
    Some(from_short_ntp((units as i32).max(0) as u32)).filter(|rtt| *rtt <= MAX_RTT)
}

fn sign_extend_24(value: u32) -> i32 {
    ((value << 8) as i32) >> 8
}

#[cfg(test)]
mod tests;
