//! What is told about transports, producers and consumers: mediasoup's `getStats`, scores and trace events.

mod score;

pub use score::{ConsumerScore, ProducerScore};
