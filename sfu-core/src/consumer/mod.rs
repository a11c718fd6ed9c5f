//! One producer as it is sent to one peer: rewriting, retransmission, reports.

pub mod rewriter;
pub mod send_history;
pub mod send_stats;
