//! Scores: 0 (nothing arrives) to 10 (everything does).

use serde::Serialize;

use crate::ids::Ssrc;

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
