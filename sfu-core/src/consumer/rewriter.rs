//! Sequence numbers, timestamps and picture numbers of a consumer's stream: one continuous stream out of whatever is forwarded.

mod picture;
mod sequence;
mod timestamp;

pub use picture::{Numbering, PICTURE_HISTORY, PictureRewriter};
pub use sequence::{SEQUENCE_HISTORY, SequenceRewriter};
pub use timestamp::{ClockReports, TimestampRewriter};
