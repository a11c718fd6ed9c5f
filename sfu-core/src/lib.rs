//! The media plane of Sluice, a selective forwarding unit.
//!
//! Two halves. **The pure core** is state machines with the same verbs at every layer: `handle_*(now, …)`,
//! `handle_timeout(now)`, `poll_timeout() -> Option<(Instant, Reason)>`, `poll_*()`. It owns no socket, reads no
//! clock, starts no thread and never waits; `clippy.toml` beside this crate turns a breach into a failed build.
//! **The worker shell** ([`engine`] and `worker::shell`) moves bytes and time between the core and the machine.
//!
//! Entry point: [`engine::Engine`]. The nouns are mediasoup's: Worker, Router, Transport, Producer, Consumer.
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod congestion;
pub mod consumer;
pub mod dtls;
pub mod engine;
pub mod ice;
pub mod ids;
pub mod negotiation;
pub mod observers;
pub mod parameters;
pub mod producer;
mod ring;
pub mod router;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
pub mod stats;
#[cfg(test)]
mod test_support;
pub mod transport;
pub mod worker;
