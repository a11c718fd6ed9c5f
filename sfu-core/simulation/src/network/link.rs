//! The properties of a path.

use std::time::Duration;

/// How a link loses datagrams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Not at all.
    None,
    /// Each with the same probability.
    Bernoulli(f64),
    /// In bursts: two states with a probability of loss each, and of leaving each state (Gilbert 1960, Elliott 1963).
    GilbertElliott {
        /// From good to bad, at each datagram.
        to_bad: f64,
        /// From bad to good.
        to_good: f64,
        /// Of loss in the good state.
        in_good: f64,
        /// Of loss in the bad state.
        in_bad: f64,
    },
}

/// What may wait for a thin link; beyond it datagrams are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// So many bytes.
    Bytes(usize),
    /// What is carried in this time.
    Time(Duration),
}

/// A thin link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What it carries, IP and UDP headers not counted.
    pub bits_per_second: u64,
    /// What waits.
    pub depth: Depth,
}

impl Rate {
    /// With a queue of so many milliseconds.
    pub const fn new(bits_per_second: u64, depth_ms: u64) -> Self {
        Self { bits_per_second, depth: Depth::Time(Duration::from_millis(depth_ms)) }
    }
}

/// The properties of one direction of a path.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// How long a datagram takes at least.
    pub latency: Duration,
    /// Added to the latency at random, up to this.
    pub jitter: Duration,
    /// Whether a datagram overtakes another by jitter.
    pub jitter_reorders: bool,
    /// What is lost.
    pub loss: Loss,
    /// The probability that a datagram is held back by `reordering_delay`, and so overtaken.
    pub reordering: f64,
    /// For how long.
    pub reordering_delay: Duration,
    /// The probability that a datagram comes twice.
    pub duplication: f64,
    /// What it carries; everything if absent. [`Network::schedule`](super::Network::schedule) changes it over time.
    pub rate: Option<Rate>,
    /// Nothing passes.
    pub is_partitioned: bool,
}

impl Link {
    /// 20 ms and nothing else.
    pub const CLEAN: Self = Self {
        latency: Duration::from_millis(20),
        jitter: Duration::ZERO,
        jitter_reorders: false,
        loss: Loss::None,
        reordering: 0.0,
        reordering_delay: Duration::from_millis(8),
        duplication: 0.0,
        rate: None,
        is_partitioned: false,
    };

    /// A clean link that loses this part of its datagrams.
    pub fn lossy(probability: f64) -> Self {
        Self { loss: Loss::Bernoulli(probability), ..Self::CLEAN }
    }

    /// A clean link of so many bit/s, behind a queue of so many milliseconds.
    pub fn thin(bits_per_second: u64, depth_ms: u64) -> Self {
        Self { rate: Some(Rate::new(bits_per_second, depth_ms)), ..Self::CLEAN }
    }
}
