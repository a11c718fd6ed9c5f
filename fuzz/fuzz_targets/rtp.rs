#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for (_, body) in sfu_core::rtp::fuzzing::TARGETS {
        body(data);
    }
});
