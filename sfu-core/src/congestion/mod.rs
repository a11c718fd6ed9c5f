//! What is told to a sender about its path: transport-wide feedback and REMB.

pub mod rate;
pub mod remb;
pub mod transport_feedback;
