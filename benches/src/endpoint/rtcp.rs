//! The few RTCP messages of a light client (RFC 3550 section 6, RFC 4585, RFC 5104).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
/// Formats of the two kinds of feedback.
const NACK: u8 = 1;
const PLI: u8 = 1;
const FIR: u8 = 4;
/// Seconds from 1900 to 1970.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// What a publisher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A key frame of this stream is wanted.
    KeyFrame {
        /// The stream.
        ssrc: u32,
    },
    /// This packet is wanted again.
    Nack {
        /// The stream.
        ssrc: u32,
        /// The packet.
        sequence_number: u16,
    },
    /// When the other side sent: the middle 32 bits of its NTP time.
    SenderReport {
        /// The stream.
        ssrc: u32,
        /// For the receiver report that answers.
        middle_ntp: u32,
    },
}

/// One block of a receiver report.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Of the packets since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Since the beginning.
    pub total_lost: u32,
    /// The highest sequence number with its rounds.
    pub highest: u32,
    /// The middle 32 bits of the last sender report's time; 0: none.
    pub last_report: u32,
    /// Since that came, in 65536ths of a second.
    pub delay: u32,
}

/// Reads a compound; what a light client has no use for is left out.
pub fn read(mut compound: &[u8], mut heard: impl FnMut(Heard)) {
    while let Some(&[first, packet_type, l0, l1]) = compound.first_chunk::<4>() {
        let len = 4 * (usize::from(u16::from_be_bytes([l0, l1])) + 1);
        let Some(packet) = compound.get(..len) else { return };
        let word = |at: usize| packet.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        match (packet_type, first & 0x1f) {
            (SENDER_REPORT, _) => {
                if let (Some(ssrc), Some(seconds), Some(fraction)) = (word(4), word(8), word(12)) {
                    heard(Heard::SenderReport { ssrc, middle_ntp: (seconds << 16) | (fraction >> 16) });
                }
            }
            (PAYLOAD_FEEDBACK, PLI) => {
                if let Some(ssrc) = word(8) {
                    heard(Heard::KeyFrame { ssrc });
                }
            }
            (PAYLOAD_FEEDBACK, FIR) => {
                let entries = packet.get(12..).unwrap_or_default().chunks_exact(8);
                entries.filter_map(|entry| entry.first_chunk::<4>()).for_each(|ssrc| {
                    heard(Heard::KeyFrame { ssrc: u32::from_be_bytes(*ssrc) });
                });
            }
            (TRANSPORT_FEEDBACK, NACK) => {
                let Some(ssrc) = word(8) else { return };
                for pair in packet.get(12..).unwrap_or_default().chunks_exact(4) {
                    let (first, mask) =
                        (u16::from_be_bytes([pair[0], pair[1]]), u16::from_be_bytes([pair[2], pair[3]]));
                    heard(Heard::Nack { ssrc, sequence_number: first });
                    for bit in (0..16).filter(|bit| mask & (1 << bit) != 0) {
                        heard(Heard::Nack { ssrc, sequence_number: first.wrapping_add(bit + 1) });
                    }
                }
            }
            _ => {}
        }
        compound = compound.get(len..).unwrap_or_default();
    }
}

/// Writes a sender report without blocks.
pub fn write_sender_report(out: &mut Vec<u8>, ssrc: u32, wall: SystemTime, timestamp: u32, packets: u32, bytes: u32) {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = (since.as_secs() + NTP_TO_UNIX_S) as u32;
    let fraction = ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000) as u32;
    out.clear();
    out.extend_from_slice(&[0x80, SENDER_REPORT, 0, 6]);
    for word in [ssrc, seconds, fraction, timestamp, packets, bytes] {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

/// Begins a receiver report, to which up to 31 blocks are added.
pub fn begin_receiver_report(out: &mut Vec<u8>, sender_ssrc: u32) {
    out.clear();
    out.extend_from_slice(&[0x80, RECEIVER_REPORT, 0, 1]);
    out.extend_from_slice(&sender_ssrc.to_be_bytes());
}

/// Adds a block to the receiver report in `out`; `false` if it is full.
pub fn add_report_block(out: &mut Vec<u8>, block: &ReportBlock) -> bool {
    let blocks = out[0] & 0x1f;
    if blocks == 31 {
        return false;
    }
    out[0] = 0x80 | (blocks + 1);
    out[3] += 6;
    let lost = (u32::from(block.fraction_lost) << 24) | block.total_lost.min(0x007f_ffff);
    // Jitter is told as none: it is no part of the load.
    for word in [block.ssrc, lost, block.highest, 0, block.last_report, block.delay] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    true
}

/// Writes a request for the packets in `sequence_numbers`, which are in order.
pub fn write_nack(out: &mut Vec<u8>, sender_ssrc: u32, media_ssrc: u32, sequence_numbers: &[u16]) {
    out.clear();
    out.extend_from_slice(&[0x80 | NACK, TRANSPORT_FEEDBACK, 0, 0]);
    out.extend_from_slice(&sender_ssrc.to_be_bytes());
    out.extend_from_slice(&media_ssrc.to_be_bytes());
    let mut rest = sequence_numbers;
    while let [first, tail @ ..] = rest {
        let covered = tail.iter().take_while(|number| (1..=16).contains(&number.wrapping_sub(*first))).count();
        let (masked, after) = tail.split_at(covered);
        let mask = masked.iter().fold(0u16, |mask, number| mask | (1 << (number.wrapping_sub(*first) - 1)));
        out.extend_from_slice(&first.to_be_bytes());
        out.extend_from_slice(&mask.to_be_bytes());
        rest = after;
    }
    let words = (out.len() / 4 - 1) as u16;
    out[2..4].copy_from_slice(&words.to_be_bytes());
}

/// Writes a request for a key frame.
pub fn write_pli(out: &mut Vec<u8>, sender_ssrc: u32, media_ssrc: u32) {
    out.clear();
    out.extend_from_slice(&[0x80 | PLI, PAYLOAD_FEEDBACK, 0, 2]);
    out.extend_from_slice(&sender_ssrc.to_be_bytes());
    out.extend_from_slice(&media_ssrc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(compound: &[u8]) -> Vec<Heard> {
        let mut all = Vec::new();
        read(compound, |heard| all.push(heard));
        all
    }

    #[test]
    fn each_packet_that_is_asked_for_is_heard() {
        let numbers = [65_534, 65_535, 3, 14, 40];
        let mut out = Vec::new();
        write_nack(&mut out, 1, 7, &numbers);
        let expected: Vec<Heard> =
            numbers.iter().map(|&sequence_number| Heard::Nack { ssrc: 7, sequence_number }).collect();
        assert_eq!(heard(&out), expected);
        // Two pairs: the second begins where the first's mask ends.
        assert_eq!(out.len(), 12 + 2 * 4);
    }

    #[test]
    fn requests_for_key_frames_and_reports_are_heard_in_one_compound() {
        let (mut pli, mut report) = (Vec::new(), Vec::new());
        write_pli(&mut pli, 1, 7);
        write_sender_report(&mut report, 9, UNIX_EPOCH + Duration::from_millis(1500), 5, 6, 7);
        let fir = [&[0x84, 206, 0, 4][..], &[0; 8], &8u32.to_be_bytes(), &[1, 0, 0, 0]].concat();
        let middle_ntp = (((NTP_TO_UNIX_S + 1) as u32) << 16) | 0x8000;
        assert_eq!(
            heard(&[report, pli, fir].concat()),
            [Heard::SenderReport { ssrc: 9, middle_ntp }, Heard::KeyFrame { ssrc: 7 }, Heard::KeyFrame { ssrc: 8 }]
        );
    }

    #[test]
    fn what_is_cut_off_is_not_heard() {
        let mut pli = Vec::new();
        write_pli(&mut pli, 1, 7);
        for len in 0..pli.len() {
            assert!(heard(&pli[..len]).is_empty(), "{len} bytes");
        }
    }

    #[test]
    fn a_report_holds_31_blocks() {
        let mut out = Vec::new();
        begin_receiver_report(&mut out, 1);
        let block = ReportBlock { ssrc: 3, fraction_lost: 128, total_lost: 2, highest: 70_000, ..Default::default() };
        let added = (0..40).filter(|_| add_report_block(&mut out, &block)).count();
        assert_eq!((added, out.len(), out[0] & 0x1f), (31, 8 + 31 * 24, 31));
        assert_eq!(usize::from(out[3]), out.len() / 4 - 1);
    }
}
