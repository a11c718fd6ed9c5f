//! Who speaks, and how loud: watching a router's audio producers.

use std::time::Duration;

/// What audio levels are told about, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevelOptions {
    /// At most this many producers.
    pub max_entries: u16,
    /// Quieter ones are silent, in dBov.
    pub threshold_dbov: i8,
    /// How often.
    pub interval: Duration,
}

impl Default for AudioLevelOptions {
    fn default() -> Self {
        Self { max_entries: 1, threshold_dbov: -80, interval: Duration::from_secs(1) }
    }
}
