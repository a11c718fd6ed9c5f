#![no_main]
use std::time::Instant;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sfu_core::worker::fuzzing::fuzz_datagrams(Instant::now(), data));
