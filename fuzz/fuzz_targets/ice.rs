#![no_main]
use std::time::Instant;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sfu_core::ice::fuzzing::fuzz_ice(Instant::now(), data));
