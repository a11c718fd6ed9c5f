//! One RTP stream on its way out: numbers, header extensions, and what may be asked for again.

use std::time::SystemTime;

use crate::endpoint::rtcp;
use crate::rtp::HeaderWriter;
use crate::signalling::parameters::extension;
use crate::stamp;

/// Packets kept for retransmission: a second of 1 Mbit/s. What is older is not sent again.
const STORED_PACKETS: u64 = 128;

/// A packet to be sealed and sent.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The packet without a tag.
    pub packet: &'a mut Vec<u8>,
    /// The length of its header in bytes.
    pub header_len: usize,
    /// Its stream.
    pub ssrc: u32,
    /// Its sequence number with rounds.
    pub index: u64,
}

/// A stream's identity and counters.
#[derive(Debug)]
pub struct OutgoingStream {
    ssrc: u32,
    payload_type: u8,
    mid: String,
    rid: Option<String>,
    index: u64,
    packets: u32,
    bytes: u32,
    timestamp: u32,
    repair: Option<Repair>,
}

/// RTX (RFC 4588).
#[derive(Debug)]
struct Repair {
    ssrc: u32,
    payload_type: u8,
    index: u64,
    stored: Vec<Stored>,
}

#[derive(Debug, Default, Clone)]
struct Stored {
    index: u64,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

impl OutgoingStream {
    /// A stream that begins at sequence number `first`. `rtx`: SSRC and payload type of its retransmissions.
    pub fn new(ssrc: u32, payload_type: u8, mid: &str, rid: Option<&str>, rtx: Option<(u32, u8)>, first: u16) -> Self {
        Self {
            ssrc,
            payload_type,
            mid: mid.to_owned(),
            rid: rid.map(str::to_owned),
            // The round begins at 0, and a first packet that is lost must not look like one of the next round.
            index: u64::from(first & 0x7fff),
            packets: 0,
            bytes: 0,
            timestamp: 0,
            repair: rtx.map(|(ssrc, payload_type)| Repair {
                ssrc,
                payload_type,
                index: u64::from(first & 0x7fff),
                stored: vec![Stored::default(); STORED_PACKETS as usize],
            }),
        }
    }

    /// The SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets sent, without repeats.
    pub fn packets(&self) -> u32 {
        self.packets
    }

    /// Makes the next packet in the reused `buffer`. `fill` appends the payload, `wide` numbers the transport's packets;
    /// `level` is the audio level's byte. The payload's end is overwritten with a time stamp.
    pub fn next<'b>(
        &mut self,
        buffer: &'b mut Vec<u8>,
        wide: &mut u16,
        timestamp: u32,
        marker: bool,
        level: Option<u8>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Outgoing<'b> {
        self.timestamp = timestamp;
        let header = HeaderWriter::begin(buffer, self.payload_type, marker, self.index as u16, timestamp, self.ssrc);
        let header = common_extensions(header, wide).extension(extension::MID, self.mid.as_bytes());
        let header = match &self.rid {
            Some(rid) => header.extension(extension::RID, rid.as_bytes()),
            None => header,
        };
        let header_len = match level {
            Some(level) => header.extension(extension::AUDIO_LEVEL, &[level]).end(),
            None => header.end(),
        };
        fill(buffer);
        let payload = buffer.get_mut(header_len..).unwrap_or_default();
        stamp::write(payload, stamp::wall_ns());
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(payload.len() as u32);
        if let Some(repair) = &mut self.repair
            && let Some(stored) = repair.stored.get_mut((self.index % STORED_PACKETS) as usize)
        {
            (stored.index, stored.timestamp, stored.marker) = (self.index, timestamp, marker);
            stored.payload.clear();
            stored.payload.extend_from_slice(payload);
        }
        let index = self.index;
        self.index += 1;
        Outgoing { packet: buffer, header_len, ssrc: self.ssrc, index }
    }

    /// Makes a retransmission in the reused `buffer`, if that packet is still there.
    pub fn repeat<'b>(
        &mut self,
        buffer: &'b mut Vec<u8>,
        wide: &mut u16,
        sequence_number: u16,
    ) -> Option<Outgoing<'b>> {
        let repair = self.repair.as_mut()?;
        let behind = (self.index as u16).wrapping_sub(sequence_number);
        let index = self.index.checked_sub(u64::from(behind))?;
        let stored = repair.stored.get((index % STORED_PACKETS) as usize)?;
        if stored.index != index || stored.payload.is_empty() {
            return None;
        }
        let number = repair.index as u16;
        let header =
            HeaderWriter::begin(buffer, repair.payload_type, stored.marker, number, stored.timestamp, repair.ssrc);
        let header = common_extensions(header, wide).extension(extension::MID, self.mid.as_bytes());
        let header_len = match &self.rid {
            Some(rid) => header.extension(extension::REPAIRED_RID, rid.as_bytes()).end(),
            None => header.end(),
        };
        buffer.extend_from_slice(&sequence_number.to_be_bytes());
        buffer.extend_from_slice(&stored.payload);
        let index = repair.index;
        repair.index += 1;
        Some(Outgoing { packet: buffer, header_len, ssrc: repair.ssrc, index })
    }

    /// Writes a sender report; `false` while nothing was sent.
    pub fn write_report(&self, out: &mut Vec<u8>) -> bool {
        if self.packets == 0 {
            return false;
        }
        rtcp::write_sender_report(out, self.ssrc, SystemTime::now(), self.timestamp, self.packets, self.bytes);
        true
    }
}

/// What every packet carries: when it left, and its number on the transport.
fn common_extensions<'a>(header: HeaderWriter<'a>, wide: &mut u16) -> HeaderWriter<'a> {
    // 24 bits, of which 18 are below the second.
    let send_time = ((u128::from(stamp::wall_ns()) << 18) / 1_000_000_000) as u32;
    let [_, s0, s1, s2] = send_time.to_be_bytes();
    let number = *wide;
    *wide = wide.wrapping_add(1);
    header.extension(extension::ABS_SEND_TIME, &[s0, s1, s2]).extension(extension::TRANSPORT_CC, &number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Header;

    fn stream() -> OutgoingStream {
        OutgoingStream::new(7, 96, "0", Some("r1"), Some((8, 97)), 65_535)
    }

    fn send(stream: &mut OutgoingStream, wide: &mut u16, content: u8) -> (Vec<u8>, usize) {
        let mut buffer = Vec::new();
        let sent =
            stream.next(&mut buffer, wide, 3000, true, None, |payload| payload.resize(payload.len() + 50, content));
        let header_len = sent.header_len;
        (buffer, header_len)
    }

    #[test]
    fn numbers_go_up_on_the_stream_and_on_the_transport() {
        let (mut stream, mut wide) = (stream(), 65_535);
        for number in 0..3u16 {
            let (packet, header_len) = send(&mut stream, &mut wide, 1);
            let header = Header::read(&packet).unwrap();
            assert_eq!((header.len, header.sequence_number), (header_len, 0x7fff + number));
            assert_eq!(header.extension_u16(&packet, extension::TRANSPORT_CC), Some(number.wrapping_sub(1)));
            assert!(stamp::read(&packet[header_len..]).is_some());
        }
    }

    #[test]
    fn what_is_asked_for_again_is_sent_in_its_own_stream_while_it_is_kept() {
        let (mut stream, mut wide) = (stream(), 0);
        let (first, header_len) = send(&mut stream, &mut wide, 1);
        let mut buffer = Vec::new();
        let repeat = stream.repeat(&mut buffer, &mut wide, 0x7fff).unwrap();
        assert_eq!(repeat.ssrc, 8);
        let payload = repeat.packet[repeat.header_len..].to_vec();
        assert_eq!(payload[..2], 0x7fffu16.to_be_bytes());
        assert_eq!(payload[2..], first[header_len..]);
        for _ in 0..STORED_PACKETS {
            send(&mut stream, &mut wide, 2);
        }
        assert!(stream.repeat(&mut buffer, &mut wide, 0x7fff).is_none(), "too old");
        assert!(stream.repeat(&mut buffer, &mut wide, 3).is_none(), "never sent");
    }
}
