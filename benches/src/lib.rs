//! Load for the media plane, and measuring what it costs.
//!
//! The peers here are light: no negotiation, no jitter buffer, no decoder; just what it takes to be sent media. What they do
//! costs CPU too, but on threads of their own, which [`process`] tells apart.

pub mod bodies;
pub mod client;
pub mod media;
pub mod process;
