//! Peers, a network and a clock, all made up: a call of hours takes moments, and its seed replays it.

pub mod checks;
pub mod network;
pub mod peer;
pub mod sink;
pub mod source;
pub mod truth;
pub mod vectors;
pub mod world;

pub use network::link::{Depth, Link, Loss, Rate};
pub use network::{Direction, Kind};
pub use peer::{BandwidthFeedback, PeerOptions};
pub use world::{SinkId, SourceId, World};

use std::time::Duration;

/// Milliseconds.
pub const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Seconds.
pub const fn s(number: u64) -> Duration {
    Duration::from_secs(number)
}
