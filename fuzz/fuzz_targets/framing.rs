#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sfu_core::transport::fuzzing::fuzz_framing(data));
