//! The one place where this crate's media tests take an instant from the machine: an origin to count from.

use std::time::Instant;

/// An arbitrary origin. Tests add made-up durations to it and never read the clock again.
#[expect(clippy::disallowed_methods, reason = "an Instant has no other constructor; tests need an origin only")]
pub(crate) fn origin() -> Instant {
    Instant::now()
}
