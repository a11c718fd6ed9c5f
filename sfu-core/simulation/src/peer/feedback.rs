//! Transport-wide feedback of a receiving peer, timed as libwebrtc's is
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, StatusVectorChunk, SymbolSizeTypeTcc,
    SymbolTypeTcc, TransportLayerCc,
};

/// The least and the most between two messages.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));
/// Bits of a message with its headers, and the part of what comes in that messages may take.
const MESSAGE_BITS: f64 = 68.0 * 8.0;
const SHARE: f64 = 0.05;
/// A packet that was reported is remembered for so long, should one from before it come late.
const REMEMBERED: Duration = Duration::from_millis(500);
/// Numbers in a message at most.
const MAX_STATUSES: u64 = 1000;
/// A number comes as the latest half of the round.
const FIRST_ROUND: u64 = 1 << 16;
const TICK_US: i64 = 250;
const TICKS_PER_REFERENCE: i64 = 256;

/// Arrivals on one transport.
#[derive(Debug)]
pub struct FeedbackSender {
    origin: Instant,
    arrivals: BTreeMap<u64, Instant>,
    newest: Option<u64>,
    window_start: Option<u64>,
    due_at: Option<Instant>,
    sent_at: Option<Instant>,
    count: u8,
    incoming: IncomingRate,
}

/// What came in during the last second.
#[derive(Debug, Default)]
pub struct IncomingRate {
    arrivals: VecDeque<(Instant, usize)>,
    bytes: usize,
}

impl IncomingRate {
    /// Counts an arrival.
    pub fn add(&mut self, now: Instant, len: usize) {
        self.arrivals.push_back((now, len));
        self.bytes += len;
        while let Some((_, len)) = self.arrivals.front().filter(|(at, _)| now - *at > Duration::from_secs(1)) {
            self.bytes -= len;
            self.arrivals.pop_front();
        }
    }

    /// Bit/s.
    pub fn bps(&self) -> f64 {
        self.bytes as f64 * 8.0
    }
}

impl FeedbackSender {
    /// Nothing came yet. Arrivals are told in time since `origin`.
    pub fn new(origin: Instant) -> Self {
        Self {
            origin,
            arrivals: BTreeMap::new(),
            newest: None,
            window_start: None,
            due_at: None,
            sent_at: None,
            count: 0,
            incoming: IncomingRate::default(),
        }
    }

    /// Takes a packet of `len` bytes, of any stream.
    pub fn handle(&mut self, now: Instant, number: u16, len: usize) {
        self.incoming.add(now, len);
        let number = match self.newest {
            Some(newest) => newest.wrapping_add_signed(i64::from(number.wrapping_sub(newest as u16) as i16)),
            None => FIRST_ROUND + u64::from(number),
        };
        self.newest = self.newest.max(Some(number));
        let start = self.window_start.map_or(number, |start| start.min(number));
        while let Some(oldest) = self.arrivals.first_entry() {
            if *oldest.key() >= start || now - *oldest.get() < REMEMBERED {
                break;
            }
            oldest.remove();
        }
        self.arrivals.entry(number).or_insert(now);
        self.window_start = Some(start);
        let due = self.sent_at.map_or(now, |at| at + self.interval()).max(now);
        self.due_at.get_or_insert(due);
    }

    /// When there is something to send.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due_at
    }

    /// The messages that are due.
    pub fn poll(&mut self, now: Instant, sender_ssrc: u32, media_ssrc: u32) -> Vec<TransportLayerCc> {
        let mut messages = Vec::new();
        if self.due_at.is_none_or(|at| at > now) {
            return messages;
        }
        self.due_at = None;
        self.sent_at = Some(now);
        while let Some((message, next)) = self.message(sender_ssrc, media_ssrc) {
            self.count = self.count.wrapping_add(1);
            self.window_start = Some(next);
            messages.push(message);
        }
        messages
    }

    /// 5 % of what comes in, within limits.
    fn interval(&self) -> Duration {
        let (least, most) = INTERVALS;
        let wanted = MESSAGE_BITS / (self.incoming.bps() * SHARE).max(1.0);
        Duration::from_secs_f64(wanted.clamp(least.as_secs_f64(), most.as_secs_f64()))
    }

    /// A message from the window's start on, and where the next begins.
    fn message(&self, sender_ssrc: u32, media_ssrc: u32) -> Option<(TransportLayerCc, u64)> {
        let start = self.window_start?;
        let (_, first_at) = self.arrivals.range(start..).next()?;
        let ticks = |at: Instant| (at - self.origin).as_micros() as i64 / TICK_US;
        let reference = ticks(*first_at) / TICKS_PER_REFERENCE;
        let (mut last, mut symbols, mut deltas) = (reference * TICKS_PER_REFERENCE, Vec::new(), Vec::new());
        for (number, at) in self.arrivals.range(start..) {
            let delta = ticks(*at) - last;
            if number - start >= MAX_STATUSES || i16::try_from(delta).is_err() {
                break;
            }
            symbols.resize((number - start) as usize, SymbolTypeTcc::PacketNotReceived);
            let symbol = match delta {
                0..=255 => SymbolTypeTcc::PacketReceivedSmallDelta,
                _ => SymbolTypeTcc::PacketReceivedLargeDelta,
            };
            symbols.push(symbol);
            deltas.push(RecvDelta { type_tcc_packet: symbol, delta: delta * TICK_US });
            last += delta;
        }
        if symbols.is_empty() {
            // A hole of more numbers than a message has.
            let (next, _) = self.arrivals.range(start..).next()?;
            return Some((self.empty(sender_ssrc, media_ssrc, start, reference), *next));
        }
        let next = start + symbols.len() as u64;
        let message = TransportLayerCc {
            packet_status_count: symbols.len() as u16,
            packet_chunks: chunks(&symbols),
            recv_deltas: deltas,
            ..self.empty(sender_ssrc, media_ssrc, start, reference)
        };
        Some((message, next))
    }

    /// A message that calls one number missing.
    fn empty(&self, sender_ssrc: u32, media_ssrc: u32, start: u64, reference: i64) -> TransportLayerCc {
        TransportLayerCc {
            sender_ssrc,
            media_ssrc,
            base_sequence_number: start as u16,
            packet_status_count: 1,
            reference_time: reference as u32 & 0x00ff_ffff,
            fb_pkt_count: self.count,
            packet_chunks: chunks(&[SymbolTypeTcc::PacketNotReceived]),
            recv_deltas: Vec::new(),
        }
    }
}

/// Runs where there are long ones, else seven symbols of two bits.
fn chunks(mut symbols: &[SymbolTypeTcc]) -> Vec<PacketStatusChunk> {
    let mut chunks = Vec::new();
    while let Some(first) = symbols.first() {
        let run = symbols.iter().take_while(|symbol| *symbol == first).count();
        let taken = if run >= 7 || run == symbols.len() {
            chunks.push(PacketStatusChunk::RunLengthChunk(RunLengthChunk {
                type_tcc: StatusChunkTypeTcc::RunLengthChunk,
                packet_status_symbol: *first,
                run_length: run as u16,
            }));
            run
        } else {
            let taken = symbols.len().min(7);
            let mut symbol_list = symbols[..taken].to_vec();
            symbol_list.resize(7, SymbolTypeTcc::PacketNotReceived);
            chunks.push(PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
                type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
                symbol_size: SymbolSizeTypeTcc::TwoBit,
                symbol_list,
            }));
            taken
        };
        symbols = &symbols[taken..];
    }
    chunks
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rtc_shared::marshal::{Marshal, Unmarshal};

    use super::*;
    use crate::world::origin;

    fn read(message: &TransportLayerCc) -> Vec<(u16, bool)> {
        let mut bytes = BytesMut::from(&message.marshal().unwrap()[..]);
        let read = TransportLayerCc::unmarshal(&mut bytes).unwrap();
        let symbols = read.packet_chunks.iter().flat_map(|chunk| match chunk {
            PacketStatusChunk::RunLengthChunk(run) => vec![run.packet_status_symbol; usize::from(run.run_length)],
            PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.clone(),
        });
        let numbers = (0..read.packet_status_count).map(|offset| read.base_sequence_number.wrapping_add(offset));
        numbers.zip(symbols.map(|symbol| symbol != SymbolTypeTcc::PacketNotReceived)).collect()
    }

    #[test]
    fn every_number_is_told_once_and_again_when_it_comes_late() {
        let now = origin();
        let at = |ms| now + Duration::from_millis(ms);
        let mut sender = FeedbackSender::new(now);
        for (ms, number) in [(0, 65_534), (1, 65_535), (400, 1)] {
            sender.handle(at(ms), number, 1000);
        }
        assert_eq!(sender.poll_timeout(), Some(now), "the first one at once");
        let told: Vec<_> = sender.poll(at(401), 1, 2).iter().flat_map(read).collect();
        assert_eq!(told, [(65_534, true), (65_535, true), (0, false), (1, true)]);
        sender.handle(at(420), 0, 1000);
        assert!(sender.poll(at(421), 1, 2).is_empty(), "too soon");
        let due = sender.poll_timeout().unwrap();
        assert!((at(450)..=at(651)).contains(&due));
        let told: Vec<_> = sender.poll(due, 1, 2).iter().flat_map(read).collect();
        assert_eq!(told, [(0, true), (1, true)]);
        assert_eq!(sender.poll_timeout(), None);
    }

    #[test]
    fn arrivals_are_told_to_a_quarter_of_a_millisecond_through_long_gaps() {
        let now = origin();
        let mut sender = FeedbackSender::new(now);
        let arrivals: Vec<_> = (0..2500_u64).map(|n| now + Duration::from_millis(n * 7 + n / 900 * 9000)).collect();
        for (number, at) in arrivals.iter().enumerate() {
            sender.handle(*at, number as u16, 100);
        }
        let messages = sender.poll(now + Duration::from_secs(60), 1, 2);
        let mut told = Vec::new();
        for message in &messages {
            let mut at = i64::from(message.reference_time) * 64_000;
            told.extend(message.recv_deltas.iter().map(|delta| {
                at += delta.delta;
                at
            }));
        }
        assert_eq!(told.len(), arrivals.len());
        for (told, at) in told.iter().zip(&arrivals) {
            assert!(((*at - now).as_micros() as i64 - told).abs() < 250);
        }
    }
}
