//! Transport-wide feedback of a receiver, as often as libwebrtc sends it
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::time::{Duration, Instant};

/// The least and the most between two messages.
const INTERVAL_MIN: Duration = Duration::from_millis(50);
const INTERVAL_MAX: Duration = Duration::from_millis(250);
/// Bits of a message with its headers, and the part of what comes in that messages may take.
const MESSAGE_BITS: f64 = 68.0 * 8.0;
const SHARE: f64 = 0.05;
/// Numbers in one message at most: it stays within a datagram whatever came.
const STATUSES_MAX: u64 = 400;
/// Arrivals between two messages at most: 250 ms of 100 Mbit/s. What comes beyond is reported as lost.
const ARRIVALS_MAX: usize = 4096;
/// A number comes as the latest half of the round.
const FIRST_ROUND: u64 = 1 << 16;
const TICK_US: i64 = 250;
const TICKS_PER_REFERENCE: i64 = 256;
/// Statuses in one chunk of two-bit symbols.
const VECTOR_SYMBOLS: usize = 7;
/// Statuses in one chunk that repeats a symbol.
const RUN_MAX: usize = 0x1fff;
/// PT of transport-layer feedback, and the format.
const RTPFB: u8 = 205;
const TRANSPORT_CC: u8 = 15;

/// The arrivals on one transport that are not reported yet.
#[derive(Debug)]
pub struct FeedbackWriter {
    origin: Instant,
    arrivals: Vec<(u64, i64)>,
    newest: u64,
    next: Option<u64>,
    count: u8,
    bytes: usize,
    symbols: Vec<u8>,
    deltas: Vec<i16>,
}

impl FeedbackWriter {
    /// Nothing came yet. Arrivals are told in time since `origin`.
    pub fn new(origin: Instant) -> Self {
        Self {
            origin,
            arrivals: Vec::new(),
            newest: 0,
            next: None,
            count: 0,
            bytes: 0,
            symbols: Vec::new(),
            deltas: Vec::new(),
        }
    }

    /// Takes the number of a packet of `len` bytes.
    pub fn handle(&mut self, now: Instant, number: u16, len: usize) {
        self.bytes += len;
        let number = match self.newest {
            0 => FIRST_ROUND + u64::from(number),
            newest => newest.saturating_add_signed(i64::from(number.wrapping_sub(newest as u16) as i16)),
        };
        self.newest = self.newest.max(number);
        if self.arrivals.len() < ARRIVALS_MAX {
            self.arrivals.push((number, now.duration_since(self.origin).as_micros() as i64 / TICK_US));
        }
    }

    /// How long to wait for the next message, after `elapsed` since the last: by the rate of what came meanwhile.
    pub fn interval(&mut self, elapsed: Duration) -> Duration {
        let bps = std::mem::take(&mut self.bytes) as f64 * 8.0 / elapsed.as_secs_f64().max(1e-3);
        let wanted = MESSAGE_BITS / (bps * SHARE).max(1.0);
        Duration::from_secs_f64(wanted.clamp(INTERVAL_MIN.as_secs_f64(), INTERVAL_MAX.as_secs_f64()))
    }

    /// Writes the next message to `out`; `false` if there is nothing to tell. There may be several.
    pub fn write(&mut self, out: &mut Vec<u8>, sender_ssrc: u32, media_ssrc: u32) -> bool {
        self.arrivals.sort_unstable();
        self.arrivals.dedup_by_key(|(number, _)| *number);
        let Some(&(first, first_tick)) = self.arrivals.first() else { return false };
        // What comes late is told by itself: the others around it were told already.
        let late = self.next.filter(|next| first < *next);
        let mut base = self.next.filter(|_| late.is_none()).unwrap_or(first);
        // A hole that no message holds is left out: it is a path that was dead.
        if first - base >= STATUSES_MAX {
            base = first;
        }
        let reference = first_tick.div_euclid(TICKS_PER_REFERENCE);
        let mut last = reference * TICKS_PER_REFERENCE;
        self.symbols.clear();
        self.deltas.clear();
        let mut taken = 0;
        for &(number, tick) in &self.arrivals {
            let Ok(delta) = i16::try_from(tick - last) else { break };
            let is_told_apart = late.is_some_and(|next| number >= next || number != base + taken as u64);
            if number - base >= STATUSES_MAX || is_told_apart {
                break;
            }
            self.symbols.resize((number - base) as usize, 0);
            self.symbols.push(if (0..=255).contains(&delta) { 1 } else { 2 });
            self.deltas.push(delta);
            last = tick;
            taken += 1;
        }
        self.arrivals.drain(..taken);
        self.next = Some(late.unwrap_or(base + self.symbols.len() as u64));

        out.clear();
        out.extend_from_slice(&[0x80 | TRANSPORT_CC, RTPFB, 0, 0]);
        out.extend_from_slice(&sender_ssrc.to_be_bytes());
        out.extend_from_slice(&media_ssrc.to_be_bytes());
        out.extend_from_slice(&(base as u16).to_be_bytes());
        out.extend_from_slice(&(self.symbols.len() as u16).to_be_bytes());
        let [_, r0, r1, r2] = (reference as u32).to_be_bytes();
        out.extend_from_slice(&[r0, r1, r2, self.count]);
        self.count = self.count.wrapping_add(1);
        write_chunks(&self.symbols, out);
        for delta in &self.deltas {
            match u8::try_from(*delta) {
                Ok(small) => out.push(small),
                Err(_) => out.extend_from_slice(&delta.to_be_bytes()),
            }
        }
        while !out.len().is_multiple_of(4) {
            out.push(0);
        }
        let words = (out.len() / 4 - 1) as u16;
        out[2..4].copy_from_slice(&words.to_be_bytes());
        true
    }
}

/// Runs where there are long ones, else seven symbols of two bits.
fn write_chunks(mut symbols: &[u8], out: &mut Vec<u8>) {
    while let Some(&first) = symbols.first() {
        let run = symbols.iter().take(RUN_MAX).take_while(|symbol| **symbol == first).count();
        let (chunk, taken) = if run >= VECTOR_SYMBOLS || run == symbols.len() {
            ((u16::from(first) << 13) | run as u16, run)
        } else {
            let taken = symbols.len().min(VECTOR_SYMBOLS);
            let vector = symbols.iter().take(taken).enumerate();
            (vector.fold(0xc000, |chunk, (at, symbol)| chunk | (u16::from(*symbol) << (12 - 2 * at))), taken)
        };
        out.extend_from_slice(&chunk.to_be_bytes());
        symbols = symbols.get(taken..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use rtc_rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc};
    use rtc_shared::marshal::Unmarshal;

    use super::*;

    /// What an independent reader makes of all messages that are due: the numbers that came, and when in microseconds.
    fn told(writer: &mut FeedbackWriter) -> Vec<(u16, i64)> {
        let mut told = Vec::new();
        let mut out = Vec::new();
        while writer.write(&mut out, 1, 2) {
            let message = TransportLayerCc::unmarshal(&mut bytes::Bytes::from(out.clone())).unwrap();
            let symbols = message.packet_chunks.iter().flat_map(|chunk| match chunk {
                PacketStatusChunk::RunLengthChunk(run) => {
                    vec![run.packet_status_symbol; usize::from(run.run_length)]
                }
                PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.clone(),
            });
            let mut at = i64::from(message.reference_time) * 64_000;
            let mut deltas = message.recv_deltas.iter();
            for (symbol, offset) in symbols.take(usize::from(message.packet_status_count)).zip(0..) {
                if symbol != SymbolTypeTcc::PacketNotReceived {
                    at += deltas.next().unwrap().delta;
                    told.push((message.base_sequence_number.wrapping_add(offset), at));
                }
            }
        }
        told
    }

    fn feed(writer: &mut FeedbackWriter, arrivals: &[(u16, i64)]) {
        let origin = writer.origin;
        for (number, at_us) in arrivals {
            writer.handle(origin + Duration::from_micros(*at_us as u64), *number, 1200);
        }
    }

    #[test]
    fn an_independent_reader_learns_each_arrival() {
        let mut writer = FeedbackWriter::new(Instant::now());
        let first = [(65_530, 1000), (65_531, 1000), (65_533, 90_000), (65_535, 90_250), (1, 90_500), (0, 91_000)];
        feed(&mut writer, &first);
        let mut expected = first;
        expected[4..].sort_unstable();
        assert_eq!(told(&mut writer), expected);
        let later: Vec<(u16, i64)> = (5..60).map(|number| (number, 200_000 + i64::from(number) * 250)).collect();
        feed(&mut writer, &later);
        assert_eq!(told(&mut writer), later);
        assert!(!writer.write(&mut Vec::new(), 1, 2));
    }

    #[test]
    fn what_is_missing_between_two_messages_is_told() {
        let mut writer = FeedbackWriter::new(Instant::now());
        let mut out = Vec::new();
        feed(&mut writer, &[(10, 0)]);
        assert!(writer.write(&mut out, 1, 2));
        feed(&mut writer, &[(13, 5000)]);
        assert!(writer.write(&mut out, 1, 2));
        let message = TransportLayerCc::unmarshal(&mut bytes::Bytes::from(out)).unwrap();
        assert_eq!((message.base_sequence_number, message.packet_status_count), (11, 3));
    }

    /// Harm prevented: packets that were told as received would be told as lost, and a server would take the path for bad.
    #[test]
    fn what_comes_late_takes_nothing_back() {
        let mut writer = FeedbackWriter::new(Instant::now());
        let mut out = Vec::new();
        feed(&mut writer, &[(10, 0), (11, 0), (14, 0), (15, 0)]);
        assert_eq!(told(&mut writer).len(), 4);
        feed(&mut writer, &[(13, 5000), (16, 5250), (18, 5500)]);
        let mut spans = Vec::new();
        while writer.write(&mut out, 1, 2) {
            let message = TransportLayerCc::unmarshal(&mut bytes::Bytes::from(out.clone())).unwrap();
            spans.push((message.base_sequence_number, message.packet_status_count));
        }
        assert_eq!(spans, [(13, 1), (16, 3)]);
    }

    #[test]
    fn a_dead_path_and_a_crowd_both_fit_into_messages() {
        let mut writer = FeedbackWriter::new(Instant::now());
        feed(&mut writer, &[(0, 0), (1, 20_000_000), (30_000, 20_000_500)]);
        assert_eq!(told(&mut writer), [(0, 0), (1, 20_000_000), (30_000, 20_000_500)]);
        let crowd: Vec<(u16, i64)> = (30_001..40_001).map(|number| (number, 20_100_000)).collect();
        feed(&mut writer, &crowd);
        assert_eq!(told(&mut writer).len(), ARRIVALS_MAX);
    }

    #[test]
    fn the_more_comes_the_more_often_it_is_told() {
        let mut writer = FeedbackWriter::new(Instant::now());
        assert_eq!(writer.interval(Duration::from_millis(100)), INTERVAL_MAX);
        feed(&mut writer, &[(1, 0); 1000]);
        assert_eq!(writer.interval(Duration::from_millis(100)), INTERVAL_MIN);
    }
}
