//! What a receiver report says of a stream (RFC 3550 section 6.4.1 and appendix A).

use std::time::Instant;

use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;

/// Counts of one stream.
#[derive(Debug, Default)]
pub struct Reception {
    first: Option<u64>,
    newest: u64,
    received: u64,
    /// What was expected and received at the last report.
    before: (u64, u64),
    /// When the last packet came, in ticks, less its timestamp.
    transit: Option<i64>,
    jitter: f64,
    origin: Option<Instant>,
}

impl Reception {
    /// Takes a packet of the stream itself, repeats included; not one of its RTX stream.
    pub fn handle(&mut self, now: Instant, extended: u64, timestamp: u32, clock_rate: u32) {
        self.first = Some(self.first.map_or(extended, |first| first.min(extended)));
        self.newest = self.newest.max(extended);
        self.received += 1;
        let origin = *self.origin.get_or_insert(now);
        let arrival = ((now - origin).as_secs_f64() * f64::from(clock_rate)) as u32;
        let transit = i64::from(arrival.wrapping_sub(timestamp) as i32);
        if let Some(before) = self.transit.replace(transit) {
            let difference = i64::from((transit - before) as i32).unsigned_abs() as f64;
            self.jitter += (difference - self.jitter) / 16.0;
        }
    }

    /// The report that is due. `last` is the sender's last report, and when it came.
    pub fn report(
        &mut self,
        now: Instant,
        ssrc: u32,
        last: Option<&(Instant, SenderReport)>,
    ) -> Option<ReceptionReport> {
        let expected = self.newest - self.first? + 1;
        let (expected_before, received_before) = self.before;
        let (since, got) = (expected - expected_before, self.received - received_before);
        self.before = (expected, self.received);
        let fraction_lost = (since.saturating_sub(got) * 256).checked_div(since).unwrap_or(0).min(255) as u8;
        let (last_sender_report, delay) = match last {
            Some((at, report)) => {
                ((report.ntp_time >> 16) as u32, ((now - *at).as_nanos() * 65_536 / 1_000_000_000) as u32)
            }
            None => (0, 0),
        };
        Some(ReceptionReport {
            ssrc,
            fraction_lost,
            total_lost: expected.saturating_sub(self.received).min(0x7f_ffff) as u32,
            last_sequence_number: self.newest as u32,
            jitter: self.jitter as u32,
            last_sender_report,
            delay,
        })
    }
}
