//! Bandwidth: what is told to a sender about its path, what a receiver's path carries, and who gets how much of it.

pub mod allocation;
pub mod estimator;
pub mod incoming_cap;
pub mod layer_rates;
pub mod pacer;
pub mod rate;
pub mod remb;
pub mod transport_feedback;
