#![no_main]

use std::time::Instant;

use sfu_core::congestion::estimator::fuzzing::{fuzz_estimator, fuzz_transport_feedback};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let origin = Instant::now();
    fuzz_estimator(origin, data);
    fuzz_transport_feedback(origin, data);
});
