//! One producer as it is sent to one peer: rewriting, retransmission, reports.

pub mod rewriter;
