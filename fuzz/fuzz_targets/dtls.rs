#![no_main]
use std::time::Instant;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sfu_core::dtls::fuzzing::fuzz_association(Instant::now(), data));
