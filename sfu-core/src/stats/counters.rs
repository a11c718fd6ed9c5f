//! What a transport has carried, counted on the packet path by additions alone.

use std::time::{Duration, Instant};

/// The least time between two marks that rates are taken between.
const MARK_INTERVAL: Duration = Duration::from_secs(1);

/// What a sent datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentKind {
    /// Media, sent for the first time or, to a peer without RTX, again.
    Rtp,
    /// A retransmission in an RTX stream (RFC 4588).
    Rtx,
    /// A retransmission or padding that nobody asked for, to probe the path.
    Probation,
    /// RTCP, DTLS, STUN.
    Other,
}

/// Bytes since the transport was made, as they are in datagrams: with SRTP, without UDP and IP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransportTotals {
    /// Everything received.
    pub bytes_received: u64,
    /// Everything sent.
    pub bytes_sent: u64,
    /// Media received, retransmissions apart.
    pub rtp_bytes_received: u64,
    /// Media sent, retransmissions apart.
    pub rtp_bytes_sent: u64,
    /// Retransmissions received.
    pub rtx_bytes_received: u64,
    /// Retransmissions sent.
    pub rtx_bytes_sent: u64,
    /// Probes sent.
    pub probation_bytes_sent: u64,
}

/// A transport's counters. Rates are worked out when somebody asks, between marks that are set while the transport is served:
/// they are of the last one to two seconds, and of longer where so little happens that nothing was due in that time.
#[derive(Debug, Clone, Default)]
pub struct TransportCounters {
    totals: TransportTotals,
    /// The latest mark and the one before it.
    marks: [Option<(Instant, TransportTotals)>; 2],
}

impl TransportCounters {
    /// Counts a datagram that came, whatever it is.
    pub fn handle_received(&mut self, bytes: usize) {
        self.totals.bytes_received += bytes as u64;
    }

    /// Counts the same datagram as a media packet, once it is known to be one.
    pub fn handle_rtp_received(&mut self, bytes: usize, is_rtx: bool) {
        let counter = if is_rtx { &mut self.totals.rtx_bytes_received } else { &mut self.totals.rtp_bytes_received };
        *counter += bytes as u64;
    }

    /// Counts a datagram that leaves.
    pub fn handle_sent(&mut self, bytes: usize, kind: SentKind) {
        let bytes = bytes as u64;
        self.totals.bytes_sent += bytes;
        match kind {
            SentKind::Rtp => self.totals.rtp_bytes_sent += bytes,
            SentKind::Rtx => self.totals.rtx_bytes_sent += bytes,
            SentKind::Probation => self.totals.probation_bytes_sent += bytes,
            SentKind::Other => {}
        }
    }

    /// Sets a mark if the last one is old enough. Any time will do; the more regular, the more even the rates.
    pub fn handle_timeout(&mut self, now: Instant) {
        let [latest, before] = &mut self.marks;
        if latest.is_none_or(|(at, _)| now.saturating_duration_since(at) >= MARK_INTERVAL) {
            *before = latest.replace((now, self.totals));
        }
    }

    /// What was counted so far.
    pub fn totals(&self) -> TransportTotals {
        self.totals
    }

    /// The rate of one counter, in bits per second. A transport that has not been served yet has none.
    pub fn bitrate_bps(&self, now: Instant, counter: impl Fn(&TransportTotals) -> u64) -> u64 {
        let [latest, before] = &self.marks;
        let Some((since, then)) = before.as_ref().or(latest.as_ref()) else { return 0 };
        let elapsed_us = now.saturating_duration_since(*since).as_micros().max(1);
        let bits = u128::from(counter(&self.totals) - counter(then)) * 8;
        // Less than a mark's interval after the first mark the rate would be wild; it reads low instead.
        u64::try_from(bits * 1_000_000 / elapsed_us.max(MARK_INTERVAL.as_micros())).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ms, origin};

    #[test]
    fn bytes_count_once_in_all_and_once_in_their_kind() {
        let mut counters = TransportCounters::default();
        counters.handle_received(1000);
        counters.handle_rtp_received(1000, false);
        counters.handle_received(100);
        counters.handle_rtp_received(100, true);
        counters.handle_received(10);
        for (bytes, kind) in
            [(1, SentKind::Rtp), (20, SentKind::Rtx), (300, SentKind::Probation), (4000, SentKind::Other)]
        {
            counters.handle_sent(bytes, kind);
        }
        let expected = TransportTotals {
            bytes_received: 1110,
            bytes_sent: 4321,
            rtp_bytes_received: 1000,
            rtp_bytes_sent: 1,
            rtx_bytes_received: 100,
            rtx_bytes_sent: 20,
            probation_bytes_sent: 300,
        };
        assert_eq!(counters.totals(), expected);
    }

    #[test]
    fn a_steady_stream_reads_its_rate_whenever_it_is_asked_for() {
        let start = origin();
        let mut counters = TransportCounters::default();
        for step in 0..400_u64 {
            let now = start + ms(step * 10);
            counters.handle_timeout(now);
            if step > 0 {
                counters.handle_received(1250);
            }
            if step > 200 {
                let rate = counters.bitrate_bps(now, |totals| totals.bytes_received);
                assert!((995_000..=1_010_000).contains(&rate), "{rate} at {step}");
            }
        }
    }

    #[test]
    fn the_rate_is_zero_two_seconds_after_the_last_packet() {
        let start = origin();
        let mut counters = TransportCounters::default();
        counters.handle_timeout(start);
        counters.handle_sent(1_000_000, SentKind::Rtp);
        for second in 1..=2 {
            counters.handle_timeout(start + ms(1000 * second));
        }
        assert_eq!(counters.bitrate_bps(start + ms(2500), |totals| totals.rtp_bytes_sent), 0);
        assert_eq!(counters.totals().rtp_bytes_sent, 1_000_000);
    }

    #[test]
    fn the_first_moments_read_low_rather_than_wild() {
        let start = origin();
        let mut counters = TransportCounters::default();
        assert_eq!(counters.bitrate_bps(start, |totals| totals.bytes_sent), 0);
        counters.handle_timeout(start);
        counters.handle_sent(1250, SentKind::Rtp);
        assert_eq!(counters.bitrate_bps(start, |totals| totals.bytes_sent), 10_000);
        assert_eq!(counters.bitrate_bps(start - ms(500), |totals| totals.bytes_sent), 10_000, "time runs backwards");
    }
}
