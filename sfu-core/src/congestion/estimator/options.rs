//! How an estimator is set up, and how it looks from outside.

use std::time::Duration;

use super::trendline::PathUsage;

/// Where an estimate starts: what libwebrtc's own senders start with; any path worth calling on carries it, and the
/// first probes are multiples of it.
pub const INITIAL_ESTIMATE_BPS: u64 = 300_000;

/// No estimate is lower: one Opus stream at its thriftiest with its headers. Less carries no call, and a lower
/// estimate would only lengthen the way back.
pub const MIN_ESTIMATE_BPS: u64 = 30_000;

/// No estimate is higher unless the owner says so: forty good pictures. It bounds what a lying receiver can ask for.
pub const MAX_ESTIMATE_BPS: u64 = 50_000_000;

/// The bounds of an estimate and where it starts, in bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EstimatorOptions {
    /// The estimate until something is known.
    pub initial_bps: u64,
    /// The estimate's floor.
    pub min_bps: u64,
    /// Its ceiling, above which nothing is probed either.
    pub max_bps: u64,
}

impl Default for EstimatorOptions {
    fn default() -> Self {
        Self { initial_bps: INITIAL_ESTIMATE_BPS, min_bps: MIN_ESTIMATE_BPS, max_bps: MAX_ESTIMATE_BPS }
    }
}

/// The state of an estimator, for statistics and traces. Rates in bits per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EstimatorSnapshot {
    /// What [`super::BandwidthEstimator::estimate_bps`] says.
    pub estimate_bps: u64,
    /// What arrives, if there is feedback.
    pub acknowledged_bps: Option<u64>,
    /// What the delays allow.
    pub delay_based_bps: u64,
    /// What the losses allow; none if they are no reason for a bound.
    pub loss_based_bps: Option<u64>,
    /// What the delays say of the path.
    pub usage: PathUsage,
    /// How long packets wait in the path's queue, in milliseconds.
    pub queue_ms: f64,
    /// The share lost of late, 0 to 1.
    pub fraction_lost: f64,
    /// The share that the path is believed to lose at any rate, 0 to 1.
    pub inherent_loss: f64,
    /// The round trip.
    pub rtt: Duration,
    /// Whether feedback is overdue.
    pub is_interrupted: bool,
}
