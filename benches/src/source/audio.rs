//! Opus as a microphone sends it: 50 packets a second, whose sizes and levels vary.

use std::time::{Duration, Instant};

use super::Schedule;
use super::stream::{Outgoing, OutgoingStream};

/// Packets a second.
const PACKET_RATE: u32 = 50;
const CLOCK_RATE: u32 = 48_000;
/// Of 24 to 64 kbit/s.
const PAYLOAD_BYTES: std::ops::RangeInclusive<usize> = 80..=160;
/// How long somebody speaks.
const TURN: Duration = Duration::from_secs(3);
/// RFC 6464: voice, and −dBov. Who does not speak is heard breathing.
const SPEAKING: u8 = 0x80 | 25;
const SILENT: u8 = 90;

/// One microphone.
#[derive(Debug)]
pub struct AudioSource {
    stream: OutgoingStream,
    schedule: Schedule,
    packet: u32,
    begun: Instant,
    /// Whose turn this one's is, of how many.
    turn: (u32, u32),
}

impl AudioSource {
    /// A microphone whose first packet is due at `first_at`. Of `speakers` in the room the one with this `number` speaks in
    /// its turn.
    pub fn new(stream: OutgoingStream, first_at: Instant, begun: Instant, number: u32, speakers: u32) -> Self {
        let schedule = Schedule::new(Duration::from_secs(1) / PACKET_RATE, first_at);
        Self { stream, schedule, packet: 0, begun, turn: (number, speakers.max(1)) }
    }

    /// When [`Self::poll`] has something to do.
    pub fn poll_timeout(&self) -> Instant {
        self.schedule.next_at()
    }

    /// Makes the packets that are due in the reused `buffer`, unless nothing is to be sent; then time passes all the same.
    pub fn poll(
        &mut self,
        now: Instant,
        sends: bool,
        wide: &mut u16,
        buffer: &mut Vec<u8>,
        mut send: impl FnMut(Outgoing<'_>),
    ) {
        while self.schedule.poll(now) {
            self.packet = self.packet.wrapping_add(1);
            if !sends {
                continue;
            }
            let (number, speakers) = self.turn;
            let turns = now.saturating_duration_since(self.begun).as_secs() / TURN.as_secs();
            let level = if turns % u64::from(speakers) == u64::from(number) { SPEAKING } else { SILENT };
            let spread = PAYLOAD_BYTES.end() - PAYLOAD_BYTES.start() + 1;
            // Without a pattern that fits the packet rate.
            let len = PAYLOAD_BYTES.start() + (self.packet.wrapping_mul(0x9e37_79b1) >> 16) as usize % spread;
            let timestamp = self.packet.wrapping_mul(CLOCK_RATE / PACKET_RATE);
            // No marker: without discontinuous transmission there is no talkspurt to begin.
            send(self.stream.next(buffer, wide, timestamp, false, Some(level), |payload| {
                payload.resize(payload.len() + len, 0x5a);
            }));
        }
    }

    /// Its stream.
    pub fn stream(&mut self) -> &mut OutgoingStream {
        &mut self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_fifty_packets_and_one_speaker_at_a_time() {
        let begun = Instant::now();
        let mut levels = [0, 0];
        for number in 0..2 {
            let stream = OutgoingStream::new(7, 111, "1", None, None, 0);
            let mut source = AudioSource::new(stream, begun, begun, number, 2);
            let mut wide = 0;
            for ms in 0..1000 {
                source.poll(begun + Duration::from_millis(ms), true, &mut wide, &mut Vec::new(), |sent| {
                    let payload = sent.packet.len() - sent.header_len;
                    assert!(PAYLOAD_BYTES.contains(&payload), "{payload}");
                    levels[number as usize] |= sent.packet[sent.header_len - 1] | sent.packet[sent.header_len - 2];
                });
            }
            assert_eq!(wide, 50);
        }
        assert_ne!(levels[0] & 0x80, 0, "the first speaks");
        assert_eq!(levels[1] & 0x80, 0, "the second waits for its turn");
    }
}
