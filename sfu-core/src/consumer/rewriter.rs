//! Sequence numbers and timestamps of a consumer's stream: one continuous stream out of whatever is forwarded.

mod sequence;
mod timestamp;

pub use sequence::{SEQUENCE_HISTORY, SequenceRewriter};
pub use timestamp::TimestampRewriter;
