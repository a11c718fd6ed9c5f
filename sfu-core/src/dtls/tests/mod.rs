//! Two associations, or one against the bare crate, over a lossy link in memory with a clock made by hand.

use std::time::Instant;

/// A made-up beginning.
#[expect(clippy::disallowed_methods, reason = "an Instant can only be made from the clock; tests add to this one")]
pub(super) fn start_of_time() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}
