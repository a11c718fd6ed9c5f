//! Reception statistics of one SSRC (RFC 3550 sections 6.4.1, A.3 and A.8).

mod jitter;
mod seen;

use std::time::{Duration, Instant};

use rtc_rtcp::reception_report::ReceptionReport;

use self::jitter::Jitter;
use self::seen::SeenWindow;
use super::sequence::{ExtendedSequence, SequenceUpdate};
use crate::congestion::rate::RateMeter;
use crate::ids::Ssrc;
use crate::rtcp::ntp::{NtpTime, to_short_ntp};
use crate::stats::{Interval, ScoreKeeper};

/// How far behind the newest packet duplicates are recognised, and so how far back a packet is taken at all: 4 s at a
/// thousand packets a second, longer than a retransmission is worth. Older packets are refused, for a replayed one
/// could not be told from a late one.
pub const DUPLICATE_WINDOW_PACKETS: u64 = 4096;

/// A stream without a packet for this long has stopped, and scores 0: three pictures of a screen that does not change, which
/// browsers repeat once a second.
pub const INACTIVE_AFTER: Duration = Duration::from_secs(3);

/// The same for a source that is silent by intention: Opus with DTX sends a packet every 400 ms, and some encoders none at all
/// for as long as nobody speaks a word.
pub const SILENT_INACTIVE_AFTER: Duration = Duration::from_secs(8);

/// What an arriving packet is to the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Not seen before: to be forwarded.
    New {
        /// The unwrapped sequence number, see [`ExtendedSequence`].
        extended: u64,
    },
    /// Seen before: to be dropped.
    Duplicate,
    /// The sender started anew. To be forwarded; whatever was remembered by sequence number (NACK list, rewriting)
    /// starts anew with it.
    Restarted {
        /// Larger than every number before the restart.
        extended: u64,
    },
    /// A jump that is not confirmed yet, or behind the window in which duplicates are recognised: to be dropped.
    TooOld,
}

/// The latest sender report of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceReport {
    /// The sender's wall clock.
    pub ntp: NtpTime,
    /// The RTP timestamp of the same moment.
    pub rtp_timestamp: u32,
    /// When it came.
    pub received_at: Instant,
}

/// Counts over a stream's life; a restart does not reset them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiveStats {
    /// Packets that came under the stream's own SSRC, duplicates included.
    pub packets_received: u64,
    /// Bytes of these packets and of the recovered ones, as the caller counts a packet's size.
    pub bytes_received: u64,
    /// Packets that came by retransmission in time to be forwarded.
    pub packets_recovered: u64,
    /// Packets that came by retransmission, in time or not.
    pub packets_retransmitted: u64,
    /// Packets dropped as duplicates.
    pub packets_duplicated: u64,
    /// Packets dropped as too old, or as an unconfirmed jump.
    pub packets_discarded: u64,
    /// Packets lost since the start or the last restart; negative if duplicates outnumber losses.
    pub packets_lost: i64,
    /// The fraction lost of the last report, in 1/256.
    pub fraction_lost: u8,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// NACK messages sent.
    pub nack_count: u64,
    /// Packets asked for by them.
    pub nacked_packets: u64,
}

/// A stream as another worker receives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamMirror {
    /// Its SSRC.
    pub ssrc: Ssrc,
    /// Its counts.
    pub stats: ReceiveStats,
    /// How well it arrives, 0 to 10.
    pub score: u8,
    /// Its retransmissions' SSRC and counts, if any came.
    pub rtx: Option<(Ssrc, ReceiveStats)>,
    /// Key frames asked for.
    pub plis_sent: u64,
    /// The same by FIR.
    pub firs_sent: u64,
}

/// One SSRC as it is received. A stream's RTX SSRC has a `ReceiveStream` of its own.
#[derive(Debug, Clone)]
pub struct ReceiveStream {
    ssrc: Ssrc,
    sequence: ExtendedSequence,
    window: SeenWindow,
    jitter: Jitter,
    rate: RateMeter,
    totals: ReceiveStats,
    /// The first number of the counting period, for "packets expected".
    base: u64,
    /// Packets since `base`, duplicates and late ones included (RFC 3550 section 6.4.1).
    received: u64,
    expected_at_last_report: u64,
    received_at_last_report: u64,
    last_source_report: Option<SourceReport>,
    last_packet_at: Option<Instant>,
    score: ScoreKeeper,
    /// The score that was told to the owner.
    told_score: Option<u8>,
    /// What the score's last interval ended with.
    scored: Scored,
    inactive_after: Duration,
    /// Silence before this moment says nothing.
    watched_from: Option<Instant>,
    /// What is told of it instead of what is counted here, if another worker receives it.
    mirrored: Option<(ReceiveStats, u8)>,
}

/// Where an interval between two scores begins.
#[derive(Debug, Clone, Copy, Default)]
struct Scored {
    expected: u64,
    received: u64,
    repaired: u64,
    retransmitted: u64,
}

impl ReceiveStream {
    /// A stream that has received nothing. `clock_rate_hz` is its codec's RTP clock.
    pub fn new(ssrc: Ssrc, clock_rate_hz: u32) -> Self {
        Self {
            ssrc,
            sequence: ExtendedSequence::default(),
            window: SeenWindow::default(),
            jitter: Jitter::new(clock_rate_hz),
            rate: RateMeter::default(),
            totals: ReceiveStats::default(),
            base: 0,
            received: 0,
            expected_at_last_report: 0,
            received_at_last_report: 0,
            last_source_report: None,
            last_packet_at: None,
            score: ScoreKeeper::default(),
            told_score: None,
            scored: Scored::default(),
            inactive_after: INACTIVE_AFTER,
            watched_from: None,
            mirrored: None,
        }
    }

    /// The source may be silent by intention.
    #[must_use]
    pub fn with_silences(self) -> Self {
        Self { inactive_after: SILENT_INACTIVE_AFTER, ..self }
    }

    /// The SSRC.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Takes a packet that came under this SSRC.
    pub fn handle_packet(&mut self, now: Instant, seq: u16, timestamp: u32, size_bytes: usize) -> Arrival {
        let before = self.sequence.newest();
        let update = self.sequence.update(seq);
        let arrival = self.settle(before, update);
        if arrival == Arrival::TooOld {
            return arrival;
        }
        self.count_bytes(now, size_bytes);
        self.received += 1;
        self.totals.packets_received += 1;
        if let Arrival::New { extended } = arrival {
            // Reordered around the first packet: it was expected too.
            self.base = self.base.min(extended);
        }
        if matches!(update, SequenceUpdate::Newest(_)) {
            self.jitter.handle_packet(now, timestamp);
        }
        arrival
    }

    /// Takes a packet that was retransmitted in an RTX stream (RFC 4588); `original_seq` is the number it had first.
    /// It counts as recovered, not as received: reports speak of the loss before repair, which is what a sender's
    /// congestion control needs, and the RTX stream has reports of its own.
    pub fn handle_recovered(&mut self, now: Instant, original_seq: u16, size_bytes: usize) -> Arrival {
        let before = self.sequence.newest();
        let update = self.sequence.update_recovered(original_seq);
        let arrival = self.settle(before, update);
        self.totals.packets_retransmitted += 1;
        if matches!(arrival, Arrival::New { .. }) {
            self.count_bytes(now, size_bytes);
            self.totals.packets_recovered += 1;
        }
        arrival
    }

    /// Takes a sender report's clock mapping (RFC 3550 section 6.4.1).
    pub fn handle_sender_report(&mut self, now: Instant, ntp: NtpTime, rtp_timestamp: u32) {
        self.last_source_report = Some(SourceReport { ntp, rtp_timestamp, received_at: now });
    }

    /// Takes a packet that another worker received, counted and numbered. `restarted`: its numbers started anew.
    pub fn handle_piped(&mut self, now: Instant, size_bytes: usize, restarted: bool) {
        if restarted {
            self.last_source_report = None;
        }
        self.last_packet_at = Some(now);
        self.rate.handle_bytes(now, size_bytes);
    }

    /// Takes a clock mapping that another worker was sent.
    pub fn set_source_report(&mut self, report: SourceReport) {
        self.last_source_report = Some(report);
    }

    /// Takes what another worker counts, and how well the stream arrives there.
    pub fn mirror(&mut self, stats: ReceiveStats, score: u8) {
        self.mirrored = Some((stats, score));
    }

    /// Makes the report block about this stream and starts its next interval. None before the first packet.
    pub fn reception_report(&mut self, now: Instant) -> Option<ReceptionReport> {
        let newest = self.sequence.newest_for_report()?;
        let expected = self.expected();
        let interval_expected = expected.saturating_sub(self.expected_at_last_report);
        let interval_received = self.received.saturating_sub(self.received_at_last_report);
        self.expected_at_last_report = expected;
        self.received_at_last_report = self.received;
        let interval_lost = interval_expected.saturating_sub(interval_received);
        self.totals.fraction_lost = (interval_lost * 256).checked_div(interval_expected).unwrap_or(0).min(255) as u8;

        let (last_sender_report, delay) = self.last_source_report.map_or((0, 0), |report| {
            (report.ntp.middle_32(), to_short_ntp(now.saturating_duration_since(report.received_at)))
        });
        Some(ReceptionReport {
            ssrc: self.ssrc.0,
            fraction_lost: self.totals.fraction_lost,
            total_lost: to_24_bits(self.lost()),
            last_sequence_number: newest,
            jitter: self.jitter.value(),
            last_sender_report,
            delay,
        })
    }

    /// Counts a NACK sent for `packets` packets.
    pub fn handle_nack_sent(&mut self, packets: usize) {
        self.totals.nack_count += 1;
        self.totals.nacked_packets += packets as u64;
    }

    /// Ends an interval of the score. Call with the regular reports.
    pub fn update_score(&mut self) {
        let now = Scored {
            expected: self.expected(),
            received: self.received,
            repaired: self.totals.packets_recovered,
            retransmitted: self.totals.packets_retransmitted,
        };
        let before = std::mem::replace(&mut self.scored, now);
        let expected = now.expected.saturating_sub(before.expected);
        self.score.handle_interval(Interval {
            expected,
            lost: expected.saturating_sub(now.received.saturating_sub(before.received)),
            repaired: now.repaired - before.repaired,
            retransmitted: now.retransmitted - before.retransmitted,
        });
    }

    /// When the stream is to be looked at with [`Self::check_activity`] unless a packet comes. None while it is inactive.
    pub fn inactive_at(&self) -> Option<Instant> {
        let last_packet_at = self.last_packet_at.filter(|_| self.score.is_active())?;
        Some(self.watched_from.map_or(last_packet_at, |at| at.max(last_packet_at)) + self.inactive_after)
    }

    /// Takes note of a stream that has stopped.
    pub fn check_activity(&mut self, now: Instant) {
        if self.inactive_at().is_some_and(|at| at <= now) {
            self.score.set_inactive();
        }
    }

    /// Packets are expected from now on: that there were none until now is no fault.
    pub fn watch_from(&mut self, now: Instant) {
        self.watched_from = Some(now);
    }

    /// How well the stream arrives, 0 to 10.
    pub fn score(&self) -> u8 {
        self.mirrored.map_or_else(|| self.score.score(), |(_, score)| score)
    }

    /// Whether the score is not the one that was told last.
    pub fn has_score_news(&self) -> bool {
        self.told_score != Some(self.score.score())
    }

    /// The score is told to the owner.
    pub fn tell_score(&mut self) -> u8 {
        *self.told_score.insert(self.score.score())
    }

    /// What happened between the last two scores.
    pub fn last_interval(&self) -> Interval {
        self.score.last_interval()
    }

    /// The latest sender report, from which consumers' reports take their clock mapping.
    pub fn source_report(&self) -> Option<SourceReport> {
        self.last_source_report
    }

    /// When the latest packet came, recovered ones included: a stream without packets is dead.
    pub fn last_packet_at(&self) -> Option<Instant> {
        self.last_packet_at
    }

    /// The received rate over the last second, in bits per second.
    pub fn bitrate_bps(&self, now: Instant) -> u64 {
        self.rate.bitrate_bps(now)
    }

    /// The counts so far.
    pub fn stats(&self) -> ReceiveStats {
        let own = || ReceiveStats { packets_lost: self.lost(), jitter: self.jitter.value(), ..self.totals };
        self.mirrored.map_or_else(own, |(stats, _)| stats)
    }

    fn settle(&mut self, before: Option<u64>, update: SequenceUpdate) -> Arrival {
        match update {
            SequenceUpdate::Newest(extended) => {
                if before.is_none() {
                    self.base = extended;
                }
                self.window.advance(before.unwrap_or(extended), extended);
                Arrival::New { extended }
            }
            SequenceUpdate::Late(extended) => {
                let newest = self.sequence.newest().unwrap_or(extended);
                if newest - extended >= DUPLICATE_WINDOW_PACKETS {
                    self.totals.packets_discarded += 1;
                    Arrival::TooOld
                } else if self.window.mark(extended) {
                    Arrival::New { extended }
                } else {
                    self.totals.packets_duplicated += 1;
                    Arrival::Duplicate
                }
            }
            SequenceUpdate::Jump => {
                self.totals.packets_discarded += 1;
                Arrival::TooOld
            }
            SequenceUpdate::Restarted(extended) => {
                self.window = SeenWindow::default();
                self.window.mark(extended);
                self.jitter.restart();
                // Its timestamps were of the old run.
                self.last_source_report = None;
                self.base = extended;
                self.received = 0;
                self.expected_at_last_report = 0;
                self.received_at_last_report = 0;
                (self.scored.expected, self.scored.received) = (0, 0);
                Arrival::Restarted { extended }
            }
        }
    }

    fn count_bytes(&mut self, now: Instant, size_bytes: usize) {
        self.last_packet_at = Some(now);
        if !self.score.is_active() {
            self.score.set_active();
        }
        self.totals.bytes_received += size_bytes as u64;
        self.rate.handle_bytes(now, size_bytes);
    }

    fn expected(&self) -> u64 {
        self.sequence.newest().map_or(0, |newest| newest - self.base + 1)
    }

    fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }
}

/// A report's signed 24-bit cumulative loss, clamped (RFC 3550 appendix A.3).
fn to_24_bits(lost: i64) -> u32 {
    (lost.clamp(-0x80_0000, 0x7f_ffff) as u32) & 0x00ff_ffff
}

#[cfg(test)]
mod tests;
