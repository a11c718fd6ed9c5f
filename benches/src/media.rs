//! The packets that the publisher sends: as large and as many as real ones, with the moment of sending inside.

use std::time::Duration;

use sfu_core::parameters::MediaKind;

/// Video: a payload that fills a packet on the usual path.
const VIDEO_PACKET_BYTES: usize = 1200;
/// Audio: 20 ms of Opus at 64 kbit/s.
const AUDIO_PACKET_BYTES: usize = 160;
/// Frames a second of video, and packets a second of audio.
const VIDEO_FRAMES_PER_SECOND: u32 = 30;
const AUDIO_PACKETS_PER_SECOND: u32 = 50;

/// An RTP header without extensions.
const HEADER_BYTES: usize = 12;
/// Where a payload says when it was sent: behind what a VP8 depacketiser reads.
const STAMP_OFFSET: usize = 16;

/// A publisher's stream.
#[derive(Debug)]
pub struct Source {
    kind: MediaKind,
    payload_type: u8,
    ssrc: u32,
    sequence_number: u16,
    frames: u32,
    /// Bits that the frames so far were too short by.
    credit_bits: u64,
    bits_per_frame: u64,
}

/// One packet, not sealed yet.
#[derive(Debug, Clone, Copy)]
pub struct PacketPlan {
    /// The length in bytes, header included.
    pub len: usize,
    /// The length of the header in bytes.
    pub header_len: usize,
}

impl Source {
    /// A stream of `bitrate_bps` (payload) for video; audio has one rate only.
    pub fn new(kind: MediaKind, payload_type: u8, ssrc: u32, bitrate_bps: u64) -> Self {
        let bits_per_frame = match kind {
            MediaKind::Video => bitrate_bps / u64::from(VIDEO_FRAMES_PER_SECOND),
            MediaKind::Audio => AUDIO_PACKET_BYTES as u64 * 8,
        };
        Self { kind, payload_type, ssrc, sequence_number: 0, frames: 0, credit_bits: 0, bits_per_frame }
    }

    /// The time between two frames.
    pub fn frame_interval(&self) -> Duration {
        Duration::from_secs(1)
            / match self.kind {
                MediaKind::Video => VIDEO_FRAMES_PER_SECOND,
                MediaKind::Audio => AUDIO_PACKETS_PER_SECOND,
            }
    }

    /// Makes the packets of the next frame, each in the reused `buffer`, and gives them to `send`. The stream's first frame is a
    /// key frame; later ones are not.
    pub fn next_frame(
        &mut self,
        buffer: &mut Vec<u8>,
        mut sent_at_ns: impl FnMut() -> u64,
        mut send: impl FnMut(&mut Vec<u8>, PacketPlan),
    ) {
        let (payload_bytes, clock_ticks) = match self.kind {
            MediaKind::Video => (VIDEO_PACKET_BYTES, 90_000 / VIDEO_FRAMES_PER_SECOND),
            MediaKind::Audio => (AUDIO_PACKET_BYTES, 48_000 / AUDIO_PACKETS_PER_SECOND),
        };
        self.credit_bits += self.bits_per_frame;
        let packet_bits = payload_bytes as u64 * 8;
        let packets = (self.credit_bits / packet_bits).max(1);
        self.credit_bits = self.credit_bits.saturating_sub(packets * packet_bits);
        let timestamp = self.frames.wrapping_mul(clock_ticks);
        for number in 0..packets {
            buffer.clear();
            let marker = self.kind == MediaKind::Video && number + 1 == packets;
            buffer.extend([0x80, self.payload_type | if marker { 0x80 } else { 0 }]);
            buffer.extend(self.sequence_number.to_be_bytes());
            buffer.extend(timestamp.to_be_bytes());
            buffer.extend(self.ssrc.to_be_bytes());
            buffer.resize(HEADER_BYTES + payload_bytes, 0xa5);
            if let Some(start) = buffer.get_mut(HEADER_BYTES..HEADER_BYTES + 2) {
                // RFC 7741: whether a frame starts here, and whether it is a key frame. Opus does not mind.
                start.copy_from_slice(&[if number == 0 { 0x10 } else { 0 }, u8::from(self.frames > 0)]);
            }
            let stamp = HEADER_BYTES + STAMP_OFFSET;
            if let Some(place) = buffer.get_mut(stamp..stamp + 8) {
                place.copy_from_slice(&sent_at_ns().to_be_bytes());
            }
            send(buffer, PacketPlan { len: buffer.len(), header_len: HEADER_BYTES });
            self.sequence_number = self.sequence_number.wrapping_add(1);
        }
        self.frames = self.frames.wrapping_add(1);
    }
}

/// When a payload says that it was sent, in nanoseconds of the sender's clock.
pub fn sent_at_ns(payload: &[u8]) -> Option<u64> {
    payload.get(STAMP_OFFSET..)?.first_chunk().copied().map(u64::from_be_bytes)
}

/// The SSRC of a packet that is RTP and no RTCP (RFC 5761 section 4), sealed or not.
pub fn rtp_ssrc(datagram: &[u8]) -> Option<u32> {
    let &[first, second, .., a, b, c, d] = datagram.first_chunk::<HEADER_BYTES>()?;
    let is_rtp = (128..192).contains(&first) && !(192..=223).contains(&second);
    is_rtp.then(|| u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use sfu_core::rtp::header::RtpHeader;

    use super::*;

    fn packets(source: &mut Source, frames: usize) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        for _ in 0..frames {
            source.next_frame(
                &mut Vec::new(),
                || 42,
                |buffer, plan| {
                    assert_eq!(plan.len, buffer.len());
                    packets.push(buffer.clone());
                },
            );
        }
        packets
    }

    #[test]
    fn a_second_of_video_has_the_asked_bits_in_thirty_frames() {
        let packets = packets(&mut Source::new(MediaKind::Video, 96, 7, 1_000_000), 30);
        assert_eq!(packets.len(), 104);
        let headers: Vec<RtpHeader> = packets.iter().map(|packet| RtpHeader::parse(packet).unwrap()).collect();
        assert_eq!(headers.iter().filter(|header| header.marker).count(), 30);
        assert!(headers.windows(2).all(|pair| pair[1].sequence_number == pair[0].sequence_number + 1));
        for (packet, header) in packets.iter().zip(&headers) {
            assert_eq!(rtp_ssrc(packet), Some(7));
            assert_eq!(sent_at_ns(&packet[header.payload_range(packet).unwrap()]), Some(42));
        }
    }

    #[test]
    fn a_second_of_audio_has_fifty_packets() {
        let packets = packets(&mut Source::new(MediaKind::Audio, 100, 7, 0), 50);
        assert_eq!(packets.len(), 50);
        assert!(packets.iter().all(|packet| packet.len() == 172));
    }

    #[test]
    fn control_packets_and_stun_are_no_media() {
        assert_eq!(rtp_ssrc(&[0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0]), None);
        assert_eq!(rtp_ssrc(&[1; 20]), None);
        assert_eq!(rtp_ssrc(&[0x80; 11]), None);
    }
}
