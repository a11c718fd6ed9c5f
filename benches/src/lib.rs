//! Load for any server that speaks the call vocabulary, and measuring what it costs.
//!
//! The peers here are light: no jitter buffer, no decoder; just what it takes to send and be sent media as a browser is. They
//! share no code with the server. The [`bodies`] alone are the core's own, for counting its instructions.

pub mod association;
pub mod bodies;
pub mod dtls;
pub mod endpoint;
pub mod floor;
pub mod ice;
pub mod media_thread;
pub mod process;
pub mod report;
pub mod rtp;
pub mod run;
pub mod signalling;
pub mod source;
pub mod srtp;
pub mod stamp;
pub mod stats;
