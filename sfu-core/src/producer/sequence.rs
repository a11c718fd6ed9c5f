//! RTP sequence numbers without their wrap.

/// The largest forward step that is taken for loss (RFC 3550 appendix A.1, `MAX_DROPOUT`). At a thousand packets a
/// second it is a gap of 3 s; beyond it the sender is more likely to have restarted.
pub const MAX_DROPOUT: u16 = 3000;

/// The largest backward step that is taken for reordering. RFC 3550 appendix A.1 has 100, for 50 packets a second;
/// video reaches a thousand, where 100 would be a tenth of a second.
pub const MAX_MISORDER: u16 = 1000;

/// What a sequence number meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceUpdate {
    /// Ahead of everything before it, or the very first.
    Newest(u64),
    /// At or behind the newest: late, or a duplicate.
    Late(u64),
    /// Too far from the newest to be loss or reordering. Nothing changed: the packet is to be dropped; if the next
    /// one follows it the sender has restarted.
    Jump,
    /// The second packet in a row after a jump: the sender has restarted. The number is larger than all before.
    Restarted(u64),
}

/// Unwraps 16-bit sequence numbers to 64 bits (RFC 3550 appendix A.1).
///
/// The result starts one cycle above zero, so that packets reordered around the very first have numbers too, and a
/// restart continues above everything issued before: an unwrapped number names one packet for the stream's life.
#[derive(Debug, Clone, Default)]
pub struct ExtendedSequence {
    newest: Option<u64>,
    /// The number that cycles are counted from in reports; moved by a restart.
    cycle_origin: u64,
    /// After a jump: the number that would confirm a restart.
    restart_candidate: Option<u16>,
}

impl ExtendedSequence {
    /// Takes the sequence number of a received packet.
    pub fn update(&mut self, seq: u16) -> SequenceUpdate {
        let Some(newest) = self.newest else {
            return SequenceUpdate::Newest(self.start_at(CYCLE, seq));
        };
        if let Some(extended) = near(newest, seq) {
            self.restart_candidate = None;
            return self.settle(newest, extended);
        }
        if self.restart_candidate == Some(seq) {
            let next_free_cycle = (newest / CYCLE + 2) * CYCLE;
            return SequenceUpdate::Restarted(self.start_at(next_free_cycle, seq));
        }
        self.restart_candidate = Some(seq.wrapping_add(1));
        SequenceUpdate::Jump
    }

    /// Takes the original sequence number of a retransmitted packet (RFC 4588 section 4). It can never start the
    /// stream, nor speak for a restart: `Jump` then, and nothing changed.
    pub fn update_recovered(&mut self, seq: u16) -> SequenceUpdate {
        let Some(newest) = self.newest else { return SequenceUpdate::Jump };
        // A retransmission may lag further than reordering does.
        let behind = (newest as u16).wrapping_sub(seq);
        if behind < 0x8000 {
            return newest.checked_sub(u64::from(behind)).map_or(SequenceUpdate::Jump, SequenceUpdate::Late);
        }
        near(newest, seq).map_or(SequenceUpdate::Jump, |extended| self.settle(newest, extended))
    }

    /// The newest number so far.
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// The newest number as reports have it: cycles since the start or the last restart above the sequence number
    /// (RFC 3550 section 6.4.1, "extended highest sequence number received").
    pub fn newest_for_report(&self) -> Option<u32> {
        self.newest.map(|newest| newest.wrapping_sub(self.cycle_origin) as u32)
    }

    fn start_at(&mut self, cycle_origin: u64, seq: u16) -> u64 {
        let extended = cycle_origin + u64::from(seq);
        self.newest = Some(extended);
        self.cycle_origin = cycle_origin;
        self.restart_candidate = None;
        extended
    }

    fn settle(&mut self, newest: u64, extended: u64) -> SequenceUpdate {
        if extended <= newest {
            return SequenceUpdate::Late(extended);
        }
        self.newest = Some(extended);
        SequenceUpdate::Newest(extended)
    }
}

const CYCLE: u64 = 1 << 16;

/// The number that `seq` stands for if it is within loss and reordering distance of `newest`.
fn near(newest: u64, seq: u16) -> Option<u64> {
    let ahead = seq.wrapping_sub(newest as u16);
    let behind = ahead.wrapping_neg();
    if ahead <= MAX_DROPOUT {
        newest.checked_add(u64::from(ahead))
    } else if behind <= MAX_MISORDER {
        newest.checked_sub(u64::from(behind))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::SequenceUpdate::{Jump, Late, Newest, Restarted};
    use super::*;

    /// Feeds the numbers in turn and returns what each meant.
    fn updates(seqs: &[u16]) -> Vec<SequenceUpdate> {
        let mut sequence = ExtendedSequence::default();
        seqs.iter().map(|&seq| sequence.update(seq)).collect()
    }

    #[test]
    fn numbers_unwrap() {
        let cases: &[(&str, &[u16], &[SequenceUpdate])] = &[
            ("in order", &[7, 8], &[Newest(CYCLE + 7), Newest(CYCLE + 8)]),
            ("wrap", &[65535, 0], &[Newest(CYCLE + 65535), Newest(2 * CYCLE)]),
            ("wrap over a gap", &[65530, 3], &[Newest(CYCLE + 65530), Newest(2 * CYCLE + 3)]),
            (
                "late across the wrap",
                &[65534, 0, 65535],
                &[Newest(CYCLE + 65534), Newest(2 * CYCLE), Late(CYCLE + 65535)],
            ),
            ("reordered around the first", &[0, 65535], &[Newest(CYCLE), Late(CYCLE - 1)]),
            ("repeated", &[5, 5], &[Newest(CYCLE + 5), Late(CYCLE + 5)]),
            ("largest loss", &[0, MAX_DROPOUT], &[Newest(CYCLE), Newest(CYCLE + 3000)]),
            ("beyond the largest loss", &[0, MAX_DROPOUT + 1], &[Newest(CYCLE), Jump]),
            ("oldest late", &[2000, 1000], &[Newest(CYCLE + 2000), Late(CYCLE + 1000)]),
            ("too late", &[2000, 999], &[Newest(CYCLE + 2000), Jump]),
        ];
        for (name, seqs, expected) in cases {
            assert_eq!(&updates(seqs), expected, "{name}");
        }
    }

    #[test]
    fn one_stray_packet_does_not_move_the_stream_but_two_in_a_row_do() {
        assert_eq!(updates(&[10, 30_000, 11]), [Newest(CYCLE + 10), Jump, Newest(CYCLE + 11)]);
        assert_eq!(updates(&[10, 30_000, 40_000, 30_001]), [Newest(CYCLE + 10), Jump, Jump, Jump]);
        assert_eq!(
            updates(&[10, 30_000, 11, 30_001]),
            [Newest(CYCLE + 10), Jump, Newest(CYCLE + 11), Jump],
            "a stray followed by a good packet and another stray must not restart the stream"
        );
        assert_eq!(
            updates(&[10, 30_000, 30_001, 30_002]),
            [Newest(CYCLE + 10), Jump, Restarted(3 * CYCLE + 30_001), Newest(3 * CYCLE + 30_002)]
        );
    }

    #[test]
    fn a_restart_counts_cycles_anew_in_reports_only() {
        let mut sequence = ExtendedSequence::default();
        for seq in [65535, 0] {
            sequence.update(seq);
        }
        assert_eq!(sequence.newest_for_report(), Some(1 << 16));
        for seq in [30_000, 30_001] {
            sequence.update(seq);
        }
        assert_eq!(sequence.newest_for_report(), Some(30_001));
        assert_eq!(sequence.newest(), Some(4 * CYCLE + 30_001));
    }

    #[test]
    fn a_retransmission_neither_starts_nor_restarts_a_stream() {
        let mut sequence = ExtendedSequence::default();
        assert_eq!(sequence.update_recovered(5), Jump);
        sequence.update(20_000);
        assert_eq!(sequence.update_recovered(15_000), Late(CYCLE + 15_000));
        assert_eq!(sequence.update_recovered(20_001), Newest(CYCLE + 20_001));
        assert_eq!(sequence.update_recovered(40_000), Jump);
        assert_eq!(sequence.update_recovered(40_001), Jump);
        assert_eq!(sequence.newest(), Some(CYCLE + 20_001));
    }
}
