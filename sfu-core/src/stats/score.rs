//! Scores: 0 (nothing arrives) to 10 (everything does).

use std::collections::VecDeque;

use serde::Serialize;

use crate::ids::Ssrc;

/// The score of a stream that nothing is known against.
pub const MAX_SCORE: u8 = 10;

/// Intervals that a score is made of, mediasoup's number: about half a minute of video reports. Older ones are forgotten.
const HISTORY: usize = 24;

/// How well one stream of a producer arrives here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProducerScore {
    /// Index of its encoding.
    pub encoding_idx: usize,
    /// Its SSRC.
    pub ssrc: Ssrc,
    /// Its RID, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// 0 to 10.
    pub score: u8,
}

/// How well a consumer's stream arrives at its peer, and what it is made of arrives here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerScore {
    /// Of the stream to the peer, 0 to 10.
    pub score: u8,
    /// Of the producer's stream that is forwarded, 0 to 10.
    pub producer_score: u8,
    /// Of all the producer's streams, in the order of its encodings.
    pub producer_scores: Vec<u8>,
}

/// What happened to a stream between two reports, in packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interval {
    /// Sent under the stream's own SSRC, arrived or not.
    pub expected: u64,
    /// Of these, not arrived.
    pub lost: u64,
    /// Of the lost ones, got in the end by retransmission.
    pub repaired: u64,
    /// Retransmissions, several of one packet counted each.
    pub retransmitted: u64,
}

/// The score of one stream, received or sent.
///
/// Each interval between two reports has a score of its own; the stream's is their average, in which the latest weighs
/// most and each older one by one step less. One bad second is seen at once, and does not decide alone.
#[derive(Debug, Clone)]
pub struct ScoreKeeper {
    /// Scores of the latest [`HISTORY`] intervals, oldest first.
    history: VecDeque<u8>,
    score: u8,
    last: Interval,
    is_active: bool,
}

impl Default for ScoreKeeper {
    /// A stream that nothing is known against.
    fn default() -> Self {
        Self { history: VecDeque::new(), score: MAX_SCORE, last: Interval::default(), is_active: true }
    }
}

impl ScoreKeeper {
    /// Takes the next interval. One of an inactive stream changes nothing: it stays at 0.
    pub fn handle_interval(&mut self, interval: Interval) {
        self.last = interval;
        if !self.is_active {
            return;
        }
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(interval.score());
        let weighted = self.history.iter().zip(1_u32..).map(|(&score, weight)| u32::from(score) * weight);
        let weights: u32 = (1..).take(self.history.len()).sum();
        // Rounded to the nearest; an average of scores is no larger than the largest.
        self.score = ((weighted.sum::<u32>() * 2 + weights) / (weights * 2)).min(MAX_SCORE.into()) as u8;
    }

    /// Nothing comes any more: the score is 0, and the past forgotten.
    pub fn set_inactive(&mut self) {
        self.is_active = false;
        self.history.clear();
        self.score = 0;
    }

    /// It comes again: nothing is known against it.
    pub fn set_active(&mut self) {
        if !self.is_active {
            *self = Self::default();
        }
    }

    /// Whether the stream is not known to have stopped.
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// 0 to 10.
    pub fn score(&self) -> u8 {
        self.score
    }

    /// The latest interval.
    pub fn last_interval(&self) -> Interval {
        self.last
    }
}

impl Interval {
    /// The interval's own score: the fourth power of the share that was delivered, so that 5 % of loss are seen and 40 % are
    /// worth next to nothing. A repaired packet counts for less than one that came at once, and for the less, the more of the
    /// stream needed repair and the more copies it took.
    ///
    /// The shape is that of mediasoup's `RtpStreamSend`; its `RtpStreamRecv` relates losses to what was received instead of
    /// to what was sent, which punishes the same loss a little harder. Here both directions have one measure.
    fn score(self) -> u8 {
        if self.expected == 0 {
            return MAX_SCORE;
        }
        let expected = self.expected as f64;
        let lost = self.lost.min(self.expected) as f64;
        let repaired = (self.repaired as f64).min(lost);
        let mut worth = (1.0 + repaired / expected).powi(-4);
        if self.retransmitted > 0 {
            worth *= (repaired / self.retransmitted as f64).min(1.0);
        }
        let delivered = (expected - (lost - repaired * worth)) / expected;
        (delivered.powi(4) * f64::from(MAX_SCORE)).round() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(expected: u64, lost: u64, repaired: u64, retransmitted: u64) -> Interval {
        Interval { expected, lost, repaired, retransmitted }
    }

    /// Harm prevented: an owner acts on a score that says nothing of what a viewer sees.
    #[test]
    fn an_intervals_score_falls_with_loss_and_less_with_repaired_loss() {
        let cases = [
            ("nothing was sent", interval(0, 0, 0, 0), 10),
            ("all arrived", interval(100, 0, 0, 0), 10),
            ("1 % lost", interval(100, 1, 0, 0), 10),
            ("5 % lost", interval(100, 5, 0, 0), 8),
            ("10 % lost", interval(100, 10, 0, 0), 7),
            ("20 % lost", interval(100, 20, 0, 0), 4),
            ("half lost", interval(100, 50, 0, 0), 1),
            ("all lost", interval(100, 100, 0, 0), 0),
            ("10 % lost, all repaired by one copy each", interval(100, 10, 10, 10), 9),
            ("10 % lost, all repaired by three copies each", interval(100, 10, 10, 30), 7),
            ("10 % lost, half repaired", interval(100, 10, 5, 5), 8),
            ("half lost, all repaired", interval(100, 50, 50, 50), 1),
            ("copies of what was not lost", interval(100, 0, 0, 50), 10),
            ("more lost than sent: late reports", interval(10, 20, 0, 0), 0),
            ("more repaired than lost", interval(100, 10, 50, 50), 7),
            ("more repaired than retransmitted", interval(100, 10, 10, 5), 9),
        ];
        for (name, interval, expected) in cases {
            assert_eq!(interval.score(), expected, "{name}");
        }
    }

    #[test]
    fn recent_intervals_weigh_more_and_one_does_not_decide_alone() {
        let mut keeper = ScoreKeeper::default();
        for _ in 0..3 {
            keeper.handle_interval(interval(100, 0, 0, 0));
        }
        keeper.handle_interval(interval(100, 100, 0, 0));
        assert_eq!(keeper.score(), 6, "(10 + 20 + 30 + 0) / 10");
        keeper.handle_interval(interval(100, 0, 0, 0));
        assert_eq!(keeper.score(), 7, "(10 + 20 + 30 + 0 + 50) / 15");
    }

    #[test]
    fn what_is_older_than_the_history_is_forgotten() {
        let mut keeper = ScoreKeeper::default();
        for _ in 0..5 {
            keeper.handle_interval(interval(100, 100, 0, 0));
        }
        assert_eq!(keeper.score(), 0);
        for _ in 0..HISTORY {
            keeper.handle_interval(interval(100, 0, 0, 0));
        }
        assert_eq!((keeper.score(), keeper.history.len()), (10, HISTORY));
    }

    /// Harm prevented: a dead stream's reports (nothing expected, nothing lost) call it perfect again.
    #[test]
    fn an_inactive_stream_stays_at_zero_until_it_comes_again() {
        let mut keeper = ScoreKeeper::default();
        keeper.handle_interval(interval(100, 50, 0, 0));
        keeper.set_inactive();
        keeper.handle_interval(interval(0, 0, 0, 0));
        assert_eq!((keeper.score(), keeper.is_active()), (0, false));
        keeper.set_active();
        assert_eq!((keeper.score(), keeper.is_active()), (10, true));
    }

    #[test]
    fn counts_at_their_ends_are_harmless() {
        let mut keeper = ScoreKeeper::default();
        keeper.handle_interval(interval(u64::MAX, u64::MAX, u64::MAX, 1));
        keeper.handle_interval(interval(1, u64::MAX, u64::MAX, u64::MAX));
        assert!(keeper.score() <= MAX_SCORE);
    }
}
